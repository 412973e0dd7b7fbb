"""Single objects: reading them as YAML, and deleting them."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from kmcp_kubernetes.arguments import ResourceName, ResourceType
from kmcp_kubernetes.client import Kube, Place
from kmcp_kubernetes.writing.dependents import count_dependents
from kmcp_kubernetes.writing.holding import find_held
from kmcp_runtime import Body, Change, DryRun, Effect, Manifest, OptionalNamespace, Rule, tool
from kmcp_runtime.kube import objects
from kmcp_runtime.kube.deletion import delete_as_bound
from kmcp_runtime.kube.failures import StatusFailure

Propagation = Literal["background", "foreground", "orphan"]


class Yaml(Body):
    """One object."""

    cuttable = "yaml"

    kind: str
    api_version: str
    name: str
    namespace: str | None = None
    resource_version: str | None = None
    yaml: Manifest


@tool(Effect.READ, needs=(Rule("*", ("*",), ("get",)),))
async def k8s_get_resource_yaml(
    kube: Kube,
    resource_type: ResourceType,
    resource_name: ResourceName,
    namespace: OptionalNamespace = None,
    managed_fields: Annotated[bool, "Include managedFields"] = False,
) -> Yaml:
    """Show one object as YAML, secrets redacted; for a summary use k8s_describe_resource."""
    place = await kube.place(resource_type, namespace)
    found = await kube.read(place, resource_name)
    return Yaml(
        kind=place.kind.kind,
        api_version=place.kind.api_version,
        name=resource_name,
        namespace=place.namespace,
        resource_version=found["metadata"].get("resourceVersion"),
        yaml=Manifest(objects.slim(found, managed_fields=managed_fields)),
    )


class Deletion(Change):
    """What was deleted, and what goes with it."""

    finalizers: list[str] | None = Field(default=None, description="What it waits for before it is gone")
    dependents: dict[str, int] | None = Field(default=None, description="Objects that go with it, by kind")
    held_by: list[str] | None = Field(default=None, description="Objects in it whose finalizers it waits for")
    volumes: list[str] | None = Field(default=None, description="What becomes of volumes")


@tool(Effect.DESTROY, needs=(Rule("*", ("*",), ("get", "list", "delete")),), idempotent=True)
async def k8s_delete_resource(
    kube: Kube,
    resource_type: ResourceType,
    resource_name: ResourceName,
    namespace: OptionalNamespace = None,
    propagation: Annotated[Propagation, "What happens to dependents"] = "background",
    grace_period_seconds: Annotated[int | None, "Seconds to terminate; 0 = kill", Field(ge=0)] = None,
    dry_run: DryRun = False,
) -> Deletion:
    """Delete one object; dry_run=true lists what would go with it."""
    place = await kube.place(resource_type, namespace)
    found = await kube.read(place, resource_name)
    objects.bind(place.kind, found)
    warnings: list[str] = []
    owned = await count_dependents(kube, place, found, warnings)
    held, volumes = await find_held(kube, place, found, warnings)
    metadata = found["metadata"]
    answer = await _delete(kube, place, found, propagation, grace_period_seconds, dry_run)
    left = _foreseen(answer) if dry_run else await _read_left(kube, place, metadata["name"], metadata["uid"])
    result = Deletion(
        kind=place.kind.kind,
        name=resource_name,
        namespace=place.namespace,
        result="terminating" if left else "deleted",
        changed=not metadata.get("deletionTimestamp"),
        dry_run=dry_run or None,
        warnings=warnings,
        finalizers=(left or {}).get("metadata", {}).get("finalizers"),
        dependents=None if propagation == "orphan" else owned,
        held_by=held or None,
        volumes=volumes or None,
    )
    result.hint = _hint(result, owned if propagation == "orphan" else {})
    return result


async def _delete(
    kube: Kube, place: Place, found: Mapping[str, Any], propagation: Propagation, grace: int | None, dry_run: bool
) -> objects.Object:
    name = found["metadata"]["name"]
    try:
        return await delete_as_bound(
            kube.api,
            place.kind,
            found,
            lambda: kube.read(place, name),
            propagation=propagation,
            grace_period_seconds=grace,
            dry_run=dry_run,
        )
    except StatusFailure as failure:
        if failure.http_status == 404:
            raise await kube.explain_absence(place, name, failure) from None
        raise


def _foreseen(answer: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The object as a dry run leaves it; None if it would be deleted at once."""
    metadata = answer.get("metadata") or {}
    # A namespace has its finalizers in the spec, so only its phase shows that it will wait.
    waits = metadata.get("finalizers") or metadata.get("deletionGracePeriodSeconds")
    # A deletion may be answered by a Status, whose `status` is a text.
    phase = (answer.get("status") or {}).get("phase") if isinstance(answer.get("status"), dict) else None
    return answer if waits or phase == "Terminating" else None


async def _read_left(kube: Kube, place: Place, name: str, uid: str) -> Mapping[str, Any] | None:
    """The object if it still exists."""
    left = await objects.find(kube.api, place.kind, name, place.namespace)
    # A controller may have made a new object of that name at once.
    return left if left and left["metadata"]["uid"] == uid else None


def _hint(result: Deletion, orphans: Mapping[str, int]) -> str | None:
    if orphans:
        return "Left behind: " + ", ".join(f"{count} {plural}" for plural, count in orphans.items())
    if result.result == "terminating" and result.finalizers and not result.dry_run:
        return "It is gone once its finalizers have finished; k8s_get_resources shows whether it still exists."
    return None
