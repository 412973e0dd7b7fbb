{{/* Names of the chart's MCPServers, whose metrics get a Service each; a JSON list. */}}
{{- define "kmcp.metricsServices" -}}
{{- $servers := include "kmcp.servers" . | fromYaml | keys -}}
{{- $single := ternary list $servers .Values.composed.only -}}
{{- ternary (append $single .Values.composed.name) $single (not (empty (include "kmcp.composed" .))) | sortAlpha | toJson -}}
{{- end -}}

{{/* Where the suite's servers send traces, as environment; nothing where none are asked for. */}}
{{- define "kmcp.traces" -}}
{{- with .Values.traces.endpoint }}
OTEL_EXPORTER_OTLP_ENDPOINT: {{ . | quote }}
{{- end }}
{{- range $name, $value := .Values.traces.env }}
{{ $name }}: {{ toString $value | quote }}
{{- end }}
{{- end -}}
