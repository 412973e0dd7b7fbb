"""The number of pods of a workload."""

import asyncio
from typing import Annotated

from pydantic import Field

from kmcp_kubernetes.arguments import ResourceType
from kmcp_kubernetes.client import Kube
from kmcp_kubernetes.rollout.following import RolloutState, WaitSeconds, follow
from kmcp_kubernetes.writing.scalability import check_scalable, find_autoscaler
from kmcp_runtime import Change, Diff, DryRun, Effect, Name, OptionalNamespace, Rule, tool
from kmcp_runtime.kube import objects


class Scaled(Change):
    """How many replicas there were, and how many are wanted now."""

    was: int = Field(alias="from")
    to: int
    rollout: RolloutState | None = None
    autoscaler: str | None = Field(default=None, description="A HorizontalPodAutoscaler that will undo it")


@tool(
    Effect.WRITE,
    worst=Effect.DESTROY,
    needs=(
        Rule("*", ("*/scale",), ("get", "patch")),
        Rule("apps", ("statefulsets",), ("get",)),
        Rule("autoscaling", ("horizontalpodautoscalers",), ("list",)),
    ),
    idempotent=True,
)
async def k8s_scale(
    kube: Kube,
    name: Name,
    replicas: Annotated[int, "How many pods", Field(ge=0)],
    resource_type: ResourceType = "deployment",
    namespace: OptionalNamespace = None,
    wait_seconds: WaitSeconds = 0,
    dry_run: DryRun = False,
) -> Scaled:
    """Set how many pods a workload runs; 0 stops it."""
    place = await kube.place(resource_type, namespace)
    check_scalable(place.kind)
    # The scale subresource works for custom kinds too, whichever field holds their replicas.
    before, (autoscaler, warning) = await asyncio.gather(
        kube.read(place, name, "scale"), find_autoscaler(kube, place, name)
    )
    wanted = {"spec": {"replicas": replicas}}
    after = await objects.patch(
        kube.api, place.kind, name, place.namespace, wanted, "merge", dry_run=dry_run, subresource="scale"
    )
    was, to = (int((scale.get("spec") or {}).get("replicas") or 0) for scale in (before, after))
    if autoscaler:
        warning = f"HorizontalPodAutoscaler {autoscaler} sets the replicas of {name} and will undo this"
    diff = Diff({"spec": {"replicas": was}}, {"spec": {"replicas": to}})
    fields = {
        "kind": place.kind.kind,
        "name": name,
        "namespace": place.namespace,
        "result": "scaled" if diff.changed else "unchanged",
        "changed": diff.changed,
        "diff": diff if diff.changed else None,
        "dry_run": dry_run or None,
        "from": was,
        "to": to,
        "autoscaler": autoscaler,
        "rollout": await follow(kube, place, name, wait_seconds, dry_run),
        "warnings": [warning] if warning else None,
    }
    return Scaled.model_validate(fields)
