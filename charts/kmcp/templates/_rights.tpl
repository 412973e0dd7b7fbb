{{/*
Rules for objects of any kind, as {rules: […]}: the kinds of `rbac.kinds` that are in a namespace (or, with `cluster`,
those that are in none), with the verbs and subresources of `any`. Takes root, any, cluster.
*/}}
{{- define "kmcp.anyRules" -}}
{{- $scoped := (.root.Files.Get "files/rights.yaml" | fromYaml).clusterScoped -}}
{{- $cluster := .cluster -}}
{{- $rules := list -}}
{{- range $any := .any -}}
  {{- range $kind := $.root.Values.rbac.kinds -}}
    {{- range $group := $kind.apiGroups -}}
      {{- $names := list -}}
      {{- range $resource := $kind.resources -}}
        {{- $wide := or (eq $resource "*") (eq $group "*") -}}
        {{- $outside := has $resource (get $scoped $group | default list) -}}
        {{- if or $wide (eq $outside $cluster) -}}
          {{- $names = append $names (ternary $resource (printf "%s/%s" $resource $any.subresource) (empty $any.subresource)) -}}
        {{- end -}}
      {{- end -}}
      {{- if $names -}}
        {{- $rules = append $rules (dict "apiGroups" (list $group) "resources" $names "verbs" $any.verbs) -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- toJson (dict "rules" $rules) -}}
{{- end -}}

{{/*
What a server of the catalog may do, by place, as {namespaced: [rules], home: [rules], cluster: [rules]}.
`home` is what it needs in the namespace of its backend beside `namespaced`. Takes root, full, mode (read or write).
*/}}
{{- define "kmcp.serverRules" -}}
{{- $rights := get (get (.root.Files.Get "files/rights.yaml" | fromYaml).servers .full) .mode -}}
{{- $any := (include "kmcp.anyRules" (dict "root" .root "any" $rights.any "cluster" false) | fromJson).rules -}}
{{- $wide := (include "kmcp.anyRules" (dict "root" .root "any" $rights.any "cluster" true) | fromJson).rules -}}
{{- $namespaced := $rights.namespaced -}}
{{- $home := $rights.home -}}
{{- if $rights.anyAtHome }}{{ $home = concat $home $any }}{{ else }}{{ $namespaced = concat $namespaced $any }}{{ end -}}
{{- /* Joining two lists of nothing gives no list. */ -}}
{{- $cluster := concat $rights.cluster $wide -}}
{{- toJson (dict "namespaced" (default list $namespaced) "home" (default list $home) "cluster" (default list $cluster)) -}}
{{- end -}}

{{/* The same rules without what changes anything, as {rules: […]}; questions to the API server are no change. */}}
{{- define "kmcp.readingRules" -}}
{{- $kept := list -}}
{{- range . -}}
  {{- $reviews := or (has "subjectaccessreviews" .resources) (has "tokenreviews" .resources) -}}
  {{- $verbs := list -}}
  {{- range .verbs -}}
    {{- if or (has . (list "get" "list" "watch")) (and $reviews (eq . "create")) }}{{ $verbs = append $verbs . }}{{ end -}}
  {{- end -}}
  {{- if $verbs }}{{ $kept = append $kept (dict "apiGroups" .apiGroups "resources" .resources "verbs" $verbs) }}{{ end -}}
{{- end -}}
{{- toJson (dict "rules" $kept) -}}
{{- end -}}

{{/*
A role of a server, where there are rules, and its binding. Takes root, name, accounts, and of these what applies:
rules; namespace (else of the whole cluster); role (the name of a ClusterRole that exists already, in place of rules).
*/}}
{{- define "kmcp.grant" -}}
{{- if or .rules .role }}
{{- $kind := ternary "Role" "ClusterRole" (not (empty .namespace)) -}}
{{- if .rules }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}
metadata:
  name: {{ .name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "kmcp.labels" .root | nindent 4 }}
rules:
  {{- toYaml .rules | nindent 2 }}
{{- end }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}Binding
metadata:
  name: {{ .name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "kmcp.labels" .root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ ternary "ClusterRole" $kind (not (empty .role)) }}
  name: {{ default .name .role }}
subjects:
  {{- range .accounts }}
  - kind: ServiceAccount
    name: {{ . }}
    namespace: {{ include "kmcp.namespace" $.root }}
  {{- end }}
{{- end }}
{{- end -}}
