"""What the API server answers, as failures that a caller can act on; its own Status message is always included."""

import json
import re
from collections.abc import Mapping
from typing import Any

from kmcp_runtime import json_text
from kmcp_runtime.errors import Code, ToolFailure
from kmcp_runtime.hints import by_tool
from kmcp_runtime.kube import admission

BACKEND = "kube-apiserver"
_CODES: Mapping[int, Code] = {
    400: "bad_argument",
    401: "forbidden",
    403: "forbidden",
    404: "not_found",
    405: "bad_argument",
    406: "bad_argument",
    409: "conflict",
    410: "bad_argument",
    413: "too_large",
    415: "bad_argument",
    422: "bad_argument",
    429: "unavailable",
    503: "unavailable",
    504: "timed_out",
}
# How apimachinery's field.Error introduces the value that it quotes.
_ECHO = "Invalid value: "
_LONGEST_ECHO = 200
_DUMPED = re.compile(
    r"(may not change fields other than [^\n]*|updates to \S+ spec for fields other than [^\n]*)\n.*", re.DOTALL
)
"""What follows is the whole spec, as Go prints it, with every literal value of an env."""
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
# `impersonate`, and since Kubernetes 1.35 (KEP-5284) `impersonate:user-info` or `impersonate-on:user-info:get`.
_IMPERSONATION = re.compile(r"cannot impersonate[-:a-z]* (?:resource|path) ")
_MAY_NOT_IMPERSONATE = (
    "this server may not act as its callers (KMCP_ACT_AS=impersonate): a ClusterRole of its account needs the verb "
    "impersonate on users, groups and serviceaccounts, and on uids and userextras of authentication.k8s.io"
)
EXPIRED = "start again without cursor"


_OF_A_GROUP = re.compile(r"/apis/(?P<group>[^/]+/[^/]+)/(?:namespaces/[^/]+/)?(?P<plural>[^/?]+)")


class StatusFailure(ToolFailure):
    """An error answer of the API server, with its Status."""

    def __init__(self, http_status: int, status: Mapping[str, Any], message: str, hint: str | None) -> None:
        super().__init__(_CODES.get(http_status, "unavailable"), message, hint, backend=BACKEND)
        self.http_status = http_status
        self.status = status

    @property
    def reason(self) -> str:
        return str(self.status.get("reason", ""))

    @property
    def causes(self) -> list[Mapping[str, Any]]:
        return list((self.status.get("details") or {}).get("causes") or ())


class PolicyRefusal(StatusFailure):
    """A request that the policy does not allow; it was not sent. What copes with a missing right copes with it too."""

    def __init__(self, failure: ToolFailure) -> None:
        super().__init__(403, {}, failure.message, failure.hint)
        self.code, self.backend, self.details = failure.code, failure.backend, failure.details


def from_response(http_status: int, body: bytes, who: str, renew: str = "KUBECONFIG") -> StatusFailure:
    """The failure behind an error answer. `who` describes the identity that was used, `renew` where it comes from."""
    status = _status(body)
    message = str(status.get("message") or body[:500].decode(errors="replace").strip() or f"HTTP {http_status}")
    message = _without_echoes(_DUMPED.sub(r"\1", message))
    return StatusFailure(http_status, status, message, _hint(http_status, status, who, renew))


def unserved(http_status: int, path: str, failure: StatusFailure) -> StatusFailure | None:
    """The failure in words where the API server no longer has the kind itself: it then answers 404 without a Status."""
    found = _OF_A_GROUP.match(path)
    if http_status != 404 or failure.status or not found or "/proxy" in path:
        return None
    message = f"the API server does not serve {found['plural']} of {found['group']}"
    hint = "its CustomResourceDefinition was deleted, or has other versions now; call again: the kinds are read anew"
    return StatusFailure(404, {}, message, hint)


def _without_echoes(message: str) -> str:
    """The message without the whole objects that the API server repeats in it: they are long and may hold secrets."""
    parts = message.split(_ECHO)
    return parts[0] + "".join(_shortened(part) for part in parts[1:])


def _shortened(part: str) -> str:
    length = _echoed(part)
    whole = part[:2] in ('"{', '"[') or part.startswith('"map[')
    if length <= _LONGEST_ECHO and not whole:
        return _ECHO + part
    return "Invalid value" + part[length:]


def _echoed(part: str) -> int:
    """How many characters of the text are the value, written as JSON or in quotes."""
    quoted = _QUOTED.match(part)
    if quoted:
        return quoted.end()
    try:
        return json.JSONDecoder().raw_decode(part)[1] if part[:1] in "{[" else 0
    except ValueError:
        # Neither quoted nor JSON to its end: everything after it may belong to the value.
        return len(part)


def _status(body: bytes) -> dict[str, Any]:
    try:
        parsed = json_text.read(body)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _hint(http_status: int, status: Mapping[str, Any], who: str, renew: str) -> str | None:
    refused = admission.hint(http_status, str(status.get("message")))
    if refused:
        return refused
    if http_status == 401:
        return f"the credentials of {who} were refused: they may have expired; renew them ({renew})"
    if http_status == 403 and _IMPERSONATION.search(str(status.get("message"))):
        return _MAY_NOT_IMPERSONATE
    if http_status == 403:
        return by_tool("rights", f"shows the rights of {who}") or f"{who} lacks this right"
    if http_status == 410:
        return EXPIRED
    if http_status == 429:
        seconds = (status.get("details") or {}).get("retryAfterSeconds")
        return f"the API server is throttling; try again{f' in {seconds} s' if seconds else ''}"
    return None
