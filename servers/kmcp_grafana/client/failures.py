"""What Grafana's refusals mean: a missing permission, an object that something else manages, an absent route."""

import re
from typing import Any

from kmcp_runtime import ToolFailure, forbidden, read_json
from kmcp_runtime.upstream import Refused

BACKEND = "grafana"
NEEDS_ADMINISTRATOR = "it needs basic authentication of a server administrator: GRAFANA_USERNAME and GRAFANA_PASSWORD"
# The messages of Grafana's router, of Go's and of its Kubernetes-like API, in lower case.
_NO_ROUTE = ("not found", "404 page not found", "the server could not find the requested resource")
# Status and code are the same as for a missing permission; only the message differs.
_UID = re.compile(r"[a-zA-Z0-9_-]{1,40}")
_MANAGED_WORDS = ("provision", "provenance", "read-only", "managed by", "read only")


def body_of(refused: Refused) -> dict[str, Any]:
    """The JSON object of an error answer; empty when the answer is something else."""
    try:
        parsed = read_json(refused.answer.content)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def message_of(refused: Refused) -> str:
    return str(body_of(refused).get("message") or refused.answer.text.strip()[:200])


def is_absent(refused: Refused, uid: str) -> bool:
    """Whether nothing has this uid: an answer of 404, or of 400 to what cannot be a uid, such as a title."""
    return refused.status == 404 or (refused.status == 400 and not _UID.fullmatch(uid))


def lacks_endpoint(refused: Refused) -> bool:
    """Whether this 404 means that Grafana lacks the route, rather than the object."""
    if refused.status != 404:
        return False
    return message_of(refused).lower().rstrip(".") in _NO_ROUTE or "html" in refused.answer.headers.get(
        "content-type", ""
    )


def explain(refused: Refused) -> ToolFailure:
    """The failure with a better code and hint, when its status alone does not say enough."""
    if refused.status in (400, 403) and _is_managed(message_of(refused)):
        return _as(refused, "forbidden", "change it where it is provisioned, or copy it under another name")
    if refused.status == 403:
        permissions = message_of(refused).partition("Permissions needed:")[2].strip()
        lacking = f": {permissions}" if permissions else ""
        return _as(refused, "forbidden", f"give the identity of this server the permission{lacking}")
    return refused


def _is_managed(words: str) -> bool:
    """Whether it was refused because provisioning or a tool manages the object."""
    # A missing permission can have `provisioning` in its name and means something else.
    lowered = words.lower()
    return "permissions needed" not in lowered and any(word in lowered for word in _MANAGED_WORDS)


def _as(refused: Refused, code: Any, hint: str) -> Refused:
    refused.code = code
    refused.hint = hint
    return refused


def refuse_managed_by(kind: str, name: str, manager: str) -> ToolFailure:
    """The failure for an object that something else manages."""
    return forbidden(
        f"{kind} {name} is managed by {manager}: a change here would be refused or undone",
        f"change it in {manager}, or copy it under another name",
        backend=BACKEND,
    )


def needs_administrator(action: str) -> ToolFailure:
    return forbidden(
        f"{action} is server administration, which a service account token does not allow",
        NEEDS_ADMINISTRATOR,
        backend=BACKEND,
    )
