"""Setting images."""

from typing import Annotated, Literal

from pydantic import Field

from kmcp_argo.arguments import RolloutName, Written
from kmcp_argo.changes import outcome
from kmcp_argo.client import Argo
from kmcp_argo.rollouts import rollout_status
from kmcp_argo.rollouts.image_patch import ImageChange, assignment, changes
from kmcp_runtime import DryRun, Effect, Namespace, Rule, ToolFailure, Word, bad_argument, injected, tool
from kmcp_runtime.kube import objects
from kmcp_runtime.kube.cluster import Place

_ATTEMPTS = 5


class ImageSet(Written):
    """Which images were set, and where."""

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
    rollout_name: RolloutName,
    container_image: Annotated[str, Word("container=image; *=image for all")],
    namespace: Namespace = "default",
    dry_run: DryRun = False,
    argo: Argo = injected(),
) -> ImageSet:
    """Set images of a rollout, which starts its canary or preview."""
    rollout = await argo.rollout(rollout_name, namespace)
    place, name = await _target(argo, rollout)
    before, after, changed = await _set(argo, place, name, container_image, dry_run)
    answer = await outcome(argo, before, after, dry_run)
    current = after if place.kind.kind == "Rollout" else rollout
    state, message = rollout_status.phase(current)
    return ImageSet(
        **{**answer, "name": rollout_name, "status": state, "message": message or None},
        target="rollout" if place.kind.kind == "Rollout" else "workload_ref",
        images=changed,
    )


async def _target(argo: Argo, rollout: objects.Object) -> tuple[Place, str]:
    """Where the containers are: the Rollout itself, or the Deployment that it references."""
    reference = rollout_status.spec_of(rollout).get("workloadRef")
    namespace = rollout["metadata"]["namespace"]
    if not reference:
        return await argo.argo_place("rollouts", namespace), rollout["metadata"]["name"]
    if reference.get("kind") != "Deployment":
        raise bad_argument(
            f"the rollout references a {reference.get('kind')}: only images of a referenced Deployment can be set",
            "k8s_patch_resource changes other kinds",
        )
    return await argo.place("deployments.apps", namespace), str(reference["name"])


async def _set(
    argo: Argo, place: Place, name: str, container_image: str, dry_run: bool
) -> tuple[objects.Object, objects.Object, list[ImageChange]]:
    """Patch the object as it was read; when somebody else was faster, as it is then."""
    attempt = 0
    while True:
        attempt += 1
        before = await argo.read(place, name)
        container, image = assignment(container_image, before)
        changed, patch = changes(before, container, image)
        if not patch:
            return before, before, changed
        try:
            after = await objects.patch(argo.api, place.kind, name, place.namespace, patch, "json", dry_run=dry_run)
            return before, after, changed
        except ToolFailure as failure:
            if attempt >= _ATTEMPTS or failure.code != "conflict":
                raise
