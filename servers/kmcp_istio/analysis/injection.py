"""Checks of which namespaces and pods are in the mesh, and whether Istio knows the protocol of each Service port."""

from collections.abc import Iterator, Mapping
from typing import Any

from kmcp_istio.analysis.findings import Finding, Origin, finding
from kmcp_istio.analysis.snapshot import Snapshot, identity, labels, spec
from kmcp_istio.client import Object
from kmcp_istio.pods import PROXY

_INJECTION = "istio-injection"
_REVISION = "istio.io/rev"
_MODE = "istio.io/dataplane-mode"
_SIDECAR = "sidecar.istio.io/inject"
_MANAGED = "gateway.istio.io/managed"
_PROTOCOLS = frozenset({"tcp", "udp", "grpc", "http", "http_proxy", "http2", "https", "tls", "mongo", "redis", "mysql"})
_STANDARD = frozenset({"kubernetes.io/h2c", "kubernetes.io/ws", "kubernetes.io/wss"})
_KNOWN_PORTS = frozenset({25, 53, 3306, 27017})
"""Ports that Istio takes for TCP whatever their name (SMTP, DNS, MySQL, MongoDB)."""
Found = tuple[Origin, Finding]


def check(snapshot: Snapshot) -> Iterator[Found]:
    for namespace in snapshot.of("namespaces"):
        yield from _of_namespace(namespace, snapshot)
    for service in snapshot.of("services"):
        # Istio's own Services: users cannot rename their ports.
        if "istio" not in labels(service) and labels(service).get("release") != "istio":
            yield from _ports_of(service)


def _of_namespace(namespace: Object, snapshot: Snapshot) -> Iterator[Found]:
    name, marked = identity(namespace)[1], labels(namespace)
    # Ambient pods have no sidecar, and the control plane gets none.
    if name == snapshot.istio_namespace or marked.get(_MODE) == "ambient":
        return
    if not marked.get(_INJECTION) and _REVISION not in marked:
        yield finding(
            "IST0102",
            "Info",
            Origin("Namespace", "", name),
            "The namespace is not enabled for Istio injection. Run "
            f"'kubectl label namespace {name} istio-injection=enabled' to enable it, or 'kubectl label namespace "
            f"{name} istio-injection=disabled' to explicitly mark it as not needing injection.",
        )
    # With a revision label the webhook of that revision decides; istioctl reads its config map, which these checks do
    # not.
    elif marked.get(_INJECTION) == "enabled":
        yield from (found for pod in snapshot.of("pods") if identity(pod)[0] == name for found in _of_pod(pod))


def _of_pod(pod: Object) -> Iterator[Found]:
    annotations = pod["metadata"].get("annotations") or {}
    # The label counts first; the annotation is the older form.
    wanted = labels(pod).get(_SIDECAR, annotations.get(_SIDECAR, ""))
    # Native sidecars are init containers that keep running (Kubernetes 1.28 and later).
    containers = [*spec(pod).get("containers", ()), *(spec(pod).get("initContainers") or ())]
    proxied = any(container["name"] == PROXY for container in containers)
    # A pod in the node's network cannot be injected: its traffic rules would be the node's.
    if not proxied and wanted.lower() != "false" and not spec(pod).get("hostNetwork"):
        namespace, name = identity(pod)
        yield finding(
            "IST0103",
            "Warning",
            Origin("Pod", namespace, name),
            f"The pod {namespace}/{name} is missing the Istio "
            "proxy. This can often be resolved by restarting or redeploying the workload.",
        )


def _ports_of(service: Object) -> Iterator[Found]:
    # Made by Istio for a Gateway, not by a user.
    if _MANAGED in labels(service):
        return
    namespace, name = identity(service)
    for port in spec(service).get("ports") or ():
        if spec(service).get("type") != "ExternalName" and not _declares_protocol(port):
            yield finding(
                "IST0118",
                "Info",
                Origin("Service", namespace, name),
                f"Port name {port.get('name', '')} (port: "
                f"{port['port']}, targetPort: {port.get('targetPort', 0)}) doesn't follow the naming convention of "
                "Istio port.",
            )


def _declares_protocol(port: Mapping[str, Any]) -> bool:
    """Whether the port declares its protocol, by name or appProtocol, or has a number that Istio knows."""
    declared = str(port.get("appProtocol") or port.get("name") or "").lower()
    return (
        # As Istio reads a port (pkg/config/kube, ConvertProtocol): appProtocol before name, the part before the first
        # dash.
        port.get("protocol") == "UDP"
        or port.get("appProtocol") in _STANDARD
        or declared.startswith("grpc-web")
        or declared.partition("-")[0] in _PROTOCOLS
        or port["port"] in _KNOWN_PORTS
    )
