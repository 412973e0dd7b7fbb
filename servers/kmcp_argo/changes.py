"""Changes to rollouts: sending the patches, and describing what changed."""

from typing import Any

from kmcp_argo.client import Argo
from kmcp_argo.rollouts import rollout_status
from kmcp_argo.rollouts.promotion_patch import Promotion
from kmcp_runtime import Diff
from kmcp_runtime.kube import objects


async def apply(argo: Argo, before: objects.Object, wanted: Promotion, dry_run: bool) -> objects.Object:
    """The rollout after a promotion's patches; with `dry_run` as it would be."""
    name, namespace = before["metadata"]["name"], before["metadata"]["namespace"]
    after = before
    # Status first, as the plugin does: a controller that sees the unpaused spec must already see the new step.
    if wanted.status is not None:
        after = await argo.patch("rollouts", name, namespace, wanted.status, dry_run=dry_run, status=True)
    if wanted.main is not None:
        patched = await argo.patch("rollouts", name, namespace, wanted.main, dry_run=dry_run)
        # A dry run stores nothing, so the second answer does not contain the first patch.
        after = {**patched, "status": after.get("status")} if dry_run else patched
    return after


async def describe_change(argo: Argo, before: objects.Object, after: objects.Object, dry_run: bool) -> dict[str, Any]:
    """The fields of `Written`, which every answer to a change has."""
    diff = Diff(objects.comparable(before), objects.comparable(after))
    state, message = rollout_status.phase(after)
    # Without a change there is nothing that a controller would have to act on.
    warning = await argo.warn_without_controller() if diff.changed and not dry_run else None
    return {
        "name": before["metadata"]["name"],
        "namespace": before["metadata"]["namespace"],
        "status": state,
        "message": message or None,
        "changed": diff.changed,
        "diff": diff if diff.changed else None,
        "dry_run": dry_run or None,
        "warnings": [warning] if warning else None,
    }
