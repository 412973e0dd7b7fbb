"""Going back to an earlier revision, in the Rollout or in the workload that it references."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kmcp_argo.client import Argo
from kmcp_argo.rollouts import revisions, rollout_status
from kmcp_runtime import bad_argument
from kmcp_runtime.kube import objects

# The kinds that spec.workloadRef may name (argo-rollouts, utils/unstructured: TemplateRef).
_REFERENCED = {"Deployment": "deployments.apps", "ReplicaSet": "replicasets.apps", "PodTemplate": "podtemplates"}


@dataclass(frozen=True)
class Undone:
    """The object that holds the pod template, before and after; `patch` is None where nothing had to change."""

    before: objects.Object
    after: objects.Object
    result: str
    patch: list[dict[str, Any]] | None = None


async def undo(argo: Argo, found: objects.Object, to_revision: int, dry_run: bool) -> Undone:
    """Restore a revision's pod template; 0 means the one before the current."""
    owned = await argo.list_owned("replicasets.apps", found)
    target = revisions.target_of_undo(found, owned, to_revision)
    number, template = revisions.number(target), revisions.template_of(target)
    holder, place = await _read_template_holder(argo, found)
    if _same(holder["spec"]["template"] if "spec" in holder else holder["template"], template):
        return Undone(holder, holder, f"unchanged: it is already at revision {number}")
    # A PodTemplate holds its template at the top, every other kind in its spec.
    pointer = "/template" if place.kind.kind == "PodTemplate" else "/spec/template"
    patch = [{"op": "replace", "path": pointer, "value": template}]
    after = await objects.patch(
        argo.api, place.kind, holder["metadata"]["name"], place.namespace, patch, "json", dry_run=dry_run
    )
    return Undone(holder, after, f"rolled back to revision {number}", patch)


async def _read_template_holder(argo: Argo, found: objects.Object) -> tuple[objects.Object, Any]:
    """The object that holds the pod template."""
    reference = rollout_status.spec_of(found).get("workloadRef")
    namespace = found["metadata"]["namespace"]
    if not reference:
        return found, await argo.resolve_place("rollouts", namespace)
    resource = _REFERENCED.get(str(reference.get("kind")))
    if resource is None:
        raise bad_argument(f"spec.workloadRef is a {reference.get('kind')}: its template cannot be rolled back here")
    place = await argo.place(resource, namespace)
    return await argo.read(place, str(reference.get("name"))), place


def _same(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    """Whether everything that is set in ours is also in theirs, which the API server has completed with defaults."""
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
