{{/* What the controller may do in the namespaces of MCPServers. It neither creates nor deletes them. */}}
{{- define "kmcp.controllerRules" -}}
- apiGroups: [kagent.dev]
  resources: [mcpservers]
  verbs: [get, list, watch]
- apiGroups: [kagent.dev]
  resources: [mcpservers/status]
  verbs: [patch]
- apiGroups: [kagent.dev]
  resources: [mcpservers/finalizers]
  verbs: [update]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [services, serviceaccounts, configmaps]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list]
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get]
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- with .Values.controller.references.secrets }}
{{- if ne . "none" }}
- apiGroups: [""]
  resources: [secrets]
  verbs: {{ ternary "[get, list, watch]" "[get]" (eq . "watch") }}
{{- end }}
{{- end }}
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, create, patch, delete]
{{- if ne .Values.remoteMCPServers "never" }}
- apiGroups: [kagent.dev]
  resources: [remotemcpservers]
  verbs: [get, list, create, patch, delete]
{{- end }}
{{- if ne .Values.rbac.serverRoles "none" }}
- apiGroups: [rbac.authorization.k8s.io]
  resources: [roles, rolebindings]
  verbs: [get, list, create, patch, delete]
{{- end }}
{{- if eq .Values.rbac.serverRoles "bind" }}
- apiGroups: [rbac.authorization.k8s.io]
  resources: [clusterroles]
  verbs: [bind]
  resourceNames:
    {{- range $full, $_ := (.Files.Get "files/catalog.yaml" | fromYaml).servers }}
    - {{ $.Release.Name }}-{{ $full }}-read
    - {{ $.Release.Name }}-{{ $full }}-write
    {{- end }}
{{- end }}
{{- if eq .Values.rbac.serverRoles "derive" }}
{{- with .Values.rbac.grantableRules }}
{{ toYaml . }}
{{- end }}
{{- end }}
{{- if .Values.catalog.pinning.allowBlock }}
- apiGroups: [""]
  resources: [pods/status]
  verbs: [patch]
{{- end }}
{{- end -}}
