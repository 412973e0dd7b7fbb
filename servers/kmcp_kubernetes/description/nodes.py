"""Nodes: what they have, what their pods request, and which taints keep pods away."""

from collections.abc import Mapping
from typing import Any

from kmcp_kubernetes.description.facts import Detail, Facts, Look, without_none
from kmcp_kubernetes.description.pod_lines import list_lines
from kmcp_runtime.kube.quantities import millicores, readable_bytes, whole_bytes

# Ended pods keep their node's name but take nothing of it any more; `kubectl describe node` omits them as well.
_ENDED = ("Succeeded", "Failed")


async def describe_node(look: Look) -> Facts:
    status, info = look.status, look.status.get("nodeInfo") or {}
    # spec.nodeName is one of the few fields of a pod that the API server can select by.
    pods = await look.list_objects("pods", None, field_selector=f"spec.nodeName={look.name}")
    running = [pod for pod in pods if (pod.get("status") or {}).get("phase") not in _ENDED]
    allocatable = status.get("allocatable") or {}
    details = without_none(
        {
            "unschedulable": look.spec.get("unschedulable"),
            "taints": [_taint(taint) for taint in look.spec.get("taints") or ()],
            "addresses": [f"{each['type']} {each['address']}" for each in status.get("addresses") or ()],
            "kubelet": info.get("kubeletVersion"),
            "runtime": info.get("containerRuntimeVersion"),
            "os": f"{info.get('osImage', '')}, kernel {info.get('kernelVersion', '')}, {info.get('architecture', '')}",
            "pod_cidr": look.spec.get("podCIDR"),
            "capacity": status.get("capacity"),
            "allocatable": allocatable,
        }
    )
    details["allocated"] = {
        "pods": f"{len(running)} of {allocatable.get('pods', '?')}",
        **_allocated(running, allocatable),
    }
    return Facts(details, await list_lines(look, running, _full_name))


def _taint(taint: Mapping[str, Any]) -> str:
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint['key']}{value}:{taint['effect']}"


def _full_name(pod: Mapping[str, Any]) -> str:
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def _allocated(pods: list[Any], allocatable: Mapping[str, Any]) -> Detail:
    """Sums of the containers' requests and limits, and their share of the node."""
    # Main containers only: kubectl also counts init containers and overhead, so its sums may be higher.
    total_cpu, total_memory = millicores(allocatable.get("cpu", 0)), whole_bytes(allocatable.get("memory", 0))
    found: Detail = {}
    for word in ("requests", "limits"):
        amounts = [
            (container.get("resources") or {}).get(word) or {}
            for pod in pods
            for container in (pod.get("spec") or {}).get("containers") or ()
        ]
        cpu = sum(millicores(each.get("cpu", 0)) for each in amounts)
        memory = sum(whole_bytes(each.get("memory", 0)) for each in amounts)
        found[f"cpu_{word}"] = f"{cpu}m{_share(cpu, total_cpu)}"
        found[f"memory_{word}"] = f"{readable_bytes(memory)}{_share(memory, total_memory)}"
    return found


def _share(part: int, whole: int) -> str:
    return f" ({100 * part / whole:.0f}%)" if whole else ""
