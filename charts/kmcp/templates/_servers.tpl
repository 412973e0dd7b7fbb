{{/*
The enabled servers: values and catalog entry as one, by the name of the MCPServer.
{<full name>: {name, port, path, rbac, readOnly, narrows, needs, ledger, holder, accounts, home, env, envFrom, deployment}}
`narrows`: it makes the composed server read-only. `needs`: it uses rights of the cluster.
`ledger`: it notes used approvals as Leases, for which the ServiceAccount `holder` gets the right.
`accounts`: the ServiceAccounts that get its rights. `home`: the namespace of its backend; empty where it has none.
*/}}
{{- define "kmcp.servers" -}}
{{- $catalog := (.Files.Get "files/catalog.yaml" | fromYaml).servers -}}
{{- $rights := (.Files.Get "files/rights.yaml" | fromYaml).servers -}}
{{- $found := dict -}}
{{- range $name, $given := .Values.servers -}}
  {{- $full := printf "kmcp-%s" $name -}}
  {{- if not (hasKey $catalog $full) -}}
    {{- $known := keys $catalog | sortAlpha | join ", " | replace "kmcp-" "" -}}
    {{- fail (printf "servers.%s: the catalog has no such server; there are %s. One of your own is an MCPServer (kmcp-suite deploy), and its catalog a name in catalogs" $name $known) -}}
  {{- end -}}
  {{- if $given.enabled -}}
    {{- $entry := get $catalog $full -}}
    {{- $rbac := ternary "none" (default "view" $given.rbac) (empty $entry.needs) -}}
    {{- if and (eq $rbac "edit") (ne $name "kubernetes") -}}
      {{- fail (printf "servers.%s.rbac: edit is for the server kubernetes; write view, full or none" $name) -}}
    {{- end -}}
    {{- if ne $.Values.callers.actAs "server" -}}{{- $rbac = "none" -}}{{- end -}}
    {{- $readOnly := eq (default "view" $given.rbac) "view" -}}
    {{- /* Composed, one that needs no rights of the cluster takes nothing from the others, unless it is told to. */ -}}
    {{- $narrows := and $readOnly (not (empty $entry.needs)) -}}
    {{- if not (kindIs "invalid" $given.readOnly) -}}
      {{- $readOnly = $given.readOnly -}}
      {{- $narrows = $given.readOnly -}}
    {{- end -}}
    {{- $home := include "kmcp.home" (dict "name" $name "given" $given "home" (get $rights $full | default dict).home) | fromYaml -}}
    {{- $given = merge (dict "values" (merge (default dict $given.values) ($home.values | default dict))) $given -}}
    {{- $env := include "kmcp.env" (dict "name" $name "entry" $entry "values" (default dict $given.values)) | fromYaml -}}
    {{- $deployment := deepCopy (default dict $given.deployment) -}}
    {{- $many := or $given.autoscaling (gt (int (default 1 $deployment.replicas)) 1) -}}
    {{- if and $many (not (hasKey $deployment "affinity")) }}{{ $_ := set $deployment "affinity" (include "kmcp.spread" $full | fromYaml) }}{{ end -}}
    {{- $server := dict "name" $name "port" $entry.transport.port "path" $entry.transport.path "rbac" $rbac "readOnly" $readOnly "narrows" $narrows "needs" (not (empty $entry.needs)) -}}
    {{- /* Without the right each approval would be refused; a server that only reads asks for none. */ -}}
    {{- $_ := set $server "ledger" (and (eq $.Values.approvalLedger "lease") $.Values.rbac.create (not $readOnly)) -}}
    {{- $_ := set $server "autoscaling" ($given.autoscaling | default dict) -}}
    {{- $_ := set $server "holder" (default $full $deployment.serviceAccountName) -}}
    {{- $accounts := ternary (list $full) list (not $.Values.composed.only) -}}
    {{- if include "kmcp.composed" $ }}{{ $accounts = append $accounts $.Values.composed.name }}{{ end -}}
    {{- $_ := set $server "accounts" $accounts -}}
    {{- $_ := set $server "home" ($home.namespace | default "") -}}
    {{- $_ := set $found $full (merge $server $env (dict "deployment" $deployment)) -}}
  {{- end -}}
{{- end -}}
{{- toYaml $found -}}
{{- end -}}

{{/* The namespace of a server's backend, and the setting that tells it to the server: {namespace, values: {…}}. */}}
{{- define "kmcp.home" -}}
{{- if .home -}}
  {{- $set := get (default dict .given.values) .home.setting -}}
  {{- if and .given.namespace $set (ne .given.namespace (toString $set)) -}}
    {{- fail (printf "servers.%s.namespace: differs from values.%s; keep one" .name .home.setting) -}}
  {{- end -}}
  {{- if kindIs "map" $set -}}
    {{- fail (printf "servers.%s.values.%s: its Role is made for the namespace, so write the name" .name .home.setting) -}}
  {{- end -}}
  {{- $namespace := coalesce .given.namespace $set .home.namespace -}}
  {{- toYaml (dict "namespace" $namespace "values" (dict .home.setting $namespace)) -}}
{{- else if .given.namespace -}}
  {{- fail (printf "servers.%s.namespace: its backend is in no namespace that the chart would need to know; leave it out" .name) -}}
{{- else -}}
{}
{{- end -}}
{{- end -}}

{{/* Settings of one server as {env: {name: text}, envFrom: [EnvVar]}; refuses names and secrets that cannot work. */}}
{{- define "kmcp.env" -}}
{{- $env := dict -}}
{{- $references := list -}}
{{- $known := dict -}}
{{- range .entry.env -}}
  {{- $_ := set $known .name . -}}
{{- end -}}
{{- $name := .name -}}
{{- range $variable, $value := .values -}}
  {{- if eq $variable "KMCP_STATE_KEY" -}}
    {{- fail (printf "servers.%s.values.KMCP_STATE_KEY: all servers share one; name its Secret in stateSecret" $name) -}}
  {{- end -}}
  {{- if not (or (hasKey $known $variable) (hasPrefix "KMCP_" $variable)) -}}
    {{- fail (printf "servers.%s.values.%s: no setting of this server; there are KMCP_… and %s" $name $variable (keys $known | sortAlpha | join ", ")) -}}
  {{- end -}}
  {{- if kindIs "map" $value -}}
    {{- $references = append $references (dict "name" $variable "valueFrom" $value) -}}
  {{- else if (get $known $variable | default dict).secret -}}
    {{- fail (printf "servers.%s.values.%s: a secret; write {secretKeyRef: {name: …, key: …}}" $name $variable) -}}
  {{- else -}}
    {{- $_ := set $env $variable (toString $value) -}}
  {{- end -}}
{{- end -}}
{{- toYaml (dict "env" $env "envFrom" $references) -}}
{{- end -}}

{{/* spec of one MCPServer. Takes root, name, port, path, image, account, env, ledger, deployment, exposed; and command (composed). */}}
{{- define "kmcp.serverSpec" -}}
{{- $root := .root -}}
{{- $port := toString .port -}}
{{- $http := list "--transport" "http" "--host" "0.0.0.0" "--port" $port -}}
{{- if not $root.Values.authentication.enabled -}}{{- $http = append $http "--allow-unauthenticated" -}}{{- end -}}
{{- $deployment := dict "resources" (deepCopy $root.Values.serverResources) "image" .image "imagePullPolicy" $root.Values.image.pullPolicy "port" (int .port) -}}
{{- if .command -}}
  {{- $_ := set $deployment "cmd" (first .command) -}}
{{- end -}}
{{- $_ := set $deployment "args" (concat (.command | default list | rest | default list) $http) -}}
{{- $secrets := list (dict "name" (include "kmcp.stateSecret" $root)) -}}
{{- with $root.Values.audit.otlp.headersSecret }}{{ $secrets = append $secrets (dict "name" .) }}{{ end -}}
{{- $_ := set $deployment "secretRefs" $secrets -}}
{{- $ledger := ternary (dict "KMCP_APPROVAL_LEDGER" "lease") dict (default false .ledger) -}}
{{- $exposed := include "kmcp.exposedSettings" (dict "root" $root "name" .name "exposed" .exposed) | fromYaml | default dict -}}
{{- with merge dict (default dict .env) $ledger $exposed (include "kmcp.authentication" $root | fromYaml) (include "kmcp.traces" $root | fromYaml) (include "kmcp.policySettings" $root | fromYaml) }}{{ $_ := set $deployment "env" . }}{{ end -}}
{{- with .account }}{{ $_ := set $deployment "serviceAccountName" . }}{{ end -}}
{{- $given := deepCopy .deployment -}}
{{- with and $root.Values.authentication.enabled $root.Values.authentication.tokensSecret -}}
  {{- $volume := dict "name" "caller-tokens" "secret" (dict "secretName" .) -}}
  {{- $mount := dict "name" "caller-tokens" "mountPath" "/etc/kmcp/callers" "readOnly" true -}}
  {{- $_ := set $given "volumes" (append (default list $given.volumes) $volume) -}}
  {{- $_ := set $given "volumeMounts" (append (default list $given.volumeMounts) $mount) -}}
{{- end -}}
{{- $guarded := include "kmcp.policyVolumes" $root | fromYaml -}}
{{- range $list := list "volumes" "volumeMounts" -}}
  {{- with get $guarded $list }}{{ $_ := set $given $list (concat (default list (get $given $list)) .) }}{{ end -}}
{{- end -}}
{{- with $guarded.podSecurityContext }}{{ $_ := set $deployment "podSecurityContext" . }}{{ end -}}
{{- with $root.Values.imagePullSecrets }}{{ $_ := set $deployment "imagePullSecrets" . }}{{ end -}}
transportType: http
httpTransport:
  targetPort: {{ .port }}
  path: {{ .path }}
deployment:
  {{- mergeOverwrite $deployment $given | toYaml | nindent 2 }}
{{- end -}}

{{/* Namespaces whose pods may call the suite's own servers, as a JSON list: the release's first. */}}
{{- define "kmcp.callerNamespaces" -}}
{{- prepend .Values.callers.namespaces (include "kmcp.namespace" .) | uniq | toJson -}}
{{- end -}}

{{/* Settings of a server that has its callers confirmed; nothing where none are. */}}
{{- define "kmcp.authentication" -}}
{{- if .Values.authentication.enabled -}}
{{- $namespace := include "kmcp.namespace" . -}}
{{- /* Whoever steals the controller's token, as who makes an MCPServer could, sees a list. */ -}}
{{- $grants := list (printf "system:serviceaccount:%s:%s=list" $namespace (include "kmcp.serviceAccountName" .)) -}}
{{- range .Values.authentication.grants -}}
  {{- $grants = append $grants (printf "%s=%s" .subject (join " " .scopes)) -}}
{{- end -}}
{{- range include "kmcp.callerNamespaces" . | fromJsonArray -}}
  {{- $grants = append $grants (printf "group:system:serviceaccounts:%s=read" .) -}}
{{- end -}}
KMCP_TOKEN_REVIEW: "true"
KMCP_TOKEN_AUDIENCE: {{ .Values.authentication.audience | quote }}
KMCP_TOKEN_GRANTS: {{ join "; " $grants | quote }}
{{- if ne .Values.callers.actAs "server" }}
KMCP_ACT_AS: {{ .Values.callers.actAs }}
{{- end }}
{{- if .Values.authentication.tokensSecret }}
KMCP_AUTH_TOKENS_FILE: /etc/kmcp/callers/tokens
{{- end }}
{{- end -}}
{{- end -}}

{{/* The extensions, as the text of the annotation that every CRD takes; nothing where there are none. Takes root, name, exposed. */}}
{{- define "kmcp.extensions" -}}
{{- $extensions := dict -}}
{{- if .readOnly }}{{ $_ := set $extensions "readOnly" true }}{{ end -}}
{{- with .envFrom }}{{ $_ := set $extensions "env" . }}{{ end -}}
{{- if .root.Values.networkPolicy.enabled -}}
  {{- $namespaces := include "kmcp.callerNamespaces" .root | fromJsonArray -}}
  {{- $named := dict "key" "kubernetes.io/metadata.name" "operator" "In" "values" $namespaces -}}
  {{- $pods := dict "namespaceSelector" (dict "matchExpressions" (list $named)) -}}
  {{- $peers := prepend .root.Values.networkPolicy.ingressFrom $pods -}}
  {{- if eq .exposed.name .name -}}
    {{- $gateway := dict "key" "kubernetes.io/metadata.name" "operator" "In" "values" .root.Values.expose.fromNamespaces -}}
    {{- $peers = append $peers (dict "namespaceSelector" (dict "matchExpressions" (list $gateway))) -}}
  {{- end -}}
  {{- $_ := set $extensions "network" (dict "ingressFrom" $peers) -}}
{{- end -}}
{{- if $extensions }}{{ toYaml $extensions }}{{ end -}}
{{- end -}}
