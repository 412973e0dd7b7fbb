"""How far a rollout is, as the workload's controller says it, and what its pods wait for."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from kmcp_kubernetes.client import Kube, Place
from kmcp_runtime import ToolFailure
from kmcp_runtime.kube.selectors import selector_of

_POLL_SECONDS = 0.5
_PODS_LOOKED_AT = 100
_STARTING = ("ContainerCreating", "PodInitializing")
Object = Mapping[str, Any]


@dataclass(frozen=True)
class Counts:
    """Pods of a workload."""

    desired: int
    updated: int
    ready: int
    available: int


@dataclass(frozen=True)
class Progress:
    """How far a rollout is. `stuck_reason` is set when it will not go on by itself, or pods say why they wait."""

    done: bool
    message: str
    counts: Counts
    stuck_reason: str | None = None
    hopeless: bool = False
    """True when waiting longer is no use."""
    unseen: str | None = None
    """Why the pods could not be asked."""


def progress(found: Object) -> Progress:
    """How far the workload's controller says it is."""
    status = found.get("status") or {}
    generation = (found.get("metadata") or {}).get("generation", 0)
    counts = _COUNTS[str(found.get("kind"))](found)
    if generation > (status.get("observedGeneration") or 0):
        return Progress(False, "the controller has not yet seen the latest change", counts)
    return _JUDGES[str(found.get("kind"))](found, counts)


async def explained_progress(kube: Kube, found: Object) -> Progress:
    """`progress`, and when it is not done what the pods wait for, as far as this identity may look."""
    seen = progress(found)
    if seen.done:
        return seen
    try:
        waiting = await _waiting_pods(kube, found)
    except ToolFailure as failure:
        return replace(seen, unseen=f"what the pods wait for is unknown: {failure.message}")
    if not waiting:
        return seen
    reason = "; ".join([seen.stuck_reason, waiting] if seen.stuck_reason else [waiting])
    return replace(seen, stuck_reason=reason)


async def until_done(kube: Kube, place: Place, name: str, seconds: float) -> tuple[Progress, bool]:
    """Look until the rollout is done or hopeless; True when the time was up before."""
    deadline = time.monotonic() + seconds
    while True:
        found = await kube.read(place, name)
        seen = progress(found)
        if seen.done or seen.hopeless or time.monotonic() >= deadline:
            late = not (seen.done or seen.hopeless)
            return await explained_progress(kube, found), late
        await kube.call.progress(seen.counts.updated + seen.counts.available, 2 * seen.counts.desired, seen.message)
        await asyncio.sleep(min(_POLL_SECONDS, max(deadline - time.monotonic(), 0)))


def _deployment_counts(found: Object) -> Counts:
    status = found.get("status") or {}
    return Counts(
        desired=int((found.get("spec") or {}).get("replicas", 1)),
        updated=int(status.get("updatedReplicas") or 0),
        ready=int(status.get("readyReplicas") or 0),
        available=int(status.get("availableReplicas") or 0),
    )


def _daemon_set_counts(found: Object) -> Counts:
    status = found.get("status") or {}
    return Counts(
        desired=int(status.get("desiredNumberScheduled") or 0),
        updated=int(status.get("updatedNumberScheduled") or 0),
        ready=int(status.get("numberReady") or 0),
        available=int(status.get("numberAvailable") or 0),
    )


_COUNTS = {"Deployment": _deployment_counts, "StatefulSet": _deployment_counts, "DaemonSet": _daemon_set_counts}


def _deployment_progress(found: Object, counts: Counts) -> Progress:
    status = found.get("status") or {}
    conditions = {condition.get("type"): condition for condition in status.get("conditions") or ()}
    progressing = conditions.get("Progressing") or {}
    failure = conditions.get("ReplicaFailure") or {}
    stuck = str(failure.get("message")) if failure.get("status") == "True" else None
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        said = "; ".join(filter(None, [str(progressing.get("message")), stuck]))
        return Progress(False, "the rollout exceeded its progress deadline", counts, stuck_reason=said, hopeless=True)
    old = int(status.get("replicas") or 0) - counts.updated
    message = None
    if counts.updated < counts.desired:
        message = f"{counts.updated} of {counts.desired} new replicas have been updated"
    elif old > 0:
        message = f"{old} old replicas are pending termination"
    elif counts.available < counts.updated:
        message = f"{counts.available} of {counts.updated} updated replicas are available"
    if message and (found.get("spec") or {}).get("paused"):
        return Progress(False, f"{message}; it is paused", counts, stuck_reason="paused", hopeless=True)
    return Progress(not message, message or "successfully rolled out", counts, stuck_reason=stuck if message else None)


def _stateful_set_progress(found: Object, counts: Counts) -> Progress:
    status, spec = found.get("status") or {}, found.get("spec") or {}
    strategy = spec.get("updateStrategy") or {}
    partition = int((strategy.get("rollingUpdate") or {}).get("partition") or 0)
    if strategy.get("type") == "OnDelete":
        return _on_delete(counts)
    message = None
    if counts.ready < counts.desired:
        message = f"{counts.desired - counts.ready} pods are not ready"
    elif partition:
        if counts.updated < counts.desired - partition:
            message = f"{counts.updated} of {counts.desired - partition} pods above the partition are updated"
    elif status.get("updateRevision") != status.get("currentRevision"):
        message = f"{counts.updated} of {counts.desired} pods are at the new revision"
    done = f"successfully rolled out down to partition {partition}" if partition else "successfully rolled out"
    return Progress(not message, message or done, counts)


def _daemon_set_progress(found: Object, counts: Counts) -> Progress:
    if (((found.get("spec") or {}).get("updateStrategy")) or {}).get("type") == "OnDelete":
        return _on_delete(counts)
    message = None
    if counts.updated < counts.desired:
        message = f"{counts.updated} of {counts.desired} new pods have been updated"
    elif counts.available < counts.desired:
        message = f"{counts.available} of {counts.desired} updated pods are available"
    return Progress(not message, message or "successfully rolled out", counts)


_JUDGES = {"Deployment": _deployment_progress, "StatefulSet": _stateful_set_progress, "DaemonSet": _daemon_set_progress}


def _on_delete(counts: Counts) -> Progress:
    if counts.updated >= counts.desired and counts.ready >= counts.desired:
        return Progress(True, "successfully rolled out", counts)
    reason = "its update strategy is OnDelete: a pod is updated when it is deleted"
    message = f"{counts.updated} of {counts.desired} pods are updated"
    return Progress(False, message, counts, stuck_reason=reason, hopeless=True)


async def _waiting_pods(kube: Kube, found: Object) -> str | None:
    """Why pods of the workload wait, each reason once."""
    namespace = found["metadata"]["namespace"]
    selector = selector_of(found.get("spec") or {})
    pods = await kube.listed("pods", namespace, selector=selector, limit=_PODS_LOOKED_AT)
    reasons = dict.fromkeys(reason for pod in pods for reason in _waits(pod))
    return "; ".join(list(reasons)[:3]) or None


def _waits(pod: Object) -> list[str]:
    status = pod.get("status") or {}
    name = pod["metadata"]["name"]
    reasons = []
    for container in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") and waiting["reason"] not in _STARTING:
            detail = f": {waiting['message']}" if waiting.get("message") else ""
            reasons.append(f"pod {name}: {waiting['reason']}{detail}"[:300])
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "Unschedulable":
            reasons.append(f"pod {name}: Unschedulable: {condition.get('message')}"[:300])
    return reasons
