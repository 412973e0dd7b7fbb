"""Endpoints of a Service, and why none of them is ready."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kmcp_kubernetes.client import Kube
from kmcp_kubernetes.services.nearest_pods import explain_no_match
from kmcp_runtime.kube import workloads

# EndpointSlices have generated names; this label says whose they are.
SERVICE_LABEL = "kubernetes.io/service-name"
EXTERNAL_NAME = "ExternalName"


@dataclass
class Endpoints:
    """Addresses, each once, with the name of the pod behind it."""

    ready: dict[str, str] = field(default_factory=dict)
    not_ready: dict[str, str] = field(default_factory=dict)
    terminating: set[str] = field(default_factory=set)
    """Those addresses that are not ready because their pods end."""
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
            if not ready and (endpoint.get("conditions") or {}).get("terminating"):
                found.terminating.update(endpoint.get("addresses") or ())
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
    alive = workloads.newest(pods)
    ending = f"; {len(pods) - len(alive)} more terminating" if alive and len(alive) < len(pods) else ""
    if not alive:
        return f"all of its {len(pods)} pods are terminating"
    running = [pod for pod in alive if (pod.get("status") or {}).get("phase") == "Running"]
    why = next((f": pod {wait.pod}: {wait}" for wait in workloads.waits(alive)), "")
    if not running:
        phases = ", ".join(sorted({(pod.get("status") or {}).get("phase", "Unknown") for pod in alive}))
        return f"none of its {len(alive)} pods is running (phase {phases}){why or _unscheduled(alive)}{ending}"
    unready = [pod for pod in running if workloads.condition(pod, "Ready").get("status") != "True"]
    count = len(unready) or len(running)
    return f"{count} of its {len(alive)} pods run but are not ready{why or _unready(unready)}{ending}"


def _unscheduled(pods: Sequence[Any]) -> str:
    """No state of a container and no word of the scheduler: nobody has taken the pod yet."""
    waiting = [pod for pod in pods if not (pod.get("spec") or {}).get("nodeName")]
    scheduler = (waiting[0].get("spec") or {}).get("schedulerName") if waiting else None
    return f": no node yet, the scheduler {scheduler} has said nothing" if waiting else ""


def _unready(pods: Sequence[Any]) -> str:
    """The containers of the first pod that run without being ready, and whether a probe decides about them."""
    for pod in pods[:1]:
        names = [each["name"] for each in workloads.container_statuses(pod) if not each.get("ready")]
        declared = [each for each in pod["spec"].get("containers") or () if each["name"] in names]
        probes = [key for each in declared for key in ("readinessProbe", "startupProbe") if each.get(key)]
        why = f", its {probes[0]} does not succeed" if probes else ""
        if names:
            return f": container {', '.join(names)} of pod {pod['metadata']['name']}{why}"
    return ""


def nothing_listens(port: Mapping[str, Any], number: int | None, pods: Sequence[Any]) -> str:
    """What to compare a refused connection with: the ports that the containers of the pods declare."""
    declared = {
        each["containerPort"]: f"{each['containerPort']}{' (' + each['name'] + ')' if each.get('name') else ''}"
        for pod in pods
        for container in (pod.get("spec") or {}).get("containers") or ()
        for each in container.get("ports") or ()
    }
    target = number or port.get("targetPort") or port["port"]
    if not declared:
        return f"nothing listens on port {target} of its pods; their containers declare no port to compare it with"
    known = ", ".join(declared[each] for each in sorted(declared))
    if target in declared:
        return f"nothing listens on port {target} of its pods, although they declare {known}: see their logs"
    return f"nothing listens on port {target} of its pods; they declare {known}: correct targetPort"


def missing_target(service: Mapping[str, Any], port: Mapping[str, Any], found: Endpoints) -> str | None:
    """Why a port has no target although endpoints are ready: its named targetPort is not in any container."""
    if not found.ready or selector(service) is None or (port.get("name") or "") in found.ports:
        return None
    return f"no ready pod has a container port named {port.get('targetPort')!r}, the targetPort of port {port['port']}"
