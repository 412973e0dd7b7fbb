"""Streamable HTTP at /mcp in both eras of the protocol, told apart by the header `MCP-Protocol-Version`.

An answer is JSON unless progress comes before it, or it takes long: then it is an event stream. A session id is made up
in a handshake and believed when it comes back, known or not. Nothing is pushed outside an answer: GET is not allowed.
"""

import asyncio
import contextlib
import json
import logging
import re
import uuid
from dataclasses import dataclass, field
from typing import Any

from mcp.server.streamable_http import check_accept_headers
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from mcp.shared.inbound import (
    ERROR_CODE_HTTP_STATUS,
    InboundLadderRejection,
    classify_inbound_request,
    find_duplicated_routing_header,
    unsupported_protocol_version_rejection,
)
from mcp_types import HEADER_MISMATCH, INTERNAL_ERROR, INVALID_REQUEST, PARSE_ERROR
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from . import relay
from .children import Children
from .metrics import Metrics
from .wire import Json, RpcError, as_object

log = logging.getLogger("kmcp.bridge")
# Below the 60 s after which nginx drops a silent connection, and the 30 s of some load balancers.
_PING_SECONDS = 15.0
_MOST_EVENTS = 256  # of one answer, waiting to be read; progress beyond them is left out
# Visible ASCII only, as the transport's specification demands of session ids.
_SESSION = re.compile(r"[\x21-\x7e]{1,128}")
# nginx buffers responses unless X-Accel-Buffering forbids it, and events would arrive late.
_EVENT_STREAM = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]


@dataclass
class _Exchange:
    """One request and what has to be known to answer it."""

    call: relay.Call
    number: str | int
    session: str | None
    streams: bool
    headers: dict[str, str] = field(default_factory=dict)
    events: "asyncio.Queue[bytes | None]" = field(default_factory=asyncio.Queue)

    def progress(self, params: Json) -> None:
        if self.streams and self.events.qsize() < _MOST_EVENTS:
            self.events.put_nowait(_event({"jsonrpc": "2.0", "method": "notifications/progress", "params": params}))


class Endpoint:
    def __init__(
        self, children: Children, tools: frozenset[str], security: TransportSecuritySettings, metrics: Metrics
    ) -> None:
        self.children, self.tools, self.metrics = children, tools, metrics
        self._security = TransportSecurityMiddleware(security)
        self._under_way: dict[tuple[str, str | int], asyncio.Task[Json]] = {}
        self._tasks: set[asyncio.Task[Json]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        refusal = await self._security.validate_request(request, is_post=request.method == "POST")
        try:
            done = refusal or await self._take_request(request)
        except RpcError as error:
            done = _refused(error, None)
        if isinstance(done, _Exchange):
            await self._respond(done, receive, send)
        else:
            await done(scope, receive, send)

    async def _take_request(self, request: Request) -> Response | _Exchange:
        version = request.headers.get("mcp-protocol-version")
        stateless = version is not None and version not in HANDSHAKE_PROTOCOL_VERSIONS
        session = None if stateless else _session(request)
        if request.method == "DELETE" and not stateless:
            self.children.end(session or "")
            return Response(status_code=200)
        if request.method != "POST":
            return Response(status_code=405, headers={"Allow": "POST" if stateless else "POST, DELETE"})
        as_json, streams = check_accept_headers(request)
        if not as_json and not streams:
            return Response(status_code=406)
        message = await _read_message(request)
        if "id" not in message or "method" not in message:
            return self._noticed(message, session, version if stateless else None)
        return self._exchange(request, message, session, version if stateless else None, streams)

    def _noticed(self, message: Json, session: str | None, stateless: str | None) -> Response:
        """A notification, or an answer to a request that was never sent."""
        if stateless is not None and (fault := self._unserved(stateless)):
            return _rejected(fault, None)
        if stateless is None and session and message.get("method") == "notifications/cancelled":
            cancelled = as_object(message.get("params")).get("requestId")
            if isinstance(cancelled, str | int) and (work := self._under_way.get((session, cancelled))):
                work.cancel()
        return Response(status_code=202)

    def _exchange(
        self, request: Request, message: Json, session: str | None, stateless: str | None, streams: bool
    ) -> Response | _Exchange:
        number, method, params = message["id"], message["method"], message.get("params") or {}
        # MCP forbids null as an id; bool is an int in Python.
        valid = isinstance(number, str | int) and not isinstance(number, bool)
        if not valid or not isinstance(method, str) or not isinstance(params, dict):
            raise RpcError(INVALID_REQUEST, "the body must be one JSON-RPC request or notification")
        if not isinstance(params.get("_meta", {}), dict):
            raise RpcError(INVALID_REQUEST, "params._meta must be an object")
        if stateless is None:
            headers = {}
            if method == "initialize":
                # A client that shakes hands again keeps its session, and with it its process.
                session = session or uuid.uuid4().hex
                headers = {"mcp-session-id": session}
            return _Exchange(relay.Call(method, params), number, session, streams, headers)
        if fault := self._envelope_fault(request, message, stateless):
            return _rejected(fault, number)
        return _Exchange(relay.Call(method, params, dict(request.headers)), number, None, streams)

    def _envelope_fault(self, request: Request, message: Json, version: str) -> InboundLadderRejection | None:
        duplicated = find_duplicated_routing_header(request.headers.items())
        if duplicated is not None:
            return InboundLadderRejection(HEADER_MISMATCH, f"{duplicated} header appears more than once")
        verdict = classify_inbound_request(message, headers=dict(request.headers))
        return verdict if isinstance(verdict, InboundLadderRejection) else self._unserved(version)

    def _unserved(self, version: str) -> InboundLadderRejection | None:
        """Isolated sessions need a revision that has sessions; clients fall back to one that is named here."""
        served = HANDSHAKE_PROTOCOL_VERSIONS if self.children.isolated else MODERN_PROTOCOL_VERSIONS
        return unsupported_protocol_version_rejection(version, served)

    async def _respond(self, exchange: _Exchange, receive: Receive, send: Send) -> None:
        work = asyncio.create_task(self._answer(exchange))
        self._tasks.add(work)
        key = (exchange.session, exchange.number) if exchange.session else None
        if key:
            self._under_way[key] = work
        work.add_done_callback(lambda _: self._done(key, work, exchange))
        gone = asyncio.create_task(_wait_for_disconnect(receive))
        # None ends `_stream`, whichever comes first: the answer or the end of the connection.
        gone.add_done_callback(lambda _: exchange.events.put_nowait(None))
        try:
            started = await _stream(exchange, send)
            if not work.done():
                if exchange.call.stateless:
                    work.cancel()  # In this era leaving is how a client cancels; before, an answer was just not heard.
                return
            await _finish(exchange, work, started, send)
        finally:
            gone.cancel()

    def _done(self, key: tuple[str, str | int] | None, work: "asyncio.Task[Json]", exchange: _Exchange) -> None:
        self._tasks.discard(work)
        if key and self._under_way.get(key) is work:
            del self._under_way[key]
        exchange.events.put_nowait(None)

    async def _answer(self, exchange: _Exchange) -> Json:
        """`{result}` or `{error}`."""
        child = self.children.of(exchange.session)
        self.children.count(exchange.session, 1)
        try:
            with self.metrics.under_way(exchange.call.method):
                return {"result": await relay.answer(exchange.call, child, self.tools, exchange.progress)}
        except RpcError as error:
            self.metrics.failed(exchange.call.method, error.code)
            return {"error": error.body()}
        except Exception:
            log.exception("%s failed in the bridge", exchange.call.method)
            return {"error": {"code": INTERNAL_ERROR, "message": "the bridge failed; its log says why"}}
        finally:
            self.children.count(exchange.session, -1)


async def _stream(exchange: _Exchange, send: Send) -> bool:
    """What comes before the answer, until that is there or nobody listens; whether the response was begun."""
    started = False
    while True:
        event: bytes | None = b": ping\r\n\r\n"
        with contextlib.suppress(TimeoutError):  # nothing for a while: the ping keeps proxies from hanging up
            async with asyncio.timeout(_PING_SECONDS):
                event = await exchange.events.get()
        if event is None:
            return started
        if not exchange.streams:
            continue
        if not started:
            headers = [*_EVENT_STREAM, *((k.encode(), v.encode()) for k, v in exchange.headers.items())]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            started = True
        await send({"type": "http.response.body", "body": event, "more_body": True})


async def _finish(exchange: _Exchange, work: "asyncio.Task[Json]", started: bool, send: Send) -> None:
    # Code 0, as version 1 of the SDK answers a cancelled request.
    outcome: Json = {"error": {"code": 0, "message": "Request cancelled"}} if work.cancelled() else work.result()
    message = {"jsonrpc": "2.0", "id": exchange.number, **outcome}
    if started:
        await send({"type": "http.response.body", "body": _event(message), "more_body": False})
        return
    status = 200
    # Only the stateless revisions map errors to HTTP statuses; before them every answer was 200.
    if exchange.call.stateless and "error" in outcome:
        status = ERROR_CODE_HTTP_STATUS.get(outcome["error"]["code"], 200)
    body = json.dumps(message, separators=(",", ":")).encode()
    headers = {"content-type": "application/json", "content-length": str(len(body)), **exchange.headers}
    raw = [(key.encode(), value.encode()) for key, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _read_message(request: Request) -> Json:
    try:
        message = json.loads(await request.body())
    except (ValueError, RecursionError):
        raise RpcError(PARSE_ERROR, "Parse error") from None
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        raise RpcError(INVALID_REQUEST, "the body must be one JSON-RPC request or notification")
    return message


def _session(request: Request) -> str | None:
    given = request.headers.get("mcp-session-id")
    if given is not None and not _SESSION.fullmatch(given):
        raise RpcError(INVALID_REQUEST, "Mcp-Session-Id must be 1 to 128 visible ASCII characters")
    return given


def _rejected(fault: InboundLadderRejection, number: Any) -> Response:
    return _refused(RpcError(fault.code, fault.message, fault.data), number)


def _refused(error: RpcError, number: Any) -> Response:
    body = json.dumps({"jsonrpc": "2.0", "id": number, "error": error.body()}, separators=(",", ":"))
    return Response(body, ERROR_CODE_HTTP_STATUS.get(error.code, 400), media_type="application/json")


def _event(message: Json) -> bytes:
    return b"event: message\r\ndata: " + json.dumps(message, separators=(",", ":")).encode() + b"\r\n\r\n"
