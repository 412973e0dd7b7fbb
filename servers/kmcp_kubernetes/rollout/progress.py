"""Following a rollout, or the start of a single pod: how far it is, and what its pods wait for."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kmcp_kubernetes.client import Kube, Place
from kmcp_kubernetes.rollout import obstacles
from kmcp_runtime.kube import workloads
from kmcp_runtime.kube.workloads import Progress

_POLL_SECONDS = 0.5
# Pods are looked at less often than their workload: it takes more requests, and reasons stay for a while.
_LOOK_SECONDS = 2.0
_NO_USE = "it cannot succeed as it is, so it was not waited for longer"
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


@dataclass
class _Lasting:
    """Since when each kind of obstacle has been seen without a break."""

    since: dict[str, float] = field(default_factory=dict)

    def hopeless(self, sight: obstacles.Sight, now: float) -> bool:
        """Whether one of the obstacles has lasted longer than those of its kind do when they pass."""
        self.since = {each.kind: self.since.get(each.kind, now) for each in sight.obstacles}
        return any(now - self.since[each.kind] >= each.patience for each in sight.obstacles)


async def wait_until_done(kube: Kube, place: Place, name: str, seconds: float) -> Outcome:
    """Look until the rollout is done, cannot succeed any more, or the time is up; 0 seconds look once."""
    deadline = time.monotonic() + seconds
    looked, lasting = time.monotonic(), _Lasting()
    while True:
        found = await kube.read(place, name)
        seen = workloads.pod_progress(found) if _is_pod(found) else workloads.progress(found)
        now = time.monotonic()
        # After the read, so that a wait of 0 seconds still reports the state.
        if seen.done or seen.hopeless or now >= deadline:
            return await _explain(kube, found, seen)
        if now - looked >= _LOOK_SECONDS and (_is_pod(found) or workloads.is_observed(found)):
            looked, sight = now, await obstacles.look(kube, found)
            if lasting.hopeless(sight, now):
                return _told(replace(seen, message=f"{seen.message}; {_NO_USE}", hopeless=True), sight)
        # Each pod counts twice: once when it is updated, once when it is available.
        await kube.call.progress(seen.counts.updated + seen.counts.available, 2 * seen.counts.desired, seen.message)
        await asyncio.sleep(min(_POLL_SECONDS, max(deadline - time.monotonic(), 0)))


def _is_pod(found: Object) -> bool:
    return found.get("kind") == "Pod"


async def _explain(kube: Kube, found: Object, seen: Progress) -> Outcome:
    """What the pods of a rollout that is not done wait for, as far as this identity may look."""
    return Outcome(seen) if seen.done else _told(seen, await obstacles.look(kube, found))


def _told(seen: Progress, sight: obstacles.Sight) -> Outcome:
    # What the API refuses is in both.
    known = sight.text if seen.stuck_reason and seen.stuck_reason in sight.text else seen.stuck_reason
    reason = "; ".join(dict.fromkeys(filter(None, [known, sight.text])))
    return Outcome(replace(seen, stuck_reason=reason or None), not seen.hopeless, sight.unseen)
