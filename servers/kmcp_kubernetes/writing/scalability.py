"""Which kinds can be scaled, and the autoscaler that would undo it."""

from collections.abc import Mapping
from typing import Any

from kmcp_kubernetes.client import Kube, Place
from kmcp_runtime import ToolFailure, bad_argument
from kmcp_runtime.kube.discovery import Kind

_REASONS: Mapping[str, tuple[str, str]] = {
    "DaemonSet": ("runs one pod on each node that it selects", "change its spec.template.spec.nodeSelector"),
    "Pod": ("is a single instance", "scale the workload that owns it"),
    "Job": ("runs until it ends", "change its spec.parallelism"),
    "CronJob": ("starts Jobs on a schedule", "change its spec.suspend"),
}
_OTHERS = ("has no scale subresource", "Deployments, StatefulSets and ReplicaSets can be scaled")


def check_scalable(kind: Kind) -> None:
    if "scale" not in kind.subresources:
        reason, hint = _REASONS.get(kind.kind, _OTHERS)
        raise bad_argument(f"{kind.kind} cannot be scaled: it {reason}", hint)


async def find_autoscaler(kube: Kube, place: Place, name: str) -> tuple[str | None, str | None]:
    """The HorizontalPodAutoscaler of a workload, and a warning when this identity may not look."""
    try:
        found = await kube.list_objects("horizontalpodautoscalers.autoscaling", place.namespace)
    except ToolFailure as failure:
        return None, f"whether an autoscaler will undo this is unknown: {failure.message}"
    for autoscaler in found:
        if _targets(autoscaler.get("spec") or {}, place.kind, name):
            return str(autoscaler["metadata"]["name"]), None
    return None, None


def _targets(spec: Mapping[str, Any], kind: Kind, name: str) -> bool:
    target = spec.get("scaleTargetRef") or {}
    # Without the version: an autoscaler may name the workload in another one.
    group = str(target.get("apiVersion") or "").rpartition("/")[0]
    return (target.get("kind"), target.get("name"), group) == (kind.kind, name, kind.group)
