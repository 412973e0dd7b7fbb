{{/* The settings of the controller, as environment. */}}
{{- define "kmcp.controllerEnv" -}}
{{- $controller := .Values.controller -}}
{{- $metrics := $controller.metrics -}}
- name: KMCP_CONTROLLER_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
- name: KMCP_CONTROLLER_POD
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
{{- $labels := include "kmcp.selectorLabels" . | fromYaml -}}
{{- $catalogs := list "/etc/kmcp/catalog" -}}
{{- range .Values.catalogs -}}
{{- if kindIs "string" . }}{{ $catalogs = append $catalogs (printf "/etc/kmcp/catalogs/%s" .) }}
{{- else }}{{ $catalogs = append $catalogs (printf (ternary "%s@sha256:%s" "%s#sha256=%s" (hasPrefix "oci://" .url)) .url .sha256) }}{{ end -}}
{{- end -}}
{{- $settings := dict
  "KMCP_CONTROLLER_DEPLOYMENT" (printf "%s-controller" (include "kmcp.fullname" .))
  "KMCP_CONTROLLER_LABELS" (printf "app.kubernetes.io/name=%s,app.kubernetes.io/instance=%s" (get $labels "app.kubernetes.io/name") (get $labels "app.kubernetes.io/instance"))
  "KMCP_WATCH_NAMESPACES" (include "kmcp.watchedNamespaces" . | fromJsonArray | join ",")
  "KMCP_CATALOG_FILE" (join "," $catalogs)
  "KMCP_SUITE_IMAGES" (include "kmcp.suiteImages" .)
  "KMCP_ADAPTER_IMAGE" .Values.transportAdapter.image
  "KMCP_BRIDGE_IMAGE" (include "kmcp.bridgeImage" .)
  "KMCP_UVX_IMAGE" .Values.stdio.defaultImages.uvx
  "KMCP_NPX_IMAGE" .Values.stdio.defaultImages.npx
  "KMCP_APP_PROTOCOL" $controller.appProtocol
  "KMCP_REFERENCE_SECRETS" $controller.references.secrets
  "KMCP_WORKERS" $controller.workers
  "KMCP_REQUESTS_PER_SECOND" $controller.requestsPerSecond
  "KMCP_MAX_CONCURRENT_ROLLOUTS" $controller.maxConcurrentRollouts
  "KMCP_FORMER_MANAGERS" (join "," $controller.formerManagers)
  "KMCP_LEADER_ELECTION" $controller.leaderElection.enabled
  "KMCP_HEALTH_ADDRESS" $controller.healthProbe.bindAddress
  "KMCP_METRICS_ADDRESS" (ternary $metrics.bindAddress "" $metrics.enabled)
  "KMCP_METRICS_CERTIFICATE" (ternary "/etc/kmcp/metrics" "" (and $metrics.enabled $metrics.secureServing))
  "KMCP_DISCOVERY" .Values.discovery.enabled
  "KMCP_DISCOVERY_INTERVAL" .Values.discovery.intervalSeconds
  "KMCP_DISCOVERY_TOKEN_FILE" (ternary "/var/run/secrets/kmcp/token" "" .Values.authentication.enabled)
  "KMCP_REMOTE_MCP_SERVERS" .Values.remoteMCPServers
  "KMCP_CATALOG_PORT" (ternary .Values.catalog.http.port 0 .Values.catalog.http.enabled)
  "KMCP_CATALOG_AUTH" .Values.catalog.http.auth
  "KMCP_REGISTRY_NAMESPACE" .Values.catalog.registryNamespace
  "KMCP_PIN" .Values.catalog.pinning.default
  "KMCP_ALLOW_BLOCK" .Values.catalog.pinning.allowBlock
  "KMCP_TENANTS" .Values.tenants.enabled
  "KMCP_TENANT_POLICY" (ternary (include "kmcp.tenantPolicy" .) "" (and .Values.tenants.enabled .Values.tenants.admissionPolicy))
  "KMCP_TRUSTED_NAMESPACES" (join "," .Values.tenants.trustedNamespaces)
  "KMCP_ALLOWED_SERVICE_ACCOUNTS" (join "," .Values.tenants.allow.serviceAccounts)
  "KMCP_ALLOWED_TOLERATIONS" (join "," .Values.tenants.allow.tolerations)
  "KMCP_ALLOWED_ANNOTATIONS" (join "," .Values.tenants.allow.annotations)
  "KMCP_SERVER_ROLES" .Values.rbac.serverRoles
  "KMCP_ROLE_PREFIX" .Release.Name
-}}
{{- range $name, $value := $settings }}
- name: {{ $name }}
  value: {{ toString $value | quote }}
{{- end }}
{{- end -}}
