"""Manifests that the controller's tests start from."""

from typing import Any

from kmcp_controller.spec import Platform

PLATFORM = Platform(suite_images=("registry.example.com/kmcp",))
EXTENSIONS = """
env: [{name: PROMETHEUS_TOKEN, valueFrom: {secretKeyRef: {name: prometheus-auth, key: token}}}]
tools: [prometheus_query_tool, prometheus_query_range_tool]
network:
  ingressFrom: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kagent}}}]
  egressTo:
  - {to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}], ports: [{port: 9090}]}
remote: {enabled: true, description: Read metrics with PromQL, allowedNamespaces: {from: All}}
"""
ARGS = ["--transport", "http", "--host", "0.0.0.0", "--port", "8084", "--allow-unauthenticated"]


def prometheus() -> dict[str, Any]:
    """The example of the contract: a suite image behind http, extensions by annotation."""
    return {
        "apiVersion": "kagent.dev/v1alpha1",
        "kind": "MCPServer",
        "metadata": {
            "name": "kmcp-prometheus",
            "namespace": "tools",
            "uid": "7f0c3f0e-5b0e-4c0e-9a55-0d5d3c1b2a10",
            "annotations": {"kmcp-suite/pin": "warn", "kmcp-suite/extensions": EXTENSIONS},
        },
        "spec": {
            "transportType": "http",
            "timeout": "30s",
            "httpTransport": {"targetPort": 8084, "path": "/mcp"},
            "deployment": {
                "image": "registry.example.com/kmcp/kmcp-prometheus:1.4.0",
                "args": ARGS,
                "env": {"PROMETHEUS_URL": "http://prometheus.monitoring:9090"},
                "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
            },
        },
    }


def manifest(deployment: dict[str, Any], transport: str | None = "http", **extensions: Any) -> dict[str, Any]:
    """A manifest named `time` with a deployment and extensions in the field."""
    spec: dict[str, Any] = {"deployment": deployment}
    if transport:
        spec["transportType"] = transport
    if extensions:
        spec["extensions"] = extensions
    metadata = {"name": "time", "namespace": "tools"}
    return {"apiVersion": "kagent.dev/v1alpha1", "kind": "MCPServer", "metadata": metadata, "spec": spec}
