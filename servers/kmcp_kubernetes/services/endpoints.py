"""Endpoints of a Service, and why none of them is ready."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kmcp_kubernetes.client import Kube
from kmcp_kubernetes.services.nearest_pods import explain_no_match

# EndpointSlices have generated names; this label says whose they are.
SERVICE_LABEL = "kubernetes.io/service-name"
EXTERNAL_NAME = "ExternalName"


@dataclass
class Endpoints:
    """Addresses, each once, with the name of the pod behind it."""

    ready: dict[str, str] = field(default_factory=dict)
    not_ready: dict[str, str] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    """Ports that ready endpoints serve, by the Service's name of them."""
    by_port: dict[str, dict[str, None]] = field(default_factory=dict)
    """`address:port` of ready endpoints, by the Service's name of the port."""


def of_slices(slices: Iterable[Mapping[str, Any]]) -> Endpoints:
    found = Endpoints()
    for piece in slices:
        for endpoint in piece.get("endpoints") or ():
            # Absent means ready: publishers of slices may leave the condition out.
            ready = (endpoint.get("conditions") or {}).get("ready") is not False
            target = (endpoint.get("targetRef") or {}).get("name", "")
            # By address: while slices are rebalanced an endpoint may be in two of them.
            (found.ready if ready else found.not_ready).update(dict.fromkeys(endpoint.get("addresses") or (), target))
            if ready:
                found.ports |= {port.get("name") or "": port.get("port") or 0 for port in piece.get("ports") or ()}
                for port in piece.get("ports") or ():
                    served = [_joined(address, port.get("port") or 0) for address in endpoint.get("addresses") or ()]
                    found.by_port.setdefault(port.get("name") or "", {}).update(dict.fromkeys(served))
    return found


def _joined(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def selector(service: Mapping[str, Any]) -> str | None:
    chosen = (service.get("spec") or {}).get("selector")
    return ",".join(f"{key}={value}" for key, value in chosen.items()) if chosen else None


async def why_none_ready(kube: Kube, service: Mapping[str, Any], found: Endpoints, pods: list[Any] | None) -> str:
    """The reason as a sentence; `pods` are those that the selector matches, None when they could not be read."""
    wanted = selector(service)
    if wanted is None:
        return "the Service has no selector, and no endpoints have been published for it"
    if pods is None:
        return f"no endpoint is ready ({len(found.not_ready)} not ready); its pods could not be read"
    if not pods:
        near = await explain_no_match(kube, service["metadata"]["namespace"], service["spec"]["selector"])
        return f"its selector {wanted} matches no pod; {near}"
    running = [pod for pod in pods if (pod.get("status") or {}).get("phase") == "Running"]
    if not running:
        phases = ", ".join(sorted({(pod.get("status") or {}).get("phase", "Unknown") for pod in pods}))
        return f"none of its {len(pods)} pods is running (phase {phases})"
    return f"{len(found.not_ready) or len(running)} of its {len(pods)} pods run but are not ready"


def missing_target(service: Mapping[str, Any], port: Mapping[str, Any], found: Endpoints) -> str | None:
    """Why a port has no target although endpoints are ready: its named targetPort is not in any container."""
    if not found.ready or selector(service) is None or (port.get("name") or "") in found.ports:
        return None
    return f"no ready pod has a container port named {port.get('targetPort')!r}, the targetPort of port {port['port']}"
