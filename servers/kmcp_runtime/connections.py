"""One connection to a server of ours: until when a request must have arrived, and which connection gives way.

uvicorn limits only how long a connection may be idle after an answer. Without more, a few hundred clients that begin a
request and never end it take every file descriptor of the process, and nobody else is answered.
"""

import asyncio
import resource
import time
from dataclasses import dataclass
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_LARGEST_HEADERS = 64 << 10


@dataclass(frozen=True)
class Limits:
    """Seconds in which a request must have arrived, headers and body; and connections at the same time."""

    request_seconds: float = 30.0
    connections: int = 1_000

    def within_descriptors(self) -> "Limits":
        """At most half of the files that the process may open: backends, programs and the other port need some."""
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return (
            self if most == resource.RLIM_INFINITY else Limits(self.request_seconds, min(self.connections, most // 2))
        )


def protocol(limits: Limits) -> type[asyncio.Protocol]:
    """The class of the connections of one server."""

    class LimitedConnection(_Connection):
        pass

    LimitedConnection.limits = limits.within_descriptors()
    return LimitedConnection


class _Connection(HttpToolsProtocol):
    limits: Limits

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._deadline: asyncio.TimerHandle | None = None
        self._unfinished_headers = 0
        self._in_headers = False
        self.waits_since = time.monotonic()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_request()
        if len(self.connections) > self.limits.connections:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_expecting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        # Armed before the parser sees it: blank lines before a request are data of none.
        if not self.answers():
            self._expect_request()
        super().data_received(data)
        if self._in_headers:
            self._unfinished_headers += len(data)
            if self._unfinished_headers > _LARGEST_HEADERS:
                self.transport.abort()

    def on_message_begin(self) -> None:
        self._in_headers, self._unfinished_headers = True, 0
        self.waits_since = time.monotonic()
        self._expect_request()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_headers = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._stop_expecting()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self.waits_since = time.monotonic()
        super().on_response_complete()

    def answers(self) -> bool:
        """Whether a request that has arrived as a whole is being answered."""
        return self.cycle is not None and not self.cycle.more_body and not self.cycle.response_complete

    def _expect_request(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.limits.request_seconds, self.transport.abort)

    def _stop_expecting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _make_room(self) -> None:
        """Close the connection that has waited longest; where every one is being answered, this one."""
        others = [found for found in self.connections if isinstance(found, _Connection) and not found.answers()]
        longest = min(others, key=lambda found: found.waits_since)
        longest.transport.abort()
        # Now and not when the loop gets to it: the next one to come must not close this one, too.
        self.connections.discard(longest)
