"""Revisions of a Rollout: the ReplicaSets that it owns, the role of each, and which one an undo restores. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field

from kmcp_argo.rollouts import rollout_status
from kmcp_runtime import not_found

REVISION = "rollout.argoproj.io/revision"
HASH = "rollouts-pod-template-hash"
Object = Mapping[str, Any]


class Revision(BaseModel):
    """A ReplicaSet of a Rollout."""

    revision: int
    name: str
    role: str | None = Field(default=None, description="stable, canary, active or preview; absent for others")
    images: list[str]
    replicas: int
    ready: int
    created: str


def revisions(found: Object, owned: Sequence[Object]) -> list[Revision]:
    """The ReplicaSets as revisions, newest first."""
    return [_revision(found, each) for each in sorted(owned, key=number, reverse=True)]


def number(replica_set: Object) -> int:
    text = str((replica_set["metadata"].get("annotations") or {}).get(REVISION) or 0)
    return int(text) if text.isdigit() else 0


def target_of_undo(found: Object, owned: Sequence[Object], to_revision: int) -> Object:
    """The ReplicaSet of a revision, where 0 means the second newest; `not_found` lists the revisions."""
    # A ReplicaSet without a revision was made by something else than the controller.
    kept = sorted((each for each in owned if number(each)), key=number, reverse=True)
    name = found["metadata"]["name"]
    numbers = ", ".join(str(number(each)) for each in kept) or "none"
    if to_revision:
        for each in kept:
            if number(each) == to_revision:
                return each
        raise not_found(f"{name} has no revision {to_revision}", f"revisions: {numbers}")
    if len(kept) < 2:
        raise not_found(f"{name} has no earlier revision to go back to", f"revisions: {numbers}")
    return kept[1]


def template_of(replica_set: Object) -> dict[str, Any]:
    """Its pod template without the hash label, which the controller adds to tell ReplicaSets apart."""
    template = dict(replica_set["spec"]["template"])
    metadata = dict(template.get("metadata") or {})
    labels = {key: value for key, value in (metadata.pop("labels", None) or {}).items() if key != HASH}
    # Go writes the empty timestamp as null, which a template in a Rollout does not have.
    metadata.pop("creationTimestamp", None)
    return {**template, "metadata": {**metadata, "labels": labels}}


def hash_of(replica_set: Object) -> str:
    """What tells its pods from those of other revisions; empty where the controller has not labelled it."""
    return str((replica_set["metadata"].get("labels") or {}).get(HASH, ""))


def role(found: Object, replica_set: Object) -> str | None:
    own = hash_of(replica_set)
    seen = rollout_status.status_of(found)
    if rollout_status.strategy(found) == "BlueGreen":
        # Blue-green names its ReplicaSets by the selectors of its Services, canary by hashes in the status.
        selectors = seen.get("blueGreen") or {}
        roles = [(selectors.get("activeSelector"), "active"), (selectors.get("previewSelector"), "preview")]
    else:
        roles = [(seen.get("stableRS"), "stable"), (seen.get("currentPodHash"), "canary")]
    return next((name for selected, name in roles if selected == own), None)


def actual_weight(found: Object, replica_sets: Iterable[Object]) -> int | None:
    """The percentage that the canary has by now, as the plugin shows it; None for blue-green, or where nobody says.

    Without a router it is the canary's share of the available pods; a router has been told a weight.
    """
    if rollout_status.strategy(found) != "Canary":
        return None
    seen, steps = rollout_status.status_of(found), rollout_status.steps(found)
    if rollout_status.spec_of(found)["strategy"]["canary"].get("trafficRouting"):
        told = (((seen.get("canary") or {}).get("weights") or {}).get("canary") or {}).get("weight")
        return None if told is None else int(told)
    if rollout_status.step_index(found) >= len(steps):
        return rollout_status.FULL_WEIGHT
    own = [each.get("status") or {} for each in replica_sets if hash_of(each) == seen.get("currentPodHash")]
    share = sum(int(each.get("availableReplicas") or 0) for each in own) * rollout_status.FULL_WEIGHT
    return share // int(seen["availableReplicas"]) if seen.get("availableReplicas") else 0


def _revision(found: Object, replica_set: Object) -> Revision:
    metadata, seen = replica_set["metadata"], replica_set.get("status") or {}
    images = [str(each.get("image")) for each in rollout_status.containers_of(replica_set["spec"]["template"])]
    return Revision(
        revision=number(replica_set),
        name=metadata["name"],
        role=role(found, replica_set),
        images=images,
        replicas=int(seen.get("replicas") or 0),
        ready=int(seen.get("readyReplicas") or 0),
        created=str(metadata.get("creationTimestamp", "")),
    )
