"""Requests as they come in over HTTP, checked before the protocol's library sees them.

HTTP by RFC 9112: one Host, one Origin, media types in any case, an answer to HTTP/1.0 in one piece with its length.
JSON-RPC by its specification: what is not a message is refused with its code and the sender's id, in words of ours.
"""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kmcp_runtime import json_text
from kmcp_runtime.argument_sizes import DOCUMENT
from kmcp_runtime.engine import unreadable
from kmcp_runtime.engine.unreadable import PARSE_ERROR, UnreadableError
from kmcp_runtime.worker import run_in_thread

MESSAGE, BODY = "kmcp.message", "kmcp.body"  # of a scope: the JSON-RPC message that was posted, and its bytes
BAD_HOST = "this Host is not allowed: name it in --allowed-hosts / KMCP_ALLOWED_HOSTS\n"
BAD_ORIGIN = "this Origin is not allowed: name it in --allowed-origins / KMCP_ALLOWED_ORIGINS\n"
_LARGEST = 4 * 2**20  # bytes of a request, which are more than any argument of a tool may have
_MOST_DRAINED, _DRAIN_SECONDS = 16 * _LARGEST, 5
_MOST_VALUES = 4 * DOCUMENT.values  # as `json_text.holds_more` counts: two documents in one call
_SMALL = 64 * 2**10  # bytes that are parsed at once; more are parsed beside the event loop
_JSON = "application/json"
_INVALID_REQUEST, _INVALID_PARAMS = -32600, -32602
_LISTS = ("tools/list", "prompts/list", "resources/list", "resources/templates/list")
_ONCE = ("host", "origin", "content-type", "content-length", "authorization", "mcp-session-id")
_FRAMING = (b"content-length", b"transfer-encoding", b"connection")


class Checked:
    """An ASGI application behind these checks; those of bodies are for what is posted to a path with that end.

    Without `path` the application checks bodies itself, as the bridge does, which takes batches.
    """

    def __init__(self, app: ASGIApp, path: str = "") -> None:
        self._app, self._path = app, path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # Whitespace around a value is no part of it (RFC 9110, 5.5); the parser below leaves what follows it.
        scope = {**scope, "headers": _joined([(name, value.strip(b" \t")) for name, value in scope["headers"]])}
        answer = _Worded(_Whole(send) if scope["http_version"] == "1.0" else send)
        if self._path:
            # No stream is kept for whoever comes back: it begins anew. The library behind would give no answer at all.
            scope["headers"] = [pair for pair in scope["headers"] if pair[0] != b"last-event-id"]
        if fault := _header_fault(scope):
            await PlainTextResponse(f"{fault}\n", 400)(scope, receive, answer)
        elif self._path and scope["method"] == "POST" and scope["path"].rstrip("/").endswith(self._path):
            await self._post(scope, receive, answer)
        else:
            await self._app(scope, receive, answer)

    async def _post(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = Headers(scope=scope).get("content-type", "").partition(";")[0].strip().lower()
        if kind != _JSON:
            await _refusal(415, _INVALID_REQUEST, f"Content-Type must be {_JSON}")(scope, receive, send)
            return
        coding = Headers(scope=scope).get("content-encoding", "identity").strip().lower()
        if coding not in ("", "identity"):
            await _refusal(415, _INVALID_REQUEST, "the body is packed (Content-Encoding): send it as it is")(
                scope, receive, send
            )
            return
        body = await _read(receive)
        if body is None:
            await _drain(receive)
            await _too_large(f"{_LARGEST >> 20} MiB")(scope, receive, send)
            return
        if len(body) > _SMALL and await run_in_thread(json_text.holds_more, body, _MOST_VALUES):
            await _too_large(f"{_MOST_VALUES:,} values")(scope, receive, send)
            return
        try:
            message = await read_message(body)
        except UnreadableError as error:
            await _refusal(400, PARSE_ERROR, f"the body cannot be read: {error}", id_of(error.found))(
                scope, receive, send
            )
            return
        if fault := message_fault(message):
            await _refusal(400, *fault, id_of(message))(scope, receive, send)
            return
        headers = [(name, _JSON.encode() if name == b"content-type" else value) for name, value in scope["headers"]]
        scope = {**scope, "headers": headers, MESSAGE: message, BODY: body}
        await self._app(scope, replayed(body, receive), send)


async def read_message(message: bytes) -> Any:
    """As `unreadable.read`; a large one is read beside the event loop."""
    return await run_in_thread(unreadable.read, message) if len(message) > _SMALL else unreadable.read(message)


def message_fault(message: Any) -> tuple[int, str] | None:
    """Why a JSON value is not one message of JSON-RPC in MCP: the code of the error and its text."""
    if isinstance(message, list):
        return _INVALID_REQUEST, "batches are not part of the protocol any more: send one message in a request"
    if not isinstance(message, Mapping):
        return _INVALID_REQUEST, "a message is a JSON object"
    if message.get("jsonrpc") != "2.0":
        return _INVALID_REQUEST, 'jsonrpc must be "2.0"'
    if "id" in message and not _is_id(message["id"]):
        return _INVALID_REQUEST, "id must be a text or a whole number"
    if "method" in message:
        if not isinstance(message["method"], str):
            return _INVALID_REQUEST, "method must be a text"
        # Many clients write null for what they leave out.
        params = message.get("params")
        if not isinstance(params, Mapping | None):
            return _INVALID_PARAMS, "params must be an object"
        return _params_fault(message["method"], params or {})
    return _answer_fault(message)


def _params_fault(method: str, params: Mapping[str, Any]) -> tuple[int, str] | None:
    """The faults that clients make most often, which the library refuses without saying why."""
    if method in _LISTS and params.get("cursor"):
        return _INVALID_PARAMS, "cursor: the list has one page, and no cursor was given out"
    if method != "tools/call":
        return None
    if not isinstance(params.get("name"), str):
        return _INVALID_PARAMS, "params.name must be the name of a tool"
    if not isinstance(params.get("arguments"), Mapping | None):
        return _INVALID_PARAMS, "params.arguments must be an object, not a text or a list"
    return None


def _answer_fault(message: Mapping[str, Any]) -> tuple[int, str] | None:
    if "id" not in message or ("result" in message) == ("error" in message):
        return _INVALID_REQUEST, "a message has a method, or an id with either result or error"
    if "result" in message and not isinstance(message["result"], Mapping):
        return _INVALID_REQUEST, "result must be an object"
    error = message.get("error", {"code": 0, "message": ""})
    whole = isinstance(error, Mapping) and _is_id(error.get("code")) and isinstance(error.get("message"), str)
    if not whole or isinstance(error["code"], str):
        return _INVALID_REQUEST, "error must be an object with a number as code and a text as message"
    return None


def _is_id(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)  # in Python true is an int


def id_of(message: Any) -> Any:
    found = message.get("id") if isinstance(message, Mapping) else None
    return found if _is_id(found) else None


def _joined(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """A list in several lines is one (RFC 9110, 5.3); the library behind reads the first line of Accept alone."""
    accepted = [value for name, value in headers if name == b"accept"]
    if len(accepted) < 2:
        return headers
    return [*(pair for pair in headers if pair[0] != b"accept"), (b"accept", b", ".join(accepted))]


def _header_fault(scope: Scope) -> str:
    names = [name.decode("latin-1") for name, _ in scope["headers"]]
    twice = next((name for name in _ONCE if names.count(name) > 1), "")
    if twice:
        return f"the request has more than one {twice} header"
    # HTTP/1.0 has none; before a proxy they would mean different servers to the two.
    return "" if "host" in names or scope["http_version"] == "1.0" else "the request has no Host header"


def _too_large(limit: str) -> Response:
    return _refusal(413, _INVALID_REQUEST, f"the request has more than {limit}")


def _refusal(status: int, code: int, text: str, id_: Any = None) -> Response:
    body = {"jsonrpc": "2.0", "id": id_, "error": {"code": code, "message": text}}
    return Response(json.dumps(body), status, media_type=_JSON)


async def _read(receive: Receive) -> bytes | None:
    """The body; None when it is too large. A client that goes away leaves what it had sent."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > _LARGEST:
            return None
        if not message.get("more_body"):
            return bytes(body)


async def _drain(receive: Receive) -> None:
    """Pass over the rest of what is too large, within bounds: whoever still sends reads no answer before."""
    left = _MOST_DRAINED
    with suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if not message.get("more_body"):
                    return


def replayed(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body once more, then what really comes: that the client goes away."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


class _Worded:
    """Refusals of the framework that name no way out get ours."""

    def __init__(self, send: Send) -> None:
        self._send, self._text = send, b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            typed = any(name == b"content-type" for name, _ in message["headers"])
            text = {421: BAD_HOST, 403: BAD_ORIGIN}.get(message["status"], "") if not typed else ""
            self._text = text.encode()
            if text:
                kept = [pair for pair in message["headers"] if pair[0] != b"content-length"]
                own = [(b"content-length", b"%d" % len(self._text)), (b"content-type", b"text/plain; charset=utf-8")]
                message = {**message, "headers": [*kept, *own]}
        elif self._text:
            message = {"type": "http.response.body", "body": self._text}
        await self._send(message)


class _Whole:
    """For HTTP/1.0, which knows no chunks: the answer in one piece, with its length."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message = {}
        self._body = bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._body += message.get("body", b"")
        if message.get("more_body"):
            return
        headers = [pair for pair in self._start["headers"] if pair[0].lower() not in _FRAMING]
        await self._send({**self._start, "headers": [*headers, (b"content-length", b"%d" % len(self._body))]})
        await self._send({"type": "http.response.body", "body": bytes(self._body)})
