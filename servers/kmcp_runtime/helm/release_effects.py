"""What a new revision of a release does to the objects of the one before: judged by their manifests. Pure."""

from kmcp_runtime.helm import manifests
from kmcp_runtime.helm.manifests import Change
from kmcp_runtime.judging import Verdict, destroys, of_losses
from kmcp_runtime.kube import losses


def judge_revision(namespace: str, name: str, before: str, after: str) -> Verdict:
    """Of the manifests before and after; an empty one before is an installation."""
    found = losses_of_revision(namespace, before, after)
    return of_losses(found, f"{'upgrades' if before else 'installs'} release {namespace}/{name}")


def losses_of_revision(namespace: str, before: str, after: str) -> list[str]:
    """In words, what of the objects of one manifest is lost with the other."""
    return [loss for change in manifests.changes(before, after) for loss in _losses(change, namespace)]


def judge_removal(namespace: str, name: str) -> Verdict:
    return destroys(f"uninstalls release {namespace}/{name} with its objects")


def _losses(change: Change, namespace: str) -> list[str]:
    before, after = change.before, change.after
    if after is None:
        assert before is not None
        # Helm leaves objects with the annotation helm.sh/resource-policy: keep.
        where = f"{before.namespace or namespace}/"
        return [] if before.kept_by_upgrade else [f"deletes {before.kind} {where}{before.name}"]
    if before is None:
        return losses.of_creation(after.content)
    return losses.of_change(before.content, after.content)
