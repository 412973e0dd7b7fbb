{{/* Name of the ConfigMap with the policy; empty where there is none. */}}
{{- define "kmcp.policyConfigMap" -}}
{{- $policy := .Values.policy -}}
{{- if and $policy.files $policy.existingConfigMap -}}
  {{- fail "policy.files: policy.existingConfigMap is set too, and a server reads one of them; keep one" -}}
{{- end -}}
{{- if $policy.files }}{{ include "kmcp.fullname" . }}-policy{{ else }}{{ $policy.existingConfigMap }}{{ end -}}
{{- end -}}

{{/* Settings of policy and audit, as environment; nothing where nothing is asked for. */}}
{{- define "kmcp.policySettings" -}}
{{- if include "kmcp.policyConfigMap" . }}
KMCP_POLICY: /etc/kmcp/policy
{{- end }}
{{- with .Values.policy.contact }}
KMCP_POLICY_CONTACT: {{ . | quote }}
{{- end }}
{{- $audit := .Values.audit -}}
{{- $sinks := list -}}
{{- if $audit.stderr }}{{ $sinks = append $sinks "stderr" }}{{ end -}}
{{- with $audit.file.volume }}
{{- $sinks = append $sinks "file" }}
KMCP_AUDIT_FILE: /var/log/kmcp/{hostname}.log
KMCP_AUDIT_FILE_MEGABYTES: {{ $audit.file.megabytes | quote }}
KMCP_AUDIT_FILES: {{ $audit.file.files | quote }}
{{- end }}
{{- with $audit.otlp.endpoint }}
{{- $sinks = append $sinks "otlp" }}
KMCP_AUDIT_OTLP_ENDPOINT: {{ . | quote }}
{{- end }}
{{- if not $sinks }}{{ fail "audit.stderr: false, and lines go nowhere else; set audit.file.volume or audit.otlp.endpoint" }}{{ end }}
{{- if ne (join "," $sinks) "stderr" }}
KMCP_AUDIT_SINKS: {{ join "," $sinks }}
{{- end }}
{{- if $audit.required }}
{{- if eq (join "," $sinks) "otlp" }}
  {{- fail "audit.required: a collector has a line only after a while; add audit.file.volume, or set audit.stderr" }}
{{- end }}
KMCP_AUDIT: required
{{- end }}
{{- if $audit.keySecret }}
KMCP_AUDIT_KEY_FILE: /etc/kmcp/audit/key
{{- end }}
{{- end -}}

{{/* What a server's pod needs for the policy and the audit, as {volumes, volumeMounts, podSecurityContext}. */}}
{{- define "kmcp.policyVolumes" -}}
{{- $volumes := list -}}
{{- $mounts := list -}}
{{- with include "kmcp.policyConfigMap" . -}}
  {{- $volumes = append $volumes (dict "name" "policy" "configMap" (dict "name" .)) -}}
  {{- $mounts = append $mounts (dict "name" "policy" "mountPath" "/etc/kmcp/policy" "readOnly" true) -}}
{{- end -}}
{{- with .Values.audit.keySecret -}}
  {{- $volumes = append $volumes (dict "name" "audit-key" "secret" (dict "secretName" .)) -}}
  {{- $mounts = append $mounts (dict "name" "audit-key" "mountPath" "/etc/kmcp/audit" "readOnly" true) -}}
{{- end -}}
{{- $security := dict -}}
{{- with .Values.audit.file.volume -}}
  {{- $volumes = append $volumes (merge (dict "name" "audit") .) -}}
  {{- $mounts = append $mounts (dict "name" "audit" "mountPath" "/var/log/kmcp") -}}
  {{- /* A claim belongs to root. Later mounts must not open the files to the group, which the server would refuse. */ -}}
  {{- $security = dict "fsGroup" 65532 "fsGroupChangePolicy" "OnRootMismatch" -}}
{{- end -}}
{{- toYaml (dict "volumes" $volumes "volumeMounts" $mounts "podSecurityContext" $security) -}}
{{- end -}}
