"""Revisions of Deployments, StatefulSets and DaemonSets: which there are, and how to go back to one.

A Deployment keeps its revisions as ReplicaSets, the other two as ControllerRevisions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from kmcp_kubernetes.client import Kube
from kmcp_runtime import conflict, not_found
from kmcp_runtime.json_patch import join_pointer
from kmcp_runtime.kube.objects import PatchType
from kmcp_runtime.kube.selectors import selector_of

REVISION = "deployment.kubernetes.io/revision"
# kubectl's annotations: it shows what is done here in its history, and the reverse.
CHANGE_CAUSE = "kubernetes.io/change-cause"
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
# The Deployment controller adds this label to the template of a ReplicaSet; in a Deployment it does not belong.
_HASH = "pod-template-hash"
Object = Mapping[str, Any]


class Revision(BaseModel):
    """One revision; `current` is the one that runs or is being rolled out."""

    revision: int
    created: str
    change_cause: str | None = None
    images: list[str]
    current: bool | None = None


@dataclass(frozen=True)
class Kept:
    """A revision as the cluster keeps it."""

    number: int
    owner: Object
    template: Mapping[str, Any]


async def list_revisions(kube: Kube, found: Object) -> list[Kept]:
    """Every kept revision of a workload, the newest first."""
    deployment = found.get("kind") == "Deployment"
    resource = "replicasets.apps" if deployment else "controllerrevisions.apps"
    metadata = found["metadata"]
    listed = await kube.list_objects(resource, metadata["namespace"], selector=selector_of(found.get("spec") or {}))
    owned = [item for item in listed if _is_owned(item, str(metadata["uid"]))]
    kept = [_of_replica_set(item) if deployment else _of_controller_revision(item) for item in owned]
    # Without a number, the controller has not taken the ReplicaSet over yet.
    return sorted((item for item in kept if item.number), key=lambda item: -item.number)


def history(found: Object, kept: Sequence[Kept]) -> list[Revision]:
    current = _current(found, kept)
    return [
        Revision(
            revision=item.number,
            created=str(item.owner["metadata"].get("creationTimestamp", "")),
            change_cause=(item.owner["metadata"].get("annotations") or {}).get(CHANGE_CAUSE),
            images=_images(item.template),
            current=item is current or None,
        )
        for item in kept
    ]


def latest(found: Object, kept: Sequence[Kept]) -> Object | None:
    """The ReplicaSet or ControllerRevision of the template that the workload has now."""
    current = _current(found, kept)
    return current.owner if current else None


def target_of_undo(found: Object, kept: Sequence[Kept], to_revision: int) -> Kept:
    """The revision to go back to; 0 is the one before the current."""
    name = found["metadata"]["name"]
    numbers = ", ".join(str(item.number) for item in kept) or "none"
    if to_revision:
        for item in kept:
            if item.number == to_revision:
                return item
        raise not_found(f"{name} has no revision {to_revision}", f"its revisions: {numbers}; action=history shows them")
    current = _current(found, kept)
    older = [item for item in kept if item is not current]
    if not older:
        raise not_found(f"{name} has no earlier revision to go back to", f"its revisions: {numbers}")
    return older[0]


def undo_patch(found: Object, target: Kept) -> tuple[Any, PatchType]:
    """The patch that restores a revision's template."""
    if found.get("kind") != "Deployment":
        # The data of a ControllerRevision is itself a strategic merge patch, with `$patch: replace`.
        return target.owner["data"], "strategic"
    # Replaced as a whole, as kubectl does: a merge would keep fields that the old template lacks.
    operations = [{"op": "replace", "path": "/spec/template", "value": target.template}]
    pointer = join_pointer(["metadata", "annotations", CHANGE_CAUSE])
    cause = (target.owner["metadata"].get("annotations") or {}).get(CHANGE_CAUSE)
    present = CHANGE_CAUSE in (found["metadata"].get("annotations") or {})
    # RFC 6902: `add` fails where the parent object does not exist.
    if cause is not None and found["metadata"].get("annotations"):
        operations.append({"op": "add", "path": pointer, "value": cause})
    elif present:
        operations.append({"op": "remove", "path": pointer})
    return operations, "json"


def refuse_paused(found: Object, what: str) -> None:
    # kubectl refuses it as well: a paused Deployment would not roll out until it is resumed.
    if (found.get("spec") or {}).get("paused"):
        name = found["metadata"]["name"]
        raise conflict(f"{name} is paused: it cannot be {what} now", "use k8s_rollout action=resume first")


def _is_owned(item: Object, uid: str) -> bool:
    return any(owner.get("uid") == uid for owner in item["metadata"].get("ownerReferences") or ())


def _of_replica_set(item: Object) -> Kept:
    number = int((item["metadata"].get("annotations") or {}).get(REVISION) or 0)
    template = dict(item["spec"]["template"])
    metadata = dict(template.get("metadata") or {})
    metadata["labels"] = {key: value for key, value in (metadata.get("labels") or {}).items() if key != _HASH}
    return Kept(number, item, {**template, "metadata": metadata})


def _of_controller_revision(item: Object) -> Kept:
    data = item.get("data") or {}
    return Kept(int(item.get("revision") or 0), item, (data.get("spec") or {}).get("template") or {})


def _current(found: Object, kept: Sequence[Kept]) -> Kept | None:
    """The revision that the workload asks for now."""
    status = found.get("status") or {}
    by_name = status.get("updateRevision")
    if by_name:
        return next((item for item in kept if item.owner["metadata"]["name"] == by_name), None)
    if found.get("kind") == "Deployment":
        number = (found["metadata"].get("annotations") or {}).get(REVISION)
        return next((item for item in kept if str(item.number) == number), None)
    # A DaemonSet's status names no revision; going back to an old one makes that the newest again.
    return kept[0] if kept else None


def _images(template: Mapping[str, Any]) -> list[str]:
    spec = template.get("spec") or {}
    return [
        str(container.get("image")) for container in [*(spec.get("initContainers") or ()), *spec.get("containers", ())]
    ]
