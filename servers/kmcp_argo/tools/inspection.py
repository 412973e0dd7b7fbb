"""One rollout in detail."""

import asyncio
import time
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, Field

from kmcp_argo.arguments import RolloutName
from kmcp_argo.client import Argo, owned_by
from kmcp_argo.rollouts import analysis, revisions, rollout_status
from kmcp_runtime import Effect, OptionalNamespace, Result, Rule, TimeoutSeconds, ToolFailure, tool
from kmcp_runtime.kube import objects, workloads

_POLL_SECONDS = 0.5
_MOST_PODS, _LONGEST_REASON = 3, 300
"""Pods of one template wait for the same."""
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
    actual_weight: int | None = Field(default=None, description="Percent that the canary has by now")
    timed_out: bool | None = Field(default=None, description="True when it did not settle in time")
    paused: bool | None = Field(default=None, description="spec.paused")
    aborted: bool | None = None
    pause_conditions: list[str] | None = None
    steps: list[Step] | None = None
    replica_sets: list[revisions.Revision] = Field(description="Revisions, newest first")
    analysis_runs: list[analysis.AnalysisRun] | None = None
    experiments: list[analysis.ExperimentRun] | None = Field(default=None, description="Newest first")
    conditions: list[Condition] | None = None
    pods: list[str] | None = Field(default=None, description="Why they do not run, newest first")


@tool(
    Effect.READ,
    needs=(
        Rule("argoproj.io", ("rollouts",), ("get",)),
        Rule("argoproj.io", ("analysisruns", "experiments"), ("list",)),
        Rule("apps", ("replicasets",), ("list",)),
        Rule("apps", ("deployments",), ("get",)),
        Rule("", ("pods",), ("list",)),
    ),
    extra=True,
    view="rollout",
)
async def argo_get_rollout(
    argo: Argo,
    rollout_name: RolloutName,
    namespace: OptionalNamespace = None,
    wait: Annotated[bool, "Until healthy, degraded, or paused for good"] = False,
    timeout_seconds: TimeoutSeconds = 60,
) -> RolloutDetails:
    """Explain one rollout: step, why it is paused, stable and canary ReplicaSets, analysis results."""
    namespace = argo.namespace(namespace)
    found, generation, late = await _wait_until_settled(argo, rollout_name, namespace, timeout_seconds if wait else 0)
    owned, experiments, runs = await asyncio.gather(
        argo.list_owned("replicasets.apps", found),
        argo.list_owned("experiments.argoproj.io", found),
        argo.list_objects("analysisruns.argoproj.io", namespace),
    )
    seen, spec = rollout_status.status_of(found), rollout_status.spec_of(found)
    state, message = rollout_status.phase(found, generation)
    waiting, warnings = ([], []) if state == "Healthy" else await _read_waits(argo, owned)
    return RolloutDetails(
        rollout=rollout_status.row(found).model_copy(update={"status": state, "message": message or None}),
        actual_weight=revisions.actual_weight(found, owned),
        timed_out=(wait and late) or None,
        paused=bool(spec.get("paused")) or None,
        aborted=bool(seen.get("abort")) or None,
        pause_conditions=[f"{each['reason']} since {each['startTime']}" for each in seen.get("pauseConditions") or ()]
        or None,
        steps=_steps(found) or None,
        replica_sets=revisions.revisions(found, owned),
        analysis_runs=[analysis.analysis_run(each) for each in analysis.newest_first(owned_by(runs, found))] or None,
        experiments=[analysis.experiment_run(each, runs) for each in analysis.newest_first(experiments)] or None,
        conditions=[_condition(each) for each in seen.get("conditions") or ()] or None,
        pods=waiting or None,
        warnings=warnings,
        hint=_next_step(found),
    )


async def _read_waits(argo: Argo, replica_sets: Sequence[objects.Object]) -> tuple[list[str], list[str]]:
    """Why pods do not run, and the warning where they may not be listed: the rollout itself says only that it waits."""
    try:
        pods = await _list_pods(argo, replica_sets)
    except ToolFailure as failure:
        return [], [f"pods not read: {failure.message}"]
    told = dict.fromkeys(f"{wait.pod}: {wait}"[:_LONGEST_REASON] for wait in workloads.waits(pods))
    return list(told)[:_MOST_PODS], []


async def _list_pods(argo: Argo, replica_sets: Sequence[objects.Object]) -> list[objects.Object]:
    """The pods that these ReplicaSets of one Rollout own."""
    hashes = sorted({text for each in replica_sets if (text := revisions.hash_of(each))})
    if not hashes:
        return []
    # A Rollout that references its workload has no selector of its own, and any may match the pods of others.
    namespace, selector = replica_sets[0]["metadata"]["namespace"], f"{revisions.HASH} in ({','.join(hashes)})"
    listed = await argo.list_objects("pods", namespace, selector=selector)
    return [pod for each in replica_sets for pod in owned_by(listed, each)]


async def _wait_until_settled(
    argo: Argo, name: str, namespace: str, seconds: float
) -> tuple[objects.Object, int | None, bool]:
    """The rollout once it is healthy, degraded or waits for a person, the generation of a Deployment that it
    references, and whether the time ended before that."""
    deadline = time.monotonic() + seconds
    while True:
        found = await argo.read_rollout(name, namespace)
        generation = await _read_workload_generation(argo, found)
        state, message = rollout_status.phase(found, generation)
        settled = state in _ENDS or (state == "Paused" and rollout_status.is_paused_for_good(found))
        settled = settled and not rollout_status.is_about_to_be_promoted(found)
        if settled or time.monotonic() >= deadline:
            return found, generation, not settled
        await argo.call.progress(
            rollout_status.row(found).available, rollout_status.desired(found), f"{state}: {message}"
        )
        await asyncio.sleep(_POLL_SECONDS)


async def _read_workload_generation(argo: Argo, found: objects.Object) -> int | None:
    """The generation of a referenced Deployment as it is now: the controller notes it only a little later."""
    reference = rollout_status.spec_of(found).get("workloadRef") or {}
    if reference.get("kind") != "Deployment":
        return None
    try:
        workload = await argo.read_kind("deployments.apps", str(reference.get("name")), found["metadata"]["namespace"])
    except ToolFailure as failure:
        if failure.code != "not_found":
            raise
        return None  # The controller says in the rollout's own status that its workload is not there.
    return int(workload["metadata"].get("generation") or 0)


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
    if state == "Paused" and not rollout_status.status_of(found).get("pauseConditions"):
        return f"argo_rollout_action rollout_name={name} action=resume continues it where it is."
    if state == "Paused":
        return f"argo_promote_rollout rollout_name={name} continues; argo_rollout_action action=abort goes back."
    return None
