"""One request over HTTP and its response: JSON, or an event stream when something comes before the answer.

It is a stream, too, when the answer takes long, so that proxies do not hang up.
"""

import asyncio
import contextlib
from dataclasses import dataclass, field

from mcp.shared.inbound import ERROR_CODE_HTTP_STATUS
from starlette.types import Receive, Send

from . import relay
from .framing import Json, encode

# Below the 60 s after which nginx drops a silent connection, and the 30 s of some load balancers.
_PING_SECONDS = 15.0
_MOST_EVENTS = 256  # of one stream, waiting to be read; what comes beyond them is left out
# nginx buffers responses unless X-Accel-Buffering forbids it, and events would arrive late.
_EVENT_STREAM = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]


@dataclass(eq=False)
class Events:
    """Messages on their way to a client that takes an event stream; None ends it."""

    streams: bool
    headers: dict[str, str] = field(default_factory=dict)
    queue: "asyncio.Queue[bytes | None]" = field(default_factory=asyncio.Queue)
    ended: bool = False

    def put(self, message: Json) -> bool:
        """Whether it is on its way."""
        if not self.streams or self.ended or self.queue.qsize() >= _MOST_EVENTS:
            return False
        self.queue.put_nowait(event(message))
        return True

    def end(self) -> None:
        self.ended = True
        self.queue.put_nowait(None)

    async def begin(self, send: Send) -> None:
        headers = [*_EVENT_STREAM, *((k.encode(), v.encode()) for k, v in self.headers.items())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})

    async def send(self, send: Send, started: bool = False) -> bool:
        """What comes before the end; whether the response was begun."""
        while True:
            message: bytes | None = b": ping\r\n\r\n"
            with contextlib.suppress(TimeoutError):  # nothing for a while: the ping keeps proxies from hanging up
                async with asyncio.timeout(_PING_SECONDS):
                    message = await self.queue.get()
            if message is None:
                return started
            if not self.streams:
                continue
            if not started:
                await self.begin(send)
                started = True
            await send({"type": "http.response.body", "body": message, "more_body": True})


@dataclass(eq=False)
class Exchange(Events):
    """One request and what has to be known to answer it."""

    call: relay.Call = field(default_factory=lambda: relay.Call("ping", {}))
    number: str | int = 0
    session: str | None = None

    def progress(self, params: Json) -> None:
        self.put({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})


async def listen(events: Events, receive: Receive, send: Send) -> None:
    """A stream that is there for what has no answer, until the client leaves or it is ended."""
    gone = asyncio.create_task(_wait_for_disconnect(receive))
    gone.add_done_callback(lambda _: events.end())
    try:
        await events.begin(send)
        await events.send(send, started=True)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        events.ended = True
        gone.cancel()


async def respond(exchange: Exchange, work: "asyncio.Task[Json]", receive: Receive, send: Send) -> None:
    """Send what comes before the answer, and the answer, unless the client leaves first."""
    gone = asyncio.create_task(_wait_for_disconnect(receive))
    # The end comes with whichever is first: the answer or the end of the connection.
    gone.add_done_callback(lambda _: exchange.end())
    work.add_done_callback(lambda _: exchange.end())
    try:
        started = await exchange.send(send)
        if not work.done():
            if exchange.call.stateless:
                work.cancel()  # In this era leaving is how a client cancels; before, an answer was just not heard.
            return
        await _finish(exchange, work, started, send)
    finally:
        exchange.ended = True
        gone.cancel()


async def _finish(exchange: Exchange, work: "asyncio.Task[Json]", started: bool, send: Send) -> None:
    # Code 0, as version 1 of the SDK answers a cancelled request.
    outcome: Json = {"error": {"code": 0, "message": "Request cancelled"}} if work.cancelled() else work.result()
    message = {"jsonrpc": "2.0", "id": exchange.number, **outcome}
    if started:
        await send({"type": "http.response.body", "body": event(message), "more_body": False})
        return
    status = 200
    # Only the stateless revisions map errors to HTTP statuses; before them every answer was 200.
    if exchange.call.stateless and "error" in outcome:
        status = ERROR_CODE_HTTP_STATUS.get(outcome["error"]["code"], 200)
    body = encode(message)
    headers = {"content-type": "application/json", "content-length": str(len(body)), **exchange.headers}
    raw = [(key.encode(), value.encode()) for key, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def event(message: Json) -> bytes:
    return b"event: message\r\ndata: " + encode(message) + b"\r\n\r\n"
