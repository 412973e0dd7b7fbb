"""Setting the images of a rollout."""

from typing import Annotated, Literal

from pydantic import Field

from kmcp_argo.arguments import RolloutName, Written
from kmcp_argo.changes import describe_change
from kmcp_argo.client import Argo
from kmcp_argo.rollouts import rollout_status
from kmcp_argo.rollouts.image_patch import ImageChange, assignments, changes
from kmcp_runtime import DryRun, Effect, OptionalNamespace, Rule, ToolFailure, bad_argument, tool
from kmcp_runtime.kube import objects
from kmcp_runtime.kube.cluster import Place

# Each attempt needs another writer between a read and a patch, so more than a few point to a loop.
_ATTEMPTS = 5


class ImageSet(Written):
    """Which images were set, and in which object."""

    target: Literal["rollout", "workload_ref"]
    images: list[ImageChange] = Field(description="Containers whose image changes")


@tool(
    Effect.WRITE,
    needs=(
        Rule("argoproj.io", ("rollouts",), ("get", "patch")),
        Rule("apps", ("deployments",), ("get", "list", "patch")),
    ),
    idempotent=True,
)
async def argo_set_rollout_image(
    argo: Argo,
    rollout_name: RolloutName,
    container_image: Annotated[str, "container=image[,…]; *=image for all"],
    namespace: OptionalNamespace = None,
    dry_run: DryRun = False,
) -> ImageSet:
    """Set images of a rollout, which starts its canary or preview."""
    namespace = argo.namespace(namespace)
    rollout = await argo.read_rollout(rollout_name, namespace)
    place, name = await _find_target(argo, rollout)
    before, after, changed = await _set_image(argo, place, name, container_image, dry_run)
    answer = await describe_change(argo, before, after, dry_run)
    # A referenced Deployment has no rollout status of its own.
    current = after if place.kind.kind == "Rollout" else rollout
    state, message = rollout_status.phase(current)
    return ImageSet(
        **{**answer, "name": rollout_name, "status": state, "message": message or None},
        target="rollout" if place.kind.kind == "Rollout" else "workload_ref",
        images=changed,
    )


async def _find_target(argo: Argo, rollout: objects.Object) -> tuple[Place, str]:
    """The object that holds the containers: the Rollout itself, or the Deployment that it references."""
    reference = rollout_status.spec_of(rollout).get("workloadRef")
    namespace = rollout["metadata"]["namespace"]
    if not reference:
        return await argo.resolve_place("rollouts", namespace), rollout["metadata"]["name"]
    if reference.get("kind") != "Deployment":
        raise bad_argument(
            f"the rollout references a {reference.get('kind')}; images can be set for a referenced Deployment only",
            "use k8s_patch_resource for other kinds",
        )
    return await argo.place("deployments.apps", namespace), str(reference["name"])


async def _set_image(
    argo: Argo, place: Place, name: str, container_image: str, dry_run: bool
) -> tuple[objects.Object, objects.Object, list[ImageChange]]:
    """Patch the object as it was read, and again as it is then when someone else has changed it meanwhile."""
    attempt = 0
    while True:
        attempt += 1
        before = await argo.read(place, name)
        # Read inside the loop: another writer may have added or removed the container.
        changed, patch = changes(before, assignments(container_image, before))
        if not patch:
            return before, before, changed
        try:
            after = await objects.patch(argo.api, place.kind, name, place.namespace, patch, "json", dry_run=dry_run)
            return before, after, changed
        except ToolFailure as failure:
            if attempt >= _ATTEMPTS or failure.code != "conflict":
                raise
