{{- define "kmcp.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "kmcp.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "kmcp.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "kmcp.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "kmcp.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{/* The namespaces whose MCPServers are reconciled, as a JSON list; empty: all. The suite's own are in the release's. */}}
{{- define "kmcp.watchedNamespaces" -}}
{{- if .Values.rbac.namespaces -}}
{{- prepend .Values.rbac.namespaces (include "kmcp.namespace" .) | uniq | toJson -}}
{{- else -}}
[]
{{- end -}}
{{- end -}}

{{/* The admission policy, of the whole cluster: releases of one name in several namespaces have one each. */}}
{{- define "kmcp.tenantPolicy" -}}
{{- printf "%s-%s-tenants" (include "kmcp.namespace" .) (include "kmcp.fullname" .) -}}
{{- end -}}

{{/* Text where there is a composed server, beside the others or alone. */}}
{{- define "kmcp.composed" -}}
{{- if or .Values.composed.enabled .Values.composed.only }}true{{ end -}}
{{- end -}}

{{- define "kmcp.selectorLabels" -}}
app.kubernetes.io/name: {{ include "kmcp.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "kmcp.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: {{ include "kmcp.name" . }}
{{- end -}}

{{- define "kmcp.controllerLabels" -}}
{{ include "kmcp.selectorLabels" . }}
{{ include "kmcp.labels" . }}
{{- end -}}

{{- define "kmcp.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "kmcp.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name: required when serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* The ConfigMap that holds one server of the shipped catalog; takes the root and the server's name. */}}
{{- define "kmcp.catalogPart" -}}
{{- printf "%s-shipped-%s" (include "kmcp.fullname" (index . 0)) (index . 1) -}}
{{- end -}}

{{- define "kmcp.stateSecret" -}}
{{- default (printf "%s-state" (include "kmcp.fullname" .)) .Values.stateSecret -}}
{{- end -}}

{{- define "kmcp.tag" -}}
{{- default .Chart.AppVersion .Values.image.tag -}}
{{- end -}}

{{/* What stands before the last / of image.repository, with it; nothing where there is none. */}}
{{- define "kmcp.registry" -}}
{{- regexFind "^.*/" .Values.image.repository -}}
{{- end -}}

{{- define "kmcp.suiteImages" -}}
{{- if .Values.suiteImages -}}
{{- join "," .Values.suiteImages -}}
{{- else -}}
{{- include "kmcp.registry" . }}kmcp
{{- end -}}
{{- end -}}

{{- define "kmcp.bridgeImage" -}}
{{- $given := .Values.stdio.bridgeImage -}}
{{- $repository := default (printf "%skmcp-bridge" (include "kmcp.registry" .)) $given.repository -}}
{{- printf "%s:%s" $repository (default (include "kmcp.tag" .) $given.tag) -}}
{{- end -}}

{{/* The port of an address such as ":8081"; nothing for an empty one. */}}
{{- define "kmcp.portOf" -}}
{{- regexFind "[0-9]+$" . -}}
{{- end -}}
