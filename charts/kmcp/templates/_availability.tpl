{{/* A PodDisruptionBudget that keeps all but one pod. Takes root, name, labels. */}}
{{- define "kmcp.budget" }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ .name }}
  namespace: {{ include "kmcp.namespace" .root }}
  labels:
    {{- include "kmcp.labels" .root | nindent 4 }}
spec:
  maxUnavailable: 1
  # A pod that does not work keeps no node from being emptied.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- toYaml .labels | nindent 6 }}
{{- end }}

{{/* Pods of one server prefer other nodes and zones than its others. Takes the name. */}}
{{- define "kmcp.spread" -}}
podAntiAffinity:
  preferredDuringSchedulingIgnoredDuringExecution:
    {{- range $key, $weight := dict "kubernetes.io/hostname" 100 "topology.kubernetes.io/zone" 50 }}
    - weight: {{ $weight }}
      podAffinityTerm:
        topologyKey: {{ $key }}
        labelSelector:
          matchLabels: {app.kubernetes.io/name: {{ $ }}, app.kubernetes.io/instance: {{ $ }}}
    {{- end }}
{{- end -}}
