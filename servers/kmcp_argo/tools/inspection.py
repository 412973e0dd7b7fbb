"""One rollout in detail."""

import asyncio
import time
from typing import Annotated, Any

from pydantic import BaseModel, Field

from kmcp_argo.arguments import RolloutName
from kmcp_argo.client import Argo
from kmcp_argo.rollouts import analysis, revisions, rollout_status
from kmcp_runtime import Effect, OptionalNamespace, Result, Rule, TimeoutSeconds, tool
from kmcp_runtime.kube import objects

_POLL_SECONDS = 0.5
# A paused rollout waits for a person, so waiting for it to end would only run into the deadline: these two are its
# ends.
_ENDS = ("Healthy", "Degraded")


class Step(BaseModel):
    """A step of a canary."""

    step: str
    current: bool | None = None


class Condition(BaseModel):
    """A condition of the rollout."""

    type: str
    status: str
    reason: str | None = None
    message: str | None = None


class RolloutDetails(Result):
    """A rollout with its steps, revisions and analysis runs."""

    cuttable = "replica_sets"

    rollout: rollout_status.Row
    timed_out: bool | None = Field(default=None, description="True when it did not become healthy or degraded in time")
    paused: bool | None = Field(default=None, description="spec.paused")
    aborted: bool | None = None
    pause_conditions: list[str] | None = None
    steps: list[Step] | None = None
    replica_sets: list[revisions.Revision] = Field(description="Revisions, newest first")
    analysis_runs: list[analysis.AnalysisRun] | None = None
    conditions: list[Condition] | None = None


@tool(
    Effect.READ,
    needs=(
        Rule("argoproj.io", ("rollouts",), ("get",)),
        Rule("argoproj.io", ("analysisruns",), ("list",)),
        Rule("apps", ("replicasets",), ("list",)),
    ),
    extra=True,
)
async def argo_get_rollout(
    argo: Argo,
    rollout_name: RolloutName,
    namespace: OptionalNamespace = None,
    wait: Annotated[bool, "Until healthy or degraded"] = False,
    timeout_seconds: TimeoutSeconds = 60,
) -> RolloutDetails:
    """Explain one rollout: step, why it is paused, stable and canary ReplicaSets, analysis results."""
    namespace = argo.namespace(namespace)
    found, late = await _wait_until_settled(argo, rollout_name, namespace, timeout_seconds if wait else 0)
    owned, runs = await asyncio.gather(
        argo.list_owned("replicasets.apps", found), argo.list_owned("analysisruns.argoproj.io", found)
    )
    seen, spec = rollout_status.status_of(found), rollout_status.spec_of(found)
    # The API server lists by name, and the names of analysis runs do not sort by time.
    newest_first = sorted(runs, key=lambda each: str(each["metadata"]["creationTimestamp"]), reverse=True)
    return RolloutDetails(
        rollout=rollout_status.row(found),
        timed_out=(wait and late) or None,
        paused=bool(spec.get("paused")) or None,
        aborted=bool(seen.get("abort")) or None,
        pause_conditions=[f"{each['reason']} since {each['startTime']}" for each in seen.get("pauseConditions") or ()]
        or None,
        steps=_steps(found) or None,
        replica_sets=revisions.revisions(found, owned),
        analysis_runs=[analysis.analysis_run(each) for each in newest_first] or None,
        conditions=[_condition(each) for each in seen.get("conditions") or ()] or None,
        hint=_next_step(found),
    )


async def _wait_until_settled(argo: Argo, name: str, namespace: str, seconds: float) -> tuple[objects.Object, bool]:
    """The rollout once it is healthy or degraded, and whether the time ended before that."""
    deadline = time.monotonic() + seconds
    while True:
        found = await argo.read_rollout(name, namespace)
        state, message = rollout_status.phase(found)
        if state in _ENDS or time.monotonic() >= deadline:
            return found, state not in _ENDS
        await argo.call.progress(
            rollout_status.row(found).available, rollout_status.desired(found), f"{state}: {message}"
        )
        await asyncio.sleep(_POLL_SECONDS)


def _steps(found: objects.Object) -> list[Step]:
    current = rollout_status.step_index(found)
    return [
        Step(step=rollout_status.step_in_words(each), current=True if index == current else None)
        for index, each in enumerate(rollout_status.steps(found))
    ]


def _condition(each: dict[str, Any]) -> Condition:
    return Condition.model_validate({name: each.get(name) for name in ("type", "status", "reason", "message")})


def _next_step(found: objects.Object) -> str | None:
    name = found["metadata"]["name"]
    state, _ = rollout_status.phase(found)
    if rollout_status.status_of(found).get("abort"):
        return f"Aborted: use argo_rollout_action rollout_name={name} action=retry or action=undo."
    if state == "Paused":
        return f"argo_promote_rollout rollout_name={name} continues; argo_rollout_action action=abort goes back."
    return None
