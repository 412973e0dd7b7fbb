"""Aborting, retrying, resuming, restarting and undoing a rollout, and retrying an experiment."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from kmcp_argo.arguments import RolloutName, Written
from kmcp_argo.changes import describe_change
from kmcp_argo.client import Argo
from kmcp_argo.rollouts import analysis, rollout_status
from kmcp_argo.undo import undo
from kmcp_runtime import DryRun, Effect, OptionalNamespace, Rule, conflict, tool
from kmcp_runtime.kube import objects

Action = Literal["abort", "retry", "resume", "restart", "undo", "retry_experiment"]


class Acted(Written):
    """What an action did."""

    action: Action
    result: str = Field(description="What happened")
    patch: dict[str, Any] | list[dict[str, Any]] | None = Field(default=None, description="What was sent")


@tool(
    Effect.WRITE,
    worst=Effect.DESTROY,
    needs=(
        Rule("argoproj.io", ("rollouts", "experiments"), ("get", "patch")),
        Rule("argoproj.io", ("rollouts/status",), ("patch",)),
        Rule("apps", ("deployments", "replicasets"), ("get", "list", "patch")),
        Rule("", ("podtemplates",), ("get", "patch")),
    ),
    extra=True,
)
async def argo_rollout_action(
    argo: Argo,
    rollout_name: RolloutName,
    action: Annotated[Action, "What to do"],
    namespace: OptionalNamespace = None,
    to_revision: Annotated[int, "undo: 0 = the previous", Field(ge=0)] = 0,
    dry_run: DryRun = False,
) -> Acted:
    """Abort, retry, resume, restart or undo a rollout, or retry an ended experiment (by its name)."""
    namespace = argo.namespace(namespace)
    if action == "retry_experiment":
        return await _retry_experiment(argo, rollout_name, namespace, dry_run)
    found = await argo.read_rollout(rollout_name, namespace)
    if action == "undo":
        done = await undo(argo, found, to_revision, dry_run)
        answer = await describe_change(argo, done.before, done.after, dry_run)
        result = _told(done.result, dry_run)
        return Acted(**_of_rollout(answer, found), action="undo", result=result, patch=done.patch)
    # Abort and retry are flags in the status, resume and restart fields of the spec.
    result, patch, on_status = _ACTIONS[action](found)
    after = found
    if patch is not None:
        after = await argo.patch("rollouts", rollout_name, namespace, patch, dry_run=dry_run, status=on_status)
    answer = await describe_change(argo, found, after, dry_run)
    return Acted(**answer, action=action, result=_told(result, dry_run), patch=patch)


def _told(result: str, dry_run: bool) -> str:
    """What happened; of a rehearsal, what would."""
    return f"would be {result}" if dry_run and not result.startswith("unchanged") else result


def _abort(found: objects.Object) -> tuple[str, dict[str, Any] | None, bool]:
    if rollout_status.status_of(found).get("abort"):
        return "unchanged: it is already aborted", None, True
    if rollout_status.is_fully_promoted(found):
        name = found["metadata"]["name"]
        raise conflict(
            f"{name} is fully promoted: there is nothing to abort", "action=undo goes back to an earlier revision"
        )
    # Beside promoteFull the controller would take the abort straight back (canary.go, syncRolloutStatusCanary).
    ended = {"promoteFull": None} if rollout_status.status_of(found).get("promoteFull") else {}
    return "aborted", {"status": {"abort": True, **ended}}, True


def _retry(found: objects.Object) -> tuple[str, dict[str, Any] | None, bool]:
    if not rollout_status.status_of(found).get("abort"):
        name = found["metadata"]["name"]
        raise conflict(f"{name} is not aborted: there is nothing to retry", "argo_promote_rollout continues it")
    return "retried", {"status": {"abort": False}}, True


def _resume(found: objects.Object) -> tuple[str, dict[str, Any] | None, bool]:
    if rollout_status.spec_of(found).get("paused"):
        return "resumed", {"spec": {"paused": False}}, False
    if rollout_status.status_of(found).get("pauseConditions"):
        name = found["metadata"]["name"]
        raise conflict(
            f"{name} is paused by one of its steps", f"argo_promote_rollout rollout_name={name} continues it"
        )
    return "unchanged: it is not paused", None, False


def _restart(found: objects.Object) -> tuple[str, dict[str, Any] | None, bool]:
    # The plugin writes the current time: the controller restarts every pod that is older than restartAt.
    stamp = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return "restarted", {"spec": {"restartAt": stamp}}, False


_ACTIONS = {"abort": _abort, "retry": _retry, "resume": _resume, "restart": _restart}


def _of_rollout(answer: Mapping[str, Any], found: objects.Object) -> dict[str, Any]:
    """The answer with the Rollout's name and status, also where a referenced workload is what changed."""
    state, message = rollout_status.phase(found)
    return {**answer, "name": found["metadata"]["name"], "status": state, "message": message or None}


async def _retry_experiment(argo: Argo, name: str, namespace: str, dry_run: bool) -> Acted:
    place = await argo.resolve_place("experiments", namespace)
    before = await argo.read(place, name)
    phase = str((before.get("status") or {}).get("phase") or "Pending")
    if phase not in analysis.ENDED:
        # Without its status a running one would start anew, and what it has measured would be lost.
        raise conflict(
            f"experiment {name} has not ended: it is {phase}", "argo_rollouts_list type=experiments shows it"
        )
    # An Experiment has no field to start it again; without a status the controller runs it from the beginning.
    patch: dict[str, Any] = {"status": None}
    after = await argo.patch("experiments", name, namespace, patch, dry_run=dry_run)
    answer = await describe_change(argo, before, after, dry_run)
    state = str((after.get("status") or {}).get("phase") or "Pending")
    return Acted(
        **{**answer, "status": state, "message": None},
        action="retry_experiment",
        result=_told("retried", dry_run),
        patch=patch,
    )
