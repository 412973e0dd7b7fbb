"""Following a rollout: how far it is, and what its pods wait for."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from kmcp_kubernetes.client import Kube, Place
from kmcp_runtime import ToolFailure
from kmcp_runtime.kube import workloads
from kmcp_runtime.kube.selectors import selector_of
from kmcp_runtime.kube.workloads import Progress

_POLL_SECONDS = 0.5
# Pods of one template fail alike: a few of them show every reason.
_PODS_LOOKED_AT = 100
_MOST_REASONS = 3
_LONGEST_REASON = 300
Object = Mapping[str, Any]


@dataclass(frozen=True)
class Outcome:
    """How far a rollout was when it was looked at last."""

    progress: Progress
    """Its `stuck_reason` also says what pods wait for."""
    late: bool = False
    """True when the time was up before the rollout was done or hopeless."""
    unseen: str | None = None
    """Why the pods could not be read."""


async def wait_until_done(kube: Kube, place: Place, name: str, seconds: float) -> Outcome:
    """Look until the rollout is done, hopeless, or the time is up; 0 seconds look once."""
    deadline = time.monotonic() + seconds
    while True:
        found = await kube.read(place, name)
        seen = workloads.progress(found)
        # After the read, so that a wait of 0 seconds still reports the state.
        if seen.done or seen.hopeless or time.monotonic() >= deadline:
            return await _explain(kube, found, seen)
        # Each pod counts twice: once when it is updated, once when it is available.
        await kube.call.progress(seen.counts.updated + seen.counts.available, 2 * seen.counts.desired, seen.message)
        await asyncio.sleep(min(_POLL_SECONDS, max(deadline - time.monotonic(), 0)))


async def _explain(kube: Kube, found: Object, seen: Progress) -> Outcome:
    """What the pods of a rollout that is not done wait for, as far as this identity may look."""
    if seen.done:
        return Outcome(seen)
    late = not seen.hopeless
    try:
        waiting = await _read_wait_reasons(kube, found)
    except ToolFailure as failure:
        return Outcome(seen, late, unseen=f"cannot find out what the pods wait for: {failure.message}")
    reason = "; ".join(filter(None, [seen.stuck_reason, waiting]))
    return Outcome(replace(seen, stuck_reason=reason or None), late)


async def _read_wait_reasons(kube: Kube, found: Object) -> str:
    """Why pods of the workload wait, each reason once."""
    namespace = found["metadata"]["namespace"]
    selector = selector_of(found.get("spec") or {})
    pods = await kube.sample_objects("pods", namespace, _PODS_LOOKED_AT, selector=selector)
    reasons = dict.fromkeys(f"pod {wait.pod}: {wait}"[:_LONGEST_REASON] for wait in workloads.waits(pods))
    return "; ".join(list(reasons)[:_MOST_REASONS])
