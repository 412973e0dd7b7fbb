"""Calls from a tool's page: a plain way to the server's MCP address, with nothing but what the caller brings.

No credential of this process goes along, only the Authorization that came; so authentication, policy, approval and
audit are the server's, as for every client. Cookies mean nothing here, and a request must come from this very page.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from kmcp_runtime import json_text
from kmcp_runtime.worker import run_in_thread

from .console_rules import NotAllowedError, Way, way_of
from .page.views import HEADERS

Described = Mapping[str, Any]
_LARGEST = 2**20  # bytes of a request
_MOST = 16
"""Calls at once: each holds two connections."""
_ALIVE_SECONDS = 10.0
"""Between signs of life, so that no proxy closes the stream of a long call."""
_DEADLINE_SECONDS = 600.0
_JSON = "application/json"


class CallFailedError(Exception):
    """There is no answer of the tool: `status` is that of HTTP where the server turned the caller away, else 0."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class Caller(Protocol):
    """Calls a tool over MCP; `heard` gets each message of progress. Errors: CallFailedError."""

    def __call__(
        self,
        url: str,
        headers: Mapping[str, str],
        tool: Described,
        arguments: Mapping[str, Any],
        heard: Callable[[Mapping[str, Any]], None],
        version: str | None,
    ) -> Awaitable[Mapping[str, Any]]: ...


Admit = Callable[[Request, Described], Awaitable[None]]
"""Whether the sender may reach a server through this process; raises TurnedAwayError."""


class Console:
    """`admit`: asked before each call; None where whoever reaches the page reaches the servers, too."""

    def __init__(self, call: Caller, admit: Admit | None = None) -> None:
        self._call, self._admit, self._running = call, admit, 0

    async def answer(self, request: Request, server: Described | None) -> Response:
        """A stream of events: progress, then the result or a failure; a refusal where nothing may be called."""
        if fault := _stranger(request):
            return _refusal(403, fault)
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _JSON:
            return _refusal(415, f"Content-Type must be {_JSON}")
        if server is None:
            return _refusal(404, "no such server")
        if self._admit:
            await self._admit(request, server)
        body = await _read(request)
        if isinstance(body, Response):
            return body
        named = [each for each in server["tools"] if each["name"] == body["tool"]]
        if not named:
            return _refusal(404, "no such tool")
        try:
            ways = {way_of(each, body["arguments"]) for each in named}
        except NotAllowedError as error:
            return _refusal(403, str(error))
        tool, way = named[0], ways.pop()
        if ways:  # which of the two the server would call is not known
            return _refusal(403, "the server lists this name twice, and not with the same effect; use a client")
        if self._running >= _MOST:
            return _refusal(503, f"{_MOST} calls are under way; try again when one has ended")
        signed = {"Authorization": given} if (given := request.headers.get("authorization")) else {}
        events = self._events(_address(server, tool, way), signed, tool, body["arguments"], server["protocolVersion"])
        # Now and not when the stream begins: others may ask until then.
        self._running += 1
        return _Call(events, self._end_call)

    def _end_call(self) -> None:
        self._running -= 1

    async def _events(
        self,
        url: str,
        headers: Mapping[str, str],
        tool: Described,
        arguments: Mapping[str, Any],
        version: str | None,
    ) -> AsyncGenerator[str]:
        heard: asyncio.Queue[Mapping[str, Any] | None] = asyncio.Queue(100)
        began = time.monotonic()
        calling = asyncio.ensure_future(self._call(url, headers, tool, arguments, _keep(heard), version))
        calling.add_done_callback(lambda done: _keep(heard)(None))
        try:
            async with asyncio.timeout(_DEADLINE_SECONDS):
                async for event in _progress(heard, calling):
                    yield event
            yield _event({"seconds": round(time.monotonic() - began, 3), **_outcome(calling)})
        except TimeoutError:
            yield _event({"error": f"no answer within {_DEADLINE_SECONDS:.0f} s; the call was given up", "status": 0})
        finally:
            # The page has gone, or cancelled: so has the call.
            calling.cancel()
            await asyncio.gather(calling, return_exceptions=True)


class _Call(StreamingResponse):
    """The stream of one call; `ended` is called when nothing is left of it, also where it was never begun."""

    def __init__(self, events: AsyncGenerator[str], ended: Callable[[], None]) -> None:
        headers = {**HEADERS, "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(events, media_type="text/event-stream", headers=headers)
        self._events, self._ended = events, ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with contextlib.aclosing(self._events):
                await super().__call__(scope, receive, send)
        finally:
            self._ended()


def _stranger(request: Request) -> str:
    """Why a request is none of this page's own; browsers do not let a page set these headers."""
    origin, host = request.headers.get("origin", ""), request.headers.get("host", "")
    # Whether a proxy before us has ended TLS is not known here, so the scheme is either.
    if not host or origin not in (f"http://{host}", f"https://{host}"):
        return "the console takes requests of its own page alone: Origin must be the address of this catalog"
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return "the console takes requests of its own page alone"
    return ""


async def _read(request: Request) -> dict[str, Any] | Response:
    text = bytearray()
    async for chunk in request.stream():
        text += chunk
        if len(text) > _LARGEST:
            return _refusal(413, f"the arguments are larger than {_LARGEST >> 20} MiB")
    try:
        body = await run_in_thread(json_text.read, bytes(text))
    except ValueError as error:
        return _refusal(400, f"the body cannot be read as JSON: {error}"[:256])
    if (
        not isinstance(body, dict)
        or not isinstance(body.get("tool"), str)
        or not isinstance(body.get("arguments"), dict)
    ):
        return _refusal(400, 'send {"tool": NAME, "arguments": {…}}')
    return body


def _address(server: Described, tool: Described, way: Way) -> str:
    url = str(server["url"])
    if way == "rehearsal" or tool["effectSource"] != "declared":
        return url
    return f"{url}{'&' if '?' in url else '?'}read-only"


def _keep(heard: "asyncio.Queue[Mapping[str, Any] | None]") -> Callable[[Mapping[str, Any] | None], None]:
    def keep(message: Mapping[str, Any] | None) -> None:
        if heard.full():  # of a flood of progress the newest is worth most
            heard.get_nowait()
        heard.put_nowait(message)

    return keep


async def _progress(
    heard: "asyncio.Queue[Mapping[str, Any] | None]", calling: "asyncio.Future[Mapping[str, Any]]"
) -> AsyncIterator[str]:
    yield ": begun\n\n"
    while not calling.done() or not heard.empty():
        try:
            async with asyncio.timeout(_ALIVE_SECONDS):
                message = await heard.get()
        except TimeoutError:
            yield ": alive\n\n"
            continue
        if message is not None:
            yield _event({"progress": message})


def _outcome(calling: "asyncio.Future[Mapping[str, Any]]") -> dict[str, Any]:
    try:
        result = calling.result()
    except CallFailedError as error:
        return {"error": str(error), "status": error.status}
    return {"result": result, "tokens": _tokens(result)}


def _tokens(result: Mapping[str, Any]) -> int:
    """Of the texts, which a model reads; by bytes, as those of a list of tools."""
    content = result.get("content")
    texts = [each.get("text") for each in content if isinstance(each, dict)] if isinstance(content, list) else []
    return sum(len(text.encode()) for text in texts if isinstance(text, str)) // 4


def _event(content: Mapping[str, Any]) -> str:
    return f"data: {json.dumps(content, ensure_ascii=False, separators=(',', ':'))}\n\n"


def _refusal(status: int, text: str) -> Response:
    return JSONResponse({"error": text, "status": status}, status, HEADERS)
