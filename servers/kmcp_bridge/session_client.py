"""The client of a session as its process sees it: somebody who can be asked, and told.

What goes to the client takes the event stream of a request that is under way, for that is most likely what it belongs
to; else the stream that the client opened with GET; else it waits for one.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from mcp_types import INTERNAL_ERROR

from .answers import RpcError, unwrap
from .framing import Json

# What waits for a stream, or to be read from one; the oldest is left out beyond them.
_MOST_WAITING = 256


class Sink(Protocol):
    """An event stream towards the client."""

    def put(self, message: Json) -> bool:
        """Whether it took the message."""


class SessionClient:
    def __init__(self) -> None:
        self._ids = itertools.count(1)
        self._asked: dict[str, asyncio.Future[Json]] = {}
        self._requests: list[Sink] = []
        self._standing: Sink | None = None
        self._waiting: deque[Json] = deque(maxlen=_MOST_WAITING)

    async def ask(self, method: str, params: Json) -> Json:
        """The client's result. Errors: RpcError with what the client says against it."""
        number = f"bridge-{next(self._ids)}"
        answer: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        try:
            self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
            return await answer
        except asyncio.CancelledError:
            self.tell("notifications/cancelled", {"requestId": number})
            raise
        finally:
            del self._asked[number]

    def tell(self, method: str, params: Json) -> None:
        self._send({"jsonrpc": "2.0", "method": method} | ({"params": params} if params else {}))

    def answered(self, message: Json) -> None:
        """The client's response to a question; one that nobody asked is left alone."""
        number: Any = message.get("id")
        answer = self._asked.get(number) if isinstance(number, str) else None
        if answer is None or answer.done():
            return
        try:
            answer.set_result(unwrap(message, "the client"))
        except RpcError as error:
            answer.set_exception(error)

    def end(self) -> None:
        """The session is over: who still waits for the client hears of it."""
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(RpcError(INTERNAL_ERROR, "the session has ended"))

    @contextmanager
    def answering(self, sink: Sink) -> Iterator[None]:
        """While a request of the client is under way, its stream is the first that is used."""
        self._requests.append(sink)
        try:
            yield
        finally:
            self._requests.remove(sink)

    @contextmanager
    def standing(self, sink: Sink) -> Iterator[None]:
        """While the client listens with GET; a newer stream takes the place of an older one."""
        self._standing = sink
        waiting, self._waiting = self._waiting, deque(maxlen=_MOST_WAITING)
        for message in waiting:
            self._send(message)
        try:
            yield
        finally:
            if self._standing is sink:
                self._standing = None

    def _send(self, message: Json) -> None:
        for sink in (*reversed(self._requests), self._standing):
            if sink is not None and sink.put(message):
                return
        self._waiting.append(message)
