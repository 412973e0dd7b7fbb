"""Sessions for clients that need one to be asked, in a server that answers everybody else without.

Before 2026-07-28 a question travels on the stream of an answer, and its answer in a request of its own: only a session
tells that both belong together, and which call `notifications/cancelled` means. Whoever shakes hands gets one, as long
as there is room. A session of another process (before a restart) is no reason to turn a client away: it is answered
without one. A session that ended here is answered 404, as the protocol demands.
"""

import math
import time
from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kmcp_runtime.engine.requests import BODY, MESSAGE, replayed

IDLE_SECONDS = 30 * 60.0  # after which a session that is not used ends
_MOST = 1000  # sessions at a time; each takes about 40 kB
_KNOWN = 20_000  # ids that are remembered, so that the end of a session is told
_HEADER = b"mcp-session-id"
_FULL = 503  # what the stateful form answers when it takes no further session


class Sessions:
    """Two forms of one application: `stateful` for sessions, `stateless` for all other requests."""

    def __init__(self, stateful: ASGIApp, stateless: ASGIApp, most: int = _MOST) -> None:
        self._stateful, self._stateless, self._most = stateful, stateless, most
        self._known: dict[str, float] = {}  # by id: until when it lives, unless it is used again

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        session = Headers(scope=scope).get(_HEADER.decode(), "")
        if _shakes_hands(scope) and self._has_room():
            await self._open(scope, receive, send)
        elif session in self._known:
            await self._use(session, scope, receive, send)
        else:
            await self._stateless(scope, receive, send)

    def _has_room(self) -> bool:
        now = time.monotonic()
        return sum(until > now for until in self._known.values()) < self._most

    async def _use(self, session: str, scope: Scope, receive: Receive, send: Send) -> None:
        # Without an end while a request is under way: the stream on which a client listens may last for days.
        self._known[session] = math.inf
        try:
            await self._stateful(scope, receive, send)
        finally:
            left = 0 if scope["method"] == "DELETE" else IDLE_SECONDS
            self._known[session] = time.monotonic() + left

    async def _open(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A new session, whatever the client had before; none where no further one is taken."""
        scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0] != _HEADER]}
        full = False

        async def look(message: Message) -> None:
            nonlocal full
            if message["type"] == "http.response.start":
                full = message["status"] == _FULL
                # Before the client has it: its next request may come at once.
                self._remember(dict(message["headers"]).get(_HEADER, b"").decode("latin-1"))
            if not full:
                await send(message)

        await self._stateful(scope, receive, look)
        if full:
            await self._stateless(scope, replayed(scope[BODY], receive), send)

    def _remember(self, session: str) -> None:
        if session:
            self._known[session] = time.monotonic() + IDLE_SECONDS
        while len(self._known) > _KNOWN:  # a dict keeps its order: the oldest goes first
            del self._known[next(iter(self._known))]


def _shakes_hands(scope: Scope) -> bool:
    message = scope.get(MESSAGE)
    # HTTP/1.0 has no answer that goes on while a question is open.
    return isinstance(message, Mapping) and message.get("method") == "initialize" and scope["http_version"] != "1.0"
