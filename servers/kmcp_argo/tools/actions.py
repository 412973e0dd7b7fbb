"""What else is done to a rollout, and to an experiment."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from kmcp_argo.arguments import RolloutName, Written
from kmcp_argo.changes import outcome
from kmcp_argo.client import Argo
from kmcp_argo.rollouts import revisions, rollout_status
from kmcp_runtime import DryRun, Effect, Namespace, Rule, Word, bad_argument, conflict, injected, tool
from kmcp_runtime.kube import objects

Action = Literal["abort", "retry", "resume", "restart", "undo", "retry_experiment"]
_REFERENCED = {"Deployment": "deployments.apps", "ReplicaSet": "replicasets.apps", "PodTemplate": "podtemplates"}


class Acted(Written):
    """What an action did."""

    action: Action
    result: str = Field(description="In a word")
    patch: dict[str, Any] | list[dict[str, Any]] | None = Field(default=None, description="What was sent")


@tool(
    Effect.WRITE,
    needs=(
        Rule("argoproj.io", ("rollouts", "experiments"), ("get", "patch")),
        Rule("argoproj.io", ("rollouts/status",), ("patch",)),
        Rule("apps", ("deployments", "replicasets"), ("get", "list", "patch")),
        Rule("", ("podtemplates",), ("get", "patch")),
    ),
    extra=True,
)
async def argo_rollout_action(
    rollout_name: RolloutName,
    action: Annotated[Action, Word("What to do")],
    namespace: Namespace = "default",
    to_revision: Annotated[int, Word("undo: 0 = the previous", ge=0)] = 0,
    dry_run: DryRun = False,
    argo: Argo = injected(),
) -> Acted:
    """Abort, retry, resume, restart or undo a rollout, or start an ended experiment (by its name) anew."""
    if action == "retry_experiment":
        return await _experiment_again(argo, rollout_name, namespace, dry_run)
    found = await argo.rollout(rollout_name, namespace)
    if action == "undo":
        return await _undone(argo, found, to_revision, dry_run)
    result, patch, on_status = _ACTIONS[action](found)
    after = found
    if patch is not None:
        after = await argo.patch("rollouts", rollout_name, namespace, patch, dry_run=dry_run, status=on_status)
    answer = await outcome(argo, found, after, dry_run)
    return Acted(**answer, action=action, result=result, patch=patch)


def _abort(found: objects.Object) -> tuple[str, dict[str, Any] | None, bool]:
    if rollout_status.status_of(found).get("abort"):
        return "unchanged: it is aborted already", None, True
    if rollout_status.is_fully_promoted(found):
        name = found["metadata"]["name"]
        raise conflict(f"{name} is fully promoted: there is nothing to abort", "action=undo goes back to a revision")
    return "aborted", {"status": {"abort": True}}, True


def _retry(found: objects.Object) -> tuple[str, dict[str, Any] | None, bool]:
    if not rollout_status.status_of(found).get("abort"):
        name = found["metadata"]["name"]
        raise conflict(f"{name} is not aborted: there is nothing to retry", "argo_promote_rollout lets it go on")
    return "retried", {"status": {"abort": False}}, True


def _resume(found: objects.Object) -> tuple[str, dict[str, Any] | None, bool]:
    if rollout_status.spec_of(found).get("paused"):
        return "resumed", {"spec": {"paused": False}}, False
    if rollout_status.status_of(found).get("pauseConditions"):
        name = found["metadata"]["name"]
        raise conflict(f"{name} is paused by one of its steps", f"argo_promote_rollout rollout_name={name} goes on")
    return "unchanged: it is not paused", None, False


def _restart(found: objects.Object) -> tuple[str, dict[str, Any] | None, bool]:
    stamp = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return "restarted", {"spec": {"restartAt": stamp}}, False


_ACTIONS = {"abort": _abort, "retry": _retry, "resume": _resume, "restart": _restart}


async def _undone(argo: Argo, found: objects.Object, to_revision: int, dry_run: bool) -> Acted:
    """Bring a revision's template back: into the Rollout, or into the workload that it references."""
    owned = await argo.owned("replicasets.apps", found)
    target = revisions.target_of_undo(found, owned, to_revision)
    number, template = revisions.number(target), revisions.template_of(target)
    holder, place = await _holder(argo, found)
    if _same(holder["spec"]["template"] if "spec" in holder else holder["template"], template):
        answer = await outcome(argo, holder, holder, dry_run)
        return Acted(**_of_rollout(answer, found), action="undo", result=f"unchanged: it is revision {number} already")
    pointer = "/template" if place.kind.kind == "PodTemplate" else "/spec/template"
    patch = [{"op": "replace", "path": pointer, "value": template}]
    after = await objects.patch(
        argo.api, place.kind, holder["metadata"]["name"], place.namespace, patch, "json", dry_run=dry_run
    )
    answer = await outcome(argo, holder, after, dry_run)
    return Acted(**_of_rollout(answer, found), action="undo", result=f"rolled back to revision {number}", patch=patch)


def _of_rollout(answer: Mapping[str, Any], found: objects.Object) -> dict[str, Any]:
    """The answer under the Rollout's name and status, where a referenced workload was what changed."""
    state, message = rollout_status.phase(found)
    return {**answer, "name": found["metadata"]["name"], "status": state, "message": message or None}


async def _holder(argo: Argo, found: objects.Object) -> tuple[objects.Object, Any]:
    """The object that holds the pod template."""
    reference = rollout_status.spec_of(found).get("workloadRef")
    namespace = found["metadata"]["namespace"]
    if not reference:
        return found, await argo.argo_place("rollouts", namespace)
    resource = _REFERENCED.get(str(reference.get("kind")))
    if resource is None:
        raise bad_argument(f"spec.workloadRef is a {reference.get('kind')}: its template cannot be rolled back here")
    place = await argo.place(resource, namespace)
    return await argo.read(place, str(reference.get("name"))), place


def _same(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    """Whether all that is set in ours stands in theirs, which holds defaults besides."""
    return all(
        (isinstance(value, Mapping) and isinstance(theirs.get(key), Mapping) and _same(value, theirs[key]))
        or _alike(value, theirs.get(key))
        for key, value in ours.items()
        if value not in (None, {}, [])
    )


def _alike(value: Any, other: Any) -> bool:
    if isinstance(value, list) and isinstance(other, list) and len(value) == len(other):
        return all(
            _same(one, two) if isinstance(one, Mapping) and isinstance(two, Mapping) else one == two
            for one, two in zip(value, other, strict=True)
        )
    return bool(value == other)


async def _experiment_again(argo: Argo, name: str, namespace: str, dry_run: bool) -> Acted:
    place = await argo.argo_place("experiments", namespace)
    before = await argo.read(place, name)
    patch: dict[str, Any] = {"status": None}
    after = await argo.patch("experiments", name, namespace, patch, dry_run=dry_run)
    answer = await outcome(argo, before, after, dry_run)
    state = str((after.get("status") or {}).get("phase") or "Pending")
    return Acted(
        **{**answer, "status": state, "message": None}, action="retry_experiment", result="retried", patch=patch
    )
