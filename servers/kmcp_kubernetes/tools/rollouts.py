"""Rollouts of workloads."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from kmcp_kubernetes.arguments import ResourceName
from kmcp_kubernetes.client import Kube, Place
from kmcp_kubernetes.rollout import revisions
from kmcp_kubernetes.rollout.progress import wait_until_done
from kmcp_kubernetes.writing.batch import written
from kmcp_runtime import Diff, DryRun, Effect, EffectByArgument, OptionalNamespace, Result, Rule, bad_argument, tool
from kmcp_runtime.kube import objects, workloads

Action = Literal["history", "status", "pause", "resume", "restart", "undo"]
_SPELLINGS = {"deploy": "deployment", "sts": "statefulset", "ds": "daemonset"}


def _workload(given: Any) -> Any:
    """Other spellings of the three kinds."""
    if not isinstance(given, str):
        return given
    word = given.lower().partition(".")[0]
    return _SPELLINGS.get(word, word.removesuffix("s") if word.endswith(("ets", "ments")) else word)


class Rollout(Result):
    """What a rollout action found or did; the fields depend on the action."""

    kind: str
    name: str
    namespace: str
    action: Action
    items: list[revisions.Revision] | None = Field(default=None, description="history: the newest first")
    returned: int | None = None
    done: bool | None = None
    message: str | None = None
    desired: int | None = None
    updated: int | None = None
    ready: int | None = None
    available: int | None = None
    stuck_reason: str | None = None
    timed_out: bool | None = Field(default=None, description="True when it did not finish in time")
    result: str | None = Field(default=None, description="What a change did, in a word")
    changed: bool | None = None
    diff: Diff | None = Field(default=None, description="Unified diff, without managedFields")
    dry_run: bool | None = Field(default=None, description="True when nothing was changed")


@tool(
    Effect.WRITE,
    worst=Effect.DESTROY,
    by=EffectByArgument("action", {"history": Effect.READ, "status": Effect.READ}),
    needs=(
        Rule("apps", ("deployments", "statefulsets", "daemonsets"), ("get", "patch")),
        Rule("apps", ("replicasets", "controllerrevisions"), ("list",)),
        Rule("", ("pods", "events"), ("list",)),
    ),
)
async def k8s_rollout(
    kube: Kube,
    action: Annotated[Action, "What to do"],
    resource_type: Annotated[Literal["deployment", "statefulset", "daemonset"], BeforeValidator(_workload), "Kind"],
    resource_name: ResourceName,
    namespace: OptionalNamespace = None,
    to_revision: Annotated[int, "undo: 0 = the previous", Field(ge=0)] = 0,
    wait: Annotated[bool, "Wait until rolled out"] = False,
    timeout_seconds: Annotated[int, "Longest wait", Field(ge=1, le=3600)] = 120,
    dry_run: DryRun = False,
) -> Rollout:
    """Follow, restart, pause, resume or undo a workload's rollout, or list its revisions."""
    place = await kube.place(f"{resource_type}s.apps", namespace)
    found = await kube.read(place, resource_name)
    about: dict[str, Any] = {
        "kind": place.kind.kind,
        "name": resource_name,
        "namespace": place.namespace,
        "action": action,
    }
    if action == "history":
        items = revisions.history(found, await revisions.list_revisions(kube, found))
        return Rollout.model_validate({**about, "items": items, "returned": len(items)})
    if action != "status":
        about |= await _change(kube, place, found, action, to_revision, dry_run)
    if (wait and not dry_run) or action == "status":
        about |= await _follow(kube, place, resource_name, timeout_seconds if wait else 0)
    elif action in ("restart", "undo") and about["changed"] and workloads.waits_for_deletion(found["spec"]):
        # Its template has changed, and no pod does.
        about["warnings"] = [workloads.ON_DELETE]
    return Rollout.model_validate(about)


async def _follow(kube: Kube, place: Place, name: str, seconds: int) -> dict[str, Any]:
    outcome = await wait_until_done(kube, place, name, seconds)
    progress = outcome.progress
    return {
        "done": progress.done,
        "message": progress.message,
        **asdict(progress.counts),
        "stuck_reason": progress.stuck_reason,
        "timed_out": (outcome.late and seconds > 0) or None,
        "warnings": [outcome.unseen] if outcome.unseen else None,
    }


async def _change(
    kube: Kube, place: Place, found: objects.Object, action: Action, to_revision: int, dry_run: bool
) -> dict[str, Any]:
    """Do the action; nothing changes if the workload already is as wanted."""
    patch, patch_type, result = await _make_patch(kube, place, found, action, to_revision)
    if patch is None:
        return {"result": "unchanged", "changed": False, "dry_run": dry_run or None}
    after = await objects.patch(
        kube.api, place.kind, found["metadata"]["name"], place.namespace, patch, patch_type, dry_run=dry_run
    )
    diff = Diff(written(place.kind, found), written(place.kind, after))
    return {
        "result": result if diff.changed else "unchanged",
        "changed": diff.changed,
        "dry_run": dry_run or None,
        "diff": diff if diff.changed else None,
    }


async def _make_patch(
    kube: Kube, place: Place, found: objects.Object, action: Action, to_revision: int
) -> tuple[Any, objects.PatchType, str]:
    if action in ("pause", "resume"):
        return _pausing(place, found, action == "pause"), "merge", f"{action}d"
    if action == "restart":
        revisions.refuse_paused(found, "restarted")
        # A changed template is what starts a rollout; `kubectl rollout restart` does it the same way.
        stamp = {revisions.RESTARTED_AT: datetime.now(UTC).isoformat(timespec="seconds")}
        return {"spec": {"template": {"metadata": {"annotations": stamp}}}}, "strategic", "restarted"
    revisions.refuse_paused(found, "undone")
    target = revisions.target_of_undo(found, await revisions.list_revisions(kube, found), to_revision)
    patch, patch_type = revisions.undo_patch(found, target)
    return patch, patch_type, f"rolled back to revision {target.number}"


def _pausing(place: Place, found: Mapping[str, Any], paused: bool) -> Any:
    if place.kind.kind != "Deployment":
        raise bad_argument(
            f"a {place.kind.kind} cannot be paused or resumed",
            "only Deployments can; for a StatefulSet set a partition",
        )
    if bool((found.get("spec") or {}).get("paused")) == paused:
        return None
    # null removes the field (RFC 7386): a Deployment that was never paused has none.
    return {"spec": {"paused": paused or None}}
