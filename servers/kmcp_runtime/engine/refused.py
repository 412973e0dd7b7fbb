"""Requests that are answered with an error before they are calls: each is told in the audit, with its reason."""

from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kmcp_runtime.audit.record import Refused, named
from kmcp_runtime.audit.refusals import Reason, Refusals, watching

_BY_STATUS: dict[int, Reason] = {
    400: "malformed",
    401: "unknown_token",
    403: "scope",
    413: "malformed",
    415: "malformed",
    421: "host",
    429: "rate_limited",
}


class Told:
    """The outermost layer: it sees every answer, whichever layer below gives it."""

    def __init__(self, app: ASGIApp, refusals: Refusals) -> None:
        self._app, self._refusals = app, refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        why = watching()

        async def look(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in _BY_STATUS:
                reason = why.reason or _reason(message, scope)
                self._refusals.request(_refused(reason, message["status"], scope))
            await send(message)

        await self._app(scope, receive, look)


def _reason(message: Message, scope: Scope) -> Reason:
    """What the status says where nobody said more."""
    status, headers = message["status"], Headers(scope=scope)
    if status == 401 and headers.get("authorization", "")[:7].lower() != "bearer ":
        return "no_token"
    # The framework answers a scope that is missing with a challenge; an Origin that is not allowed has none.
    challenged = any(name.lower() == b"www-authenticate" for name, _ in message["headers"])
    return "origin" if status == 403 and not challenged else _BY_STATUS[status]


def _refused(reason: Reason, status: int, scope: Scope) -> Refused:
    headers, client = Headers(scope=scope), scope.get("client")
    about: dict[str, Any] = {reason: named(headers.get(reason))} if reason in ("host", "origin") else {}
    return Refused(reason=reason, status=status, peer=str(client[0]) if client else "", **about)
