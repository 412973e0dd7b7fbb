"""Grafana's failures in the words of the suite: whose right is missing, what manages a thing, what a version lacks."""

import json
from typing import Any

from kmcp_runtime import ToolFailure, forbidden
from kmcp_runtime.upstream import Refused

BACKEND = "grafana"
NEEDS_ADMINISTRATOR = "it needs basic authentication of a server administrator: GRAFANA_USERNAME and GRAFANA_PASSWORD"
_NO_ROUTE = ("not found", "404 page not found", "the server could not find the requested resource")
_MANAGED_WORDS = ("provision", "provenance", "read-only", "managed by", "read only")


def body_of(refused: Refused) -> dict[str, Any]:
    """The JSON object of an error answer; empty when it is none."""
    try:
        parsed = json.loads(refused.answer.content)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def message_of(refused: Refused) -> str:
    return str(body_of(refused).get("message") or refused.answer.text.strip()[:200])


def lacks_endpoint(refused: Refused) -> bool:
    """Whether this 404 means that the server has no such route, and not that a thing is absent."""
    if refused.status != 404:
        return False
    return message_of(refused).lower().rstrip(".") in _NO_ROUTE or "html" in refused.answer.headers.get(
        "content-type", ""
    )


def explain(refused: Refused) -> ToolFailure:
    """What a refusal means; the failure itself where its status says it all."""
    if refused.status in (400, 403) and _is_managed(message_of(refused)):
        return _as(refused, "forbidden", "change it where it is provisioned, or copy it under another name")
    if refused.status == 403:
        permissions = message_of(refused).partition("Permissions needed:")[2].strip()
        lacking = f": {permissions}" if permissions else ""
        return _as(refused, "forbidden", f"give the identity of this server the permission{lacking}")
    return refused


def _is_managed(words: str) -> bool:
    """Whether it is refused for what keeps the thing; a lacking permission may be of provisioning, too."""
    lowered = words.lower()
    return "permissions needed" not in lowered and any(word in lowered for word in _MANAGED_WORDS)


def _as(refused: Refused, code: Any, hint: str) -> Refused:
    refused.code = code
    refused.hint = hint
    return refused


def refuse_managed_by(kind: str, name: str, manager: str) -> ToolFailure:
    """A thing that something else keeps as it is."""
    return forbidden(
        f"{kind} {name} is managed by {manager}: a change here would be refused or undone",
        f"change it in {manager}, or copy it under another name",
        backend=BACKEND,
    )


def needs_administrator(action: str) -> ToolFailure:
    return forbidden(
        f"{action} is server administration, which a service account token cannot do",
        NEEDS_ADMINISTRATOR,
        backend=BACKEND,
    )
