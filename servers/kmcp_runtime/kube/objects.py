"""Single objects: reading, patching, creating and deleting them; and how they look without what the server adds."""

from collections.abc import Mapping
from typing import Any, Literal

from kmcp_runtime import live_state
from kmcp_runtime.errors import bad_argument
from kmcp_runtime.kube import secret_values
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.discovery import Kind
from kmcp_runtime.kube.failures import StatusFailure
from kmcp_runtime.redaction import LAST_APPLIED

FIELD_MANAGER = "kmcp-suite"
PatchType = Literal["strategic", "merge", "json", "apply"]
CONTENT_TYPES: Mapping[PatchType, str] = {
    "strategic": "application/strategic-merge-patch+json",
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "apply": "application/apply-patch+yaml",
}
Object = dict[str, Any]
_UNSPOKEN = "the server rejected our request due to an error in our request"
"""The API server's only message about a JSON patch that cannot be applied."""


def slim(found: Mapping[str, Any], *, managed_fields: bool = False) -> Object:
    """The object as people want to read it: without managedFields and without kubectl's copy of it in an annotation."""
    metadata = dict(found.get("metadata") or {})
    if not managed_fields:
        metadata.pop("managedFields", None)
    annotations = {
        key: value for key, value in (metadata.pop("annotations", None) or {}).items() if key != LAST_APPLIED
    }
    if annotations:
        metadata["annotations"] = annotations
    return {key: metadata if key == "metadata" else value for key, value in found.items()}


_REVISION = "deployment.kubernetes.io/revision"
"""Increased by the Deployment controller, moments after somebody else's change."""
# Changed by the server on every write; a diff would show nothing else.
_SERVER_FIELDS = ("resourceVersion", "generation", "uid", "creationTimestamp", "selfLink")


def comparable(found: Mapping[str, Any]) -> Object:
    """The object as a diff should show it: without what the server changes on every write."""
    kept = slim(found)
    kept["metadata"] = {key: value for key, value in kept.get("metadata", {}).items() if key not in _SERVER_FIELDS}
    annotations = {key: value for key, value in kept["metadata"].pop("annotations", {}).items() if key != _REVISION}
    if annotations:
        kept["metadata"]["annotations"] = annotations
    return kept


_MOVING: Mapping[str, tuple[str, ...]] = {
    "Event": ("count", "series", "lastTimestamp", "eventTime", "message"),
    "Endpoints": ("subsets",),
    "EndpointSlice": ("endpoints",),
}
"""What is written again and again of kinds that have no status for it."""
_LEADER = "control-plane.alpha.kubernetes.io/leader"
"""Where older controllers renew their lock."""


def bind(kind: Kind, found: Mapping[str, Any]) -> None:
    """Tie the approval of this call to the object as it is: its uid, and all of it but what controllers count up."""
    metadata = found["metadata"]
    where = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    # Not by resourceVersion: a status that is written every few seconds would void each approval before it is given.
    # Nor by kind and version, which an object of a list may lack.
    moving = ("apiVersion", "kind", *_MOVING.get(kind.kind, ("status",)))
    written = {key: value for key, value in comparable(found).items() if key not in moving}
    if kind.kind == "Lease":
        written["spec"] = {key: value for key, value in (found.get("spec") or {}).items() if key != "renewTime"}
    annotations = written["metadata"].get("annotations") or {}
    written["metadata"]["annotations"] = {key: value for key, value in annotations.items() if key != _LEADER}
    live_state.bind(f"{kind.kind} {where}{metadata['name']}", {"uid": metadata["uid"], "object": written})


def is_secret(kind: Kind) -> bool:
    return kind.kind == "Secret" and not kind.group


async def read(api: KubeApi, kind: Kind, name: str, namespace: str | None, subresource: str | None = None) -> Object:
    found: Object = await api.get(kind.path(namespace, name, subresource))
    return found


async def find(api: KubeApi, kind: Kind, name: str, namespace: str | None) -> Object | None:
    """The object, or None where there is none."""
    found: Object | None = await api.find(kind.path(namespace, name))
    return found


async def patch(
    api: KubeApi,
    kind: Kind,
    name: str,
    namespace: str | None,
    body: Any,
    patch_type: PatchType,
    *,
    dry_run: bool = False,
    subresource: str | None = None,
    force: bool = False,
    strict: bool = True,
    field_manager: str = FIELD_MANAGER,
) -> Object:
    """The patched object; in a dry run, the object as it would be."""
    query = [*write_query(dry_run, strict), ("fieldManager", field_manager)]
    if patch_type == "json" and is_secret(kind):
        secret_values.refuse_comparisons(body)
    if patch_type == "apply":
        # Only server-side apply knows force; other patches are refused with it.
        query.append(("force", "true" if force else "false"))
    path = kind.path(namespace, name, subresource)
    try:
        patched: Object = await api.send("PATCH", path, query, body, CONTENT_TYPES[patch_type])
    except StatusFailure as failure:
        if patch_type == "json" and failure.http_status == 422 and failure.message.startswith(_UNSPOKEN):
            raise bad_argument(
                f"the operations do not fit {kind.kind} {name} as it is: a path to remove, replace or test is not "
                "there, or a test does not hold",
                "read the object and correct the paths",
            ) from None
        raise
    return patched


async def create(
    api: KubeApi, kind: Kind, namespace: str | None, body: Mapping[str, Any], *, dry_run: bool = False
) -> Object:
    query = [*write_query(dry_run, strict=True), ("fieldManager", FIELD_MANAGER)]
    created: Object = await api.send("POST", kind.path(namespace), query, dict(body))
    return created


async def delete(
    api: KubeApi,
    kind: Kind,
    name: str,
    namespace: str | None,
    *,
    propagation: str,
    uid: str | None,
    resource_version: str | None = None,
    grace_period_seconds: int | None = None,
    dry_run: bool = False,
) -> Object:
    """Delete the object; where uid or resourceVersion is given, only while it has it (a conflict otherwise)."""
    preconditions = {key: value for key, value in (("uid", uid), ("resourceVersion", resource_version)) if value}
    options: Object = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": propagation.capitalize(),
        # Deletes this object only, not another that has taken its name since it was read.
        **({"preconditions": preconditions} if preconditions else {}),
        **({"gracePeriodSeconds": grace_period_seconds} if grace_period_seconds is not None else {}),
        **({"dryRun": ["All"]} if dry_run else {}),
    }
    deleted: Object = await api.send("DELETE", kind.path(namespace, name), (), options)
    return deleted


def write_query(dry_run: bool, strict: bool) -> list[tuple[str, str]]:
    # Without it the API server drops fields that it does not know, with a warning at most.
    query = [("fieldValidation", "Strict")] if strict else []
    return [*query, ("dryRun", "All")] if dry_run else query
