"""Uninstalling releases with the helm binary; the plan comes from what the cluster stores."""

from typing import Annotated

from pydantic import Field

from kmcp_helm.arguments import REMOVES, ReleaseName, TimeoutSeconds
from kmcp_helm.client import Client
from kmcp_helm.shapes import Object
from kmcp_runtime import Body, DryRun, Effect, Namespace, conflict, tool
from kmcp_runtime.helm import manifests, releases
from kmcp_runtime.helm.client import Cascade
from kmcp_runtime.helm.release import Release
from kmcp_runtime.helm.revision import reach_objects

_EVENTS = frozenset({"pre-delete", "post-delete"})


class Uninstalled(Body):
    """What was deleted, or would be."""

    cuttable = "objects"

    name: str
    namespace: str
    revision: int
    chart: str
    result: str = Field(description="What happened, in a word")
    changed: bool
    dry_run: bool | None = Field(default=None, description="True when nothing was changed")
    history: str = Field(description="kept or deleted")
    hooks: list[str] | None = Field(default=None, description="What runs before or after")
    kept: list[Object] | None = Field(default=None, description="Kept: their resource policy is keep")
    objects: list[Object] = Field(description="Deleted")


@tool(Effect.DESTROY, needs=REMOVES)
async def helm_uninstall(
    client: Client,
    name: ReleaseName,
    namespace: Namespace,
    keep_history: Annotated[bool, "Keep revisions"] = False,
    cascade: Annotated[Cascade, "Dependents"] = "background",
    wait: Annotated[bool, "Until deleted"] = False,
    timeout_seconds: TimeoutSeconds = 300,
    dry_run: DryRun = False,
) -> Uninstalled:
    """Uninstall a release with all its objects."""
    release = await client.releases.read_current(namespace, name)
    # Helm refuses this (`is already deleted`); without keep_history it purges what is left.
    if release.status == "uninstalled" and keep_history:
        raise conflict(f"release {name} is already uninstalled", "keep_history=false deletes its history too")
    await reach_objects(client.cluster, namespace, release.texts, Effect.DESTROY)
    releases.bind(release)
    warnings: list[str] = []
    if not dry_run:
        warnings = await client.helm.uninstall(
            client.cluster,
            namespace,
            name,
            keep_history=keep_history,
            cascade=cascade,
            wait=wait,
            timeout_seconds=timeout_seconds,
        )
    return _uninstalled(release, keep_history, dry_run, warnings)


def _uninstalled(release: Release, keep_history: bool, dry_run: bool, warnings: list[str]) -> Uninstalled:
    # An uninstalled release has no objects left, only its history.
    parts = manifests.objects(release.manifest) if release.status != "uninstalled" else []
    hooks = [hook for hook in release.hooks if _EVENTS & {*(hook.get("events") or ())}]
    return Uninstalled(
        name=release.name,
        namespace=release.namespace,
        revision=release.revision,
        chart=release.chart_name,
        result="would be uninstalled" if dry_run else "uninstalled",
        changed=True,
        dry_run=dry_run or None,
        history="kept" if keep_history else "deleted",
        hooks=[f"{hook.get('kind')} {hook.get('name')}" for hook in hooks] or None,
        # Helm leaves objects with the annotation helm.sh/resource-policy: keep.
        kept=[Object.of(part) for part in parts if part.kept] or None,
        objects=[Object.of(part) for part in parts if not part.kept],
        warnings=warnings,
    )
