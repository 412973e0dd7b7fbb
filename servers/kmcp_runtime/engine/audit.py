"""What of a call is told: who, by which client, in which trace, on what; no value of an argument beyond the target."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import mcp_types
from fastmcp.server.context import Context
from fastmcp.server.dependencies import get_access_token, get_context

from kmcp_runtime import redaction, touched
from kmcp_runtime.audit.record import MOST, Entry, named
from kmcp_runtime.engine.grants import SCOPES
from kmcp_runtime.identities import Caller
from kmcp_runtime.tracing import contexts

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
_LONGEST_TOOL = 64


def entry_of(request: str, server: str, tool: str, effect: str, caller: Caller) -> Entry:
    """The beginning of an entry: what is known of a call before its arguments are looked at."""
    entry = Entry(
        request=request,
        server=server,
        tool=named(tool, _LONGEST_TOOL),
        effect=effect,
        caller=named(caller.name),
        groups=[named(group) for group in caller.groups[:MOST]],
    )
    if client := client_info():
        entry.agent = f"{named(client.name)}/{named(client.version)}".strip("/")
    if place := contexts.current():
        entry.trace, entry.span = place.trace_id, place.span_id
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
    entry.rule = entry.rule or (SCOPES if get_access_token() else "open")


def approved(entry: Entry, token: Any) -> None:
    """Add who said yes, of a call that may go on: a person at the client, or whoever brought the token."""
    if entry.approval == "asked":
        entry.approved_by = f"the user of {entry.agent or 'the client'}, as {entry.caller}"
    elif entry.approval == "token":
        entry.approved_by, entry.approval_id = entry.caller, approval_id(token)


def approval_id(token: Any) -> str:
    """What stands for an approval token: it cannot be used, and is the same wherever the token is told."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()[:12] if isinstance(token, str) and token else ""


def context_of_request() -> Context | None:
    """What the framework knows of this request; None outside of one."""
    try:
        return get_context()
    except RuntimeError:
        return None


def client_info() -> mcp_types.Implementation | None:
    """What the client of this request says of itself; None outside of a request, and where it says nothing."""
    ctx = context_of_request()
    # Only inside of a request there is a session.
    params = ctx.session.client_params if ctx is not None and ctx.request_context is not None else None
    return params.client_info if params is not None else None


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
