"""What of a call is told: who, by which client, in which trace, on what; no value of an argument beyond the target."""

import hashlib
import json
import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from fastmcp.server.context import Context
from fastmcp.server.dependencies import get_access_token, get_context

from kmcp_runtime import redaction, touched
from kmcp_runtime.audit.record import MOST, Entry, named

TARGET_WORDS = (
    "context",
    "datasource",
    "namespace",
    "resource_type",
    "resource_name",
    "name",
    "pod_name",
    "service_name",
    "container",
    "action",
    "url",
    "uid",
    "user_id",
    "org_id",
    "team_id",
    "annotation_id",
    "folder_uid",
    "group",
)
_TRACEPARENT = "traceparent"
_LONGEST_TOOL = 64


def entry_of(request: str, server: str, tool: str, effect: str, caller: str) -> Entry:
    """The beginning of an entry: what is known of a call before its arguments are looked at."""
    entry = Entry(
        request=request,
        server=server,
        tool=named(tool, _LONGEST_TOOL),
        effect=effect,
        caller=named(caller),
        groups=_groups(),
    )
    try:
        ctx = get_context()
    except RuntimeError:
        return entry
    entry.agent = _agent(ctx)
    entry.trace, entry.span = trace_ids(ctx)
    return entry


def describe(entry: Entry, arguments: Mapping[str, Any]) -> None:
    """Add what the arguments say, as far as it may be told."""
    # A digest: equal calls can be recognised, and no value can be read from the line.
    entry.arguments = redaction.fingerprint(json.dumps(arguments, sort_keys=True, default=str))
    entry.dry_run = arguments.get("dry_run") in (True, "true")
    entry.target = {word: _target(word, arguments[word]) for word in TARGET_WORDS if _names(arguments.get(word))}


def complete(entry: Entry) -> None:
    """Add what is known at the end: the objects that the call met."""
    entry.objects = [
        {part: shown for part, value in vars(each).items() if (shown := named(value))}
        for each in touched.found()[:MOST]
    ]
    if entry.outcome in ("denied", "rate_limited"):
        entry.decision = entry.decision or "deny"
    elif not entry.decision:
        entry.decision = "allow"
    entry.rule = entry.rule or ("scopes" if get_access_token() else "open")


def approved(entry: Entry, token: Any) -> None:
    """Add who said yes, of a call that may go on: a person at the client, or whoever brought the token."""
    if entry.approval == "asked":
        entry.approved_by = f"the user of {entry.agent or 'the client'}, as {entry.caller}"
    elif entry.approval == "token":
        entry.approved_by, entry.approval_id = entry.caller, approval_id(token)


def approval_id(token: Any) -> str:
    """What stands for an approval token: it cannot be used, and is the same wherever the token is told."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()[:12] if isinstance(token, str) and token else ""


def trace_ids(ctx: Context) -> tuple[str, str]:
    """Trace id and span id of the request under way, in hexadecimal; empty where there are none.

    Those of the current span where OpenTelemetry has one (its library need not be there), else of `traceparent` in the
    message's `_meta` (SEP-414), else in the HTTP headers.
    """
    library = sys.modules.get("opentelemetry.trace")
    if library is not None:
        place = library.get_current_span().get_span_context()
        if place.is_valid:
            return f"{place.trace_id:032x}", f"{place.span_id:016x}"
    request = ctx.request_context
    if request is None:
        return "", ""
    headers = request.request.headers if request.request else {}
    return _read_parent((request.meta or {}).get(_TRACEPARENT)) or _read_parent(headers.get(_TRACEPARENT)) or ("", "")


def _read_parent(text: Any) -> tuple[str, str] | None:
    """The ids of W3C Trace Context: `00-<32 hex>-<16 hex>-<2 hex>`, and later versions that begin alike."""
    parts = text.split("-") if isinstance(text, str) and len(text) <= 512 else []
    lengths = [len(part) for part in parts[:4]]
    if lengths != [2, 32, 16, 2] or parts[0] == "ff" or (parts[0] == "00" and len(parts) != 4):
        return None
    if any(set(part) - set("0123456789abcdef") for part in parts[:4]) or not int(parts[1], 16) or not int(parts[2], 16):
        return None
    return parts[1], parts[2]


def _agent(ctx: Context) -> str:
    # Only inside of a request there is a session.
    params = ctx.session.client_params if ctx.request_context is not None else None
    if params is None:
        return ""
    info = params.client_info
    return f"{named(info.name)}/{named(info.version)}".strip("/")


def _groups() -> list[str]:
    token = get_access_token()
    groups = (token.claims or {}).get("groups") if token is not None else None
    return [named(each) for each in groups[:MOST]] if isinstance(groups, list) else []


def _names(value: Any) -> bool:
    # Whatever else a caller sends in a name's place is no name, and may hold anything.
    return bool(value) and isinstance(value, str | int)


def _target(word: str, value: Any) -> str:
    return named(_plain_url(value) if word == "url" else value)


def _plain_url(value: Any) -> str:
    """An address without what may hold credentials: user, query and fragment."""
    try:
        parts = urlsplit(str(value)[:1024])
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an address that cannot be read"
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"
