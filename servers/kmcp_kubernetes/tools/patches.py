"""Patches of objects and of their status."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, WithJsonSchema

from kmcp_kubernetes.arguments import ResourceName, ResourceType
from kmcp_kubernetes.client import Kube
from kmcp_kubernetes.rollout.following import RolloutState, WaitSeconds, follow
from kmcp_kubernetes.writing.patching import chosen_type, patch_object, read_patch
from kmcp_runtime import DOCUMENT, Change, DryRun, Effect, OptionalNamespace, Rule, bad_argument, tool

Patch = Annotated[
    Any,
    BeforeValidator(read_patch),
    WithJsonSchema({"anyOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}]}),
    "What to merge, or JSON patch operations",
    DOCUMENT,
]
StatusPatch = Annotated[
    Any, BeforeValidator(read_patch), WithJsonSchema({"type": "object"}), "What to merge into the status", DOCUMENT
]


class Patched(Change):
    """What a patch did, and how far the rollout is that it started."""

    rollout: RolloutState | None = None


@tool(Effect.WRITE, worst=Effect.DESTROY, needs=(Rule("*", ("*",), ("get", "patch")),), restores=("patch",))
async def k8s_patch_resource(
    kube: Kube,
    resource_type: ResourceType,
    resource_name: ResourceName,
    patch: Patch,
    patch_type: Annotated[Literal["strategic", "merge", "json"] | None, "Unset: what fits"] = None,
    namespace: OptionalNamespace = None,
    wait_seconds: WaitSeconds = 0,
    dry_run: DryRun = False,
) -> Patched:
    """Change some fields of one object; k8s_apply_manifest is for whole manifests."""
    place = await kube.place(resource_type, namespace)
    kind_of_patch = chosen_type(patch, patch_type, place.kind)
    change = await patch_object(kube, place, resource_name, patch, kind_of_patch, dry_run=dry_run)
    # With a status subresource, a write to the object itself drops the status without an error.
    if "status" in place.kind.subresources and isinstance(patch, dict) and "status" in patch:
        change.warnings = ["the API server ignores status here: k8s_patch_status changes it"]
    rollout = await follow(kube, place, resource_name, wait_seconds, dry_run)
    return Patched(**dict(change), rollout=rollout)


@tool(
    Effect.WRITE,
    worst=Effect.DESTROY,
    needs=(Rule("*", ("*",), ("get",)), Rule("*", ("*/status",), ("patch",))),
    restores=("patch",),
)
async def k8s_patch_status(
    kube: Kube,
    resource_type: ResourceType,
    resource_name: ResourceName,
    patch: StatusPatch,
    namespace: OptionalNamespace = None,
    dry_run: DryRun = False,
) -> Change:
    """Change the status of one object, as its controller would; use it to test, or to free what is stuck."""
    place = await kube.place(resource_type, namespace)
    if "status" not in place.kind.subresources:
        raise bad_argument(
            f"this kind has no status subresource: {place.kind.full_name}", "k8s_patch_resource changes its fields"
        )
    if not isinstance(patch, dict):
        raise bad_argument("patch: a merge patch is an object, not a list", 'write {"status": {…}}')
    whole = patch if "status" in patch else {"status": patch}
    return await patch_object(kube, place, resource_name, whole, "merge", dry_run=dry_run, subresource="status")
