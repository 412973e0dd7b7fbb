"""Nodes: what they have, what their pods request, and which taints keep pods away."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from kmcp_kubernetes.description.facts import Detail, Facts, Look, without_none
from kmcp_kubernetes.description.pod_lines import list_lines
from kmcp_runtime.kube import pod_resources
from kmcp_runtime.kube.quantities import number, readable_bytes

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
    """Sums of the pods' requests and limits, and their share of the node, by resource."""
    found: Detail = {}
    for word, read in (("requests", pod_resources.requests), ("limits", pod_resources.limits)):
        of_pods = [read(pod) for pod in pods]
        for name in _counted(allocatable, of_pods):
            total = sum((each.get(name, Decimal(0)) for each in of_pods), Decimal(0))
            found[f"{name}_{word}"] = f"{_amount(name, total)}{_share(total, number(allocatable.get(name, 0)))}"
    return found


def _counted(allocatable: Mapping[str, Any], of_pods: list[pod_resources.Amounts]) -> list[str]:
    """CPU and memory always; devices and the like where the node has some, and what a pod asks for."""
    asked = {name for each in of_pods for name, amount in each.items() if amount}
    offered = {name for name, amount in allocatable.items() if "/" in name and number(amount)}
    return ["cpu", "memory", *sorted((asked | offered) - {"cpu", "memory"})]


def _amount(name: str, total: Decimal) -> str:
    if name == "cpu":
        return f"{round(total * 1000)}m"
    in_bytes = name in ("memory", "ephemeral-storage") or name.startswith("hugepages-")
    return readable_bytes(round(total)) if in_bytes else f"{total:f}"


def _share(part: Decimal, whole: Decimal) -> str:
    return f" ({100 * part / whole:.0f}%)" if whole else ""
