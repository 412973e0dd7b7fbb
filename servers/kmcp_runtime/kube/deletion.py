"""Deleting one object in the state that was approved, and no other that has taken its name."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from kmcp_runtime.errors import ToolFailure, conflict
from kmcp_runtime.kube import objects
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.discovery import Kind
from kmcp_runtime.kube.failures import BACKEND, StatusFailure
from kmcp_runtime.kube.objects import Object

_TRIES = 3


async def delete_as_bound(
    api: KubeApi,
    kind: Kind,
    found: Mapping[str, Any],
    reread: Callable[[], Awaitable[Mapping[str, Any]]],
    *,
    propagation: str = "background",
    grace_period_seconds: int | None = None,
    dry_run: bool = False,
) -> Object:
    """Delete the object as `objects.bind` bound it; what only a controller wrote meanwhile does not matter.

    `reread` answers the object as it is by then. Errors: `conflict` when it is another object, or in another state.
    """
    metadata = found["metadata"]
    for _ in range(_TRIES):
        try:
            return await objects.delete(
                api,
                kind,
                metadata["name"],
                metadata.get("namespace"),
                propagation=propagation,
                uid=metadata["uid"],
                resource_version=None if dry_run else metadata.get("resourceVersion"),
                grace_period_seconds=grace_period_seconds,
                dry_run=dry_run,
            )
        except StatusFailure as failure:
            if failure.http_status != 409 or "ResourceVersion" not in failure.message:
                raise (_replaced(kind, failure) or failure) from None
        found = await reread()
        objects.bind(kind, found)
        metadata = found["metadata"]
    raise conflict(f"{kind.kind} {metadata['name']} keeps changing; nothing was deleted", "try again")


def _replaced(kind: Kind, failure: StatusFailure) -> ToolFailure | None:
    if failure.http_status != 409 or "UID" not in failure.message:
        return None
    # The precondition: between reading and deleting, another object took the name.
    return conflict(f"{kind.kind} was replaced in the meantime; nothing was deleted", "read it again", backend=BACKEND)
