"""What the API server refuses about an object, explained so that the next try succeeds."""

import re
from collections.abc import Mapping
from typing import Any

from kmcp_kubernetes.openapi import OpenApi, path_parts
from kmcp_runtime import ToolFailure, conflict, did_you_mean
from kmcp_runtime.kube.discovery import Kind
from kmcp_runtime.kube.failures import BACKEND, StatusFailure
from kmcp_runtime.kube.objects import FIELD_MANAGER

# The first form is of strict decoding (fieldValidation=Strict), the second of server-side apply.
_UNKNOWN_FIELD = re.compile(r'unknown field "([^"]+)"|(\.\S+): field not declared in schema')
_UNTYPED = "failed to create typed patch object"
# The API server leaves the name out when the patched object cannot be decoded.
_NAMELESS = re.compile(r'^\s*"" is invalid: patch: ')


async def explain_refusal(failure: StatusFailure, openapi: OpenApi, kind: Kind) -> ToolFailure:
    """The failure of a write, with its cause in the caller's terms; a failure that is clear is returned as it is."""
    causes = [cause for cause in failure.causes if cause.get("reason") == "FieldManagerConflict"]
    if causes:
        return _conflict(failure, causes)
    message = _NAMELESS.sub(f"{kind.kind}: ", failure.message)
    unknown = [first or second for first, second in _UNKNOWN_FIELD.findall(message)]
    if unknown:
        return _bad(message, await _suggest_fields(openapi, kind, unknown))
    if _UNTYPED in message:
        return _bad(message, f"k8s_explain resource_type={kind.full_name} shows the types")
    if failure.http_status == 409 and failure.reason == "AlreadyExists":
        return conflict(message, "k8s_apply_manifest changes what exists", backend=BACKEND)
    if message != failure.message:
        return _bad(message, failure.hint)
    return failure


def is_conflict_with_oneself(failure: StatusFailure) -> bool:
    """Whether every field of a conflict is owned by this server alone, by a tool that does not apply."""
    owners = [str(cause.get("message")) for cause in failure.causes if cause.get("reason") == "FieldManagerConflict"]
    return bool(owners) and all(re.match(rf'conflict with "{FIELD_MANAGER}"', owner) for owner in owners)


def _bad(message: str, hint: str | None) -> ToolFailure:
    return ToolFailure("bad_argument", message, hint, backend=BACKEND)


def _conflict(failure: StatusFailure, causes: list[Mapping[str, Any]]) -> ToolFailure:
    owners = [(str(cause.get("field")), str(cause.get("message")).removeprefix("conflict with ")) for cause in causes]
    fields = "; ".join(f"{path} ({owner})" for path, owner in owners)
    return conflict(
        f"other field managers own what the manifest sets: {fields}",
        "leave these fields out, or repeat with force=true, which takes them over",
        backend=BACKEND,
    )


async def _suggest_fields(openapi: OpenApi, kind: Kind, paths: list[str]) -> str:
    explain = f"k8s_explain resource_type={kind.full_name} lists the fields"
    try:
        schema = await openapi.read_schema(kind)
    except ToolFailure:  # Without a schema the path alone must do.
        return explain
    hints = []
    for path in paths:
        parent, missing = schema.at(path_parts(path))
        close = did_you_mean(missing[0], parent.inside.properties) if missing else None
        if close:
            hints.append(f"{path.lstrip('.')}: {close}")
    return "; ".join([*hints, explain])
