{{/* What is seen from outside, as {name, port, path}; refuses what cannot work, or would be open. */}}
{{- define "kmcp.exposed" -}}
{{- $expose := .Values.expose -}}
{{- if not $expose.hostname }}{{ fail "expose.hostname: required with expose.enabled; write the name under which clients call" }}{{ end -}}
{{- if not .Values.authentication.enabled -}}
  {{- fail "expose.enabled: authentication.enabled is false, so whoever finds the name could call every tool; turn it on" -}}
{{- end -}}
{{- if and (eq $expose.by "ingress") (not $expose.tlsSecret) (not $expose.plaintext) -}}
  {{- fail "expose.tlsSecret: required, since tokens travel in each call; where something before the Ingress ends TLS, set expose.plaintext" -}}
{{- end -}}
{{- if and (eq $expose.by "httproute") (not $expose.parentRefs) -}}
  {{- fail "expose.parentRefs: required with by: httproute; name the Gateway, whose listener ends TLS" -}}
{{- end -}}
{{- if and .Values.networkPolicy.enabled (not $expose.fromNamespaces) -}}
  {{- fail "expose.fromNamespaces: required, since the NetworkPolicy would keep the gateway's pods out; name their namespace" -}}
{{- end -}}
{{- $servers := include "kmcp.servers" . | fromYaml -}}
{{- if include "kmcp.composed" . -}}
  {{- toYaml (dict "name" .Values.composed.name "port" .Values.composed.port "path" "/") -}}
{{- else if eq (len $servers) 1 -}}
  {{- range $full, $server := $servers -}}
    {{- toYaml (dict "name" $full "port" $server.port "path" $server.path) -}}
  {{- end -}}
{{- else -}}
  {{- fail "expose.enabled: one name leads to one server; set composed.only or composed.enabled, or enable a single server" -}}
{{- end -}}
{{- end -}}

{{/* Settings of the server that is exposed: the names under which it is called, inside and outside. Takes root, name, exposed. */}}
{{- define "kmcp.exposedSettings" -}}
{{- if eq .exposed.name .name -}}
{{- $inside := printf "%s.%s" .name (include "kmcp.namespace" .root) -}}
KMCP_ALLOWED_HOSTS: {{ list .root.Values.expose.hostname .name $inside (printf "%s.svc" $inside) (printf "%s.svc.*" $inside) "localhost" "127.0.0.1" | join "," | quote }}
KMCP_ALLOWED_ORIGINS: {{ concat (list (printf "https://%s" .root.Values.expose.hostname)) .root.Values.expose.allowedOrigins | join "," | quote }}
{{- end -}}
{{- end -}}
