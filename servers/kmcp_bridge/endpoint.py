"""Streamable HTTP at /mcp in both eras of the protocol, told apart by the header `MCP-Protocol-Version`.

A session id is made up in a handshake and believed when it comes back, known or not, until its client ends it. Where a
session has a process of its own, what that asks and announces reaches the client; else GET is not allowed.
"""

import asyncio
import logging
import re
import uuid
from typing import Any

from mcp.server.streamable_http import check_accept_headers
from mcp.server.transport_security import TransportSecurityMiddleware
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

from kmcp_runtime import json_text

from . import relay
from .allowed import Allowed
from .answers import RpcError, as_object
from .children import Children
from .exchange import Events, Exchange, listen, respond
from .framing import Json, encode
from .metrics import Metrics

log = logging.getLogger("kmcp.bridge")
# Visible ASCII only, as the transport's specification demands of session ids.
_SESSION = re.compile(r"[\x21-\x7e]{1,128}")
# The one revision with batches, which has no header for its version yet.
_BATCHES, _MOST_IN_BATCH = "2025-03-26", 100
_NO_REQUEST = "the body must be one JSON-RPC request or notification"


class Endpoint:
    def __init__(self, children: Children, allowed: Allowed, metrics: Metrics) -> None:
        self.children, self.allowed, self.metrics = children, allowed, metrics
        self._security = TransportSecurityMiddleware()
        """Of the media type; Host and Origin are checked before."""
        self._under_way: dict[tuple[str, str | int], asyncio.Task[Json]] = {}
        self._tasks: set[asyncio.Task[Json]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        refusal = await self._security.validate_request(request, is_post=request.method == "POST")
        try:
            done = refusal or await self._take_request(request)
        except RpcError as error:
            done = _refused(error, None)
        if isinstance(done, Exchange):
            await self._respond(done, receive, send)
        elif isinstance(done, Events):
            await self._listen(request, done, receive, send)
        else:
            await done(scope, receive, send)

    async def _listen(self, request: Request, events: Events, receive: Receive, send: Send) -> None:
        session = _session(request)
        self.children.of(session)  # one that is not known gets its process now
        client = self.children.client(session)
        assert client is not None
        with client.standing(events):
            await listen(events, receive, send)

    async def _take_request(self, request: Request) -> Response | Events:
        version = request.headers.get("mcp-protocol-version")
        stateless = version is not None and version not in HANDSHAKE_PROTOCOL_VERSIONS
        session = None if stateless else _session(request)
        if session is not None and self.children.ended(session):
            return _refused(RpcError(INVALID_REQUEST, "this session has ended; send initialize"), None, 404)
        if request.method == "DELETE" and not stateless:
            return self._end(session)
        if request.method == "GET" and not stateless and self.children.isolated:
            return _listener(request, session)
        if request.method != "POST":
            return Response(status_code=405, headers={"Allow": self._allowed(stateless)})
        as_json, streams = check_accept_headers(request)
        if not as_json and not streams:
            return Response(status_code=406)
        message = await _read_body(request)
        if isinstance(message, list) and version in (None, _BATCHES):
            return await self._batch(request, message, session)
        return self._take_message(request, message, session, version if stateless else None, streams)

    def _allowed(self, stateless: bool) -> str:
        if stateless:
            return "POST"
        return "GET, POST, DELETE" if self.children.isolated else "POST, DELETE"

    def _end(self, session: str | None) -> Response:
        if session is not None:
            self.children.end(session, by_client=True)
        return Response(status_code=200)

    def _take_message(
        self, request: Request, message: Any, session: str | None, stateless: str | None, streams: bool
    ) -> Response | Exchange:
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
            raise RpcError(INVALID_REQUEST, _NO_REQUEST)
        if "id" in message and "method" in message:
            return self._exchange(request, message, session, stateless, streams)
        if stateless is not None and (fault := self._unserved(stateless)):
            return _rejected(fault, None)
        if stateless is None and session:
            self._noticed(message, session)
        return Response(status_code=202)

    def _noticed(self, message: Json, session: str) -> None:
        """A notification, or the answer to a question of the process."""
        method, params, client = message.get("method"), as_object(message.get("params")), self.children.client(session)
        if method == "notifications/cancelled":
            cancelled = params.get("requestId")
            if isinstance(cancelled, str | int) and (work := self._under_way.get((session, cancelled))):
                work.cancel()
        elif client is not None and method is None:
            client.answered(message)
        elif client is not None and isinstance(method, str):
            self._start(relay.notify(self.children.of(session), method, params))

    async def _batch(self, request: Request, messages: list[Any], session: str | None) -> Response:
        """All answers as one array, as revision 2025-03-26 has it."""
        if not messages or len(messages) > _MOST_IN_BATCH:
            raise RpcError(INVALID_REQUEST, f"a batch has 1 to {_MOST_IN_BATCH} messages")
        answers = await asyncio.gather(*(self._answer_in_batch(request, each, session) for each in messages))
        found = [each for each in answers if each is not None]
        return Response(encode(found), media_type="application/json") if found else Response(status_code=202)

    async def _answer_in_batch(self, request: Request, message: Any, session: str | None) -> Json | None:
        number = message.get("id") if isinstance(message, dict) else None
        try:
            if as_object(message).get("method") == "initialize":
                raise RpcError(INVALID_REQUEST, "initialize must not be part of a batch")
            exchange = self._take_message(request, message, session, None, streams=False)
        except RpcError as error:
            valid = isinstance(number, str | int) and not isinstance(number, bool)
            return {"jsonrpc": "2.0", "id": number if valid else None, "error": error.body()}
        if not isinstance(exchange, Exchange):
            return None
        return {"jsonrpc": "2.0", "id": exchange.number, **await self._work(exchange)}

    def _exchange(
        self, request: Request, message: Json, session: str | None, stateless: str | None, streams: bool
    ) -> Response | Exchange:
        number, method, params = message["id"], message["method"], message.get("params") or {}
        # MCP forbids null as an id; bool is an int in Python.
        valid = isinstance(number, str | int) and not isinstance(number, bool)
        if not valid or not isinstance(method, str) or not isinstance(params, dict):
            raise RpcError(INVALID_REQUEST, _NO_REQUEST)
        if not isinstance(params.get("_meta", {}), dict):
            raise RpcError(INVALID_REQUEST, "params._meta must be an object")
        if stateless is not None:
            if fault := self._envelope_fault(request, message, stateless):
                return _rejected(fault, number)
            return Exchange(streams, call=relay.Call(method, params, dict(request.headers)), number=number)
        headers = {}
        if method == "initialize":
            # A client that shakes hands again keeps its session, and with it its process.
            session = session or uuid.uuid4().hex
            headers = {"mcp-session-id": session}
            self.children.introduce(session, params)
        return Exchange(streams, headers, call=relay.Call(method, params), number=number, session=session)

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

    async def _respond(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        await respond(exchange, self._work(exchange), receive, send)

    def _work(self, exchange: Exchange) -> "asyncio.Task[Json]":
        """The answer, found whether or not its client still listens, and cancelled by its id."""
        work = self._start(self._answer(exchange))
        if exchange.session:
            key = (exchange.session, exchange.number)
            self._under_way[key] = work
            work.add_done_callback(lambda _: self._under_way.get(key) is work and self._under_way.pop(key))
        return work

    def _start(self, coroutine: "asyncio._CoroutineLike[Json]") -> "asyncio.Task[Json]":
        work = asyncio.create_task(coroutine)
        self._tasks.add(work)
        work.add_done_callback(self._tasks.discard)
        return work

    async def _answer(self, exchange: Exchange) -> Json:
        """`{result}` or `{error}`."""
        with self.children.serving(exchange.session, exchange) as child:
            try:
                with self.metrics.under_way(exchange.call.method):
                    return {"result": await relay.answer(exchange.call, child, self.allowed, exchange.progress)}
            except RpcError as error:
                self.metrics.failed(exchange.call.method, error.code)
                return {"error": error.body()}
            except Exception:
                log.exception("%s failed in the bridge", exchange.call.method)
                return {"error": {"code": INTERNAL_ERROR, "message": "the bridge failed; its log says why"}}


def _listener(request: Request, session: str | None) -> Response | Events:
    if session is None:
        raise RpcError(INVALID_REQUEST, "GET needs the header Mcp-Session-Id of an initialize")
    _, streams = check_accept_headers(request)
    return Events(streams=True) if streams else Response(status_code=406)


async def _read_body(request: Request) -> Any:
    try:
        return json_text.read(await request.body())
    except (ValueError, RecursionError):
        raise RpcError(PARSE_ERROR, "Parse error") from None


def _session(request: Request) -> str | None:
    given = request.headers.get("mcp-session-id")
    if given is not None and not _SESSION.fullmatch(given):
        raise RpcError(INVALID_REQUEST, "Mcp-Session-Id must be 1 to 128 visible ASCII characters")
    return given


def _rejected(fault: InboundLadderRejection, number: Any) -> Response:
    return _refused(RpcError(fault.code, fault.message, fault.data), number)


def _refused(error: RpcError, number: Any, status: int | None = None) -> Response:
    body = encode({"jsonrpc": "2.0", "id": number, "error": error.body()})
    return Response(body, status or ERROR_CODE_HTTP_STATUS.get(error.code, 400), media_type="application/json")
