"""What a change of a workload or a pod starts, followed for as long as the caller wants to wait."""

import asyncio
from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, Field

from kmcp_kubernetes.client import Kube, Place
from kmcp_kubernetes.rollout.progress import wait_until_done
from kmcp_runtime import ToolFailure
from kmcp_runtime.kube import workloads

WaitSeconds = Annotated[int, "Wait for the rollout", Field(ge=0, le=3600)]


class RolloutState(BaseModel):
    """How far the rollout was when the wait ended."""

    done: bool | None = Field(default=None, description="Absent where it could not be looked at")
    message: str
    stuck_reason: str | None = Field(default=None, description="Why it does not go on")


def can_be_followed(kind: str) -> bool:
    """Workloads that roll out, and single pods, which become ready or do not."""
    return kind == "Pod" or (kind in workloads.POD_OWNERS and kind != "Job")


async def follow(kube: Kube, place: Place, name: str, seconds: int, dry_run: bool) -> RolloutState | None:
    """How far a workload's rollout or a pod is; None without a wait, in a dry run, and for kinds that have none."""
    if not seconds or dry_run or not can_be_followed(place.kind.kind):
        return None
    try:
        outcome = await wait_until_done(kube, place, name, seconds)
    except ToolFailure as failure:
        # The change is made: that its rollout may not be read must not look as if it had failed.
        return RolloutState(message=f"not followed: {failure.message}")
    progress = outcome.progress
    message = progress.message if progress.done or not outcome.late else f"{progress.message}; not waited for longer"
    return RolloutState(done=progress.done, message=message, stuck_reason=progress.stuck_reason or outcome.unseen)


async def follow_all(
    kube: Kube, changed: Iterable[tuple[Place, str]], seconds: int, dry_run: bool
) -> dict[str, RolloutState] | None:
    """The states of several, followed at the same time, by kind and name."""
    wanted = [(place, name) for place, name in changed if can_be_followed(place.kind.kind)]
    states = await asyncio.gather(*(follow(kube, place, name, seconds, dry_run) for place, name in wanted))
    found = {f"{place.kind.kind} {name}": state for (place, name), state in zip(wanted, states, strict=True) if state}
    return found or None
