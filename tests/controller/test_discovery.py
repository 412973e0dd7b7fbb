"""Asking a server for its tools: both revisions, JSON and streams, and every way a server can be wrong."""

import asyncio
import gzip
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route

from kmcp_controller.catalog.live_server import live_tools
from kmcp_controller.cluster.client import Cluster
from kmcp_controller.discovery.credentials import ask_server
from kmcp_controller.discovery.mcp_client import DiscoveryError, fetch_listing
from kmcp_controller.spec import Platform, parse
from kmcp_controller.status import Listing
from tests.controller.manifests import manifest
from tests.controller.programs.serve import mcp_app

Handler = Callable[[dict[str, Any], Request], Response]


@asynccontextmanager
async def serving(app: Starlette) -> AsyncIterator[str]:
    """The address of `app` on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
        task = asyncio.create_task(server.serve(sockets=[bound]))
        try:
            yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


def app(handler: Handler) -> Starlette:
    async def mcp(request: Request) -> Response:
        if request.method == "DELETE":
            return Response(status_code=204)
        return handler(json.loads(await request.body()), request)

    return Starlette(routes=[Route("/mcp", mcp, methods=["POST", "DELETE"])])


async def asked(handler: Handler, at_least: float = 10, **headers: str) -> Listing:
    async with serving(app(handler)) as base:
        return await fetch_listing(f"{base}/mcp", headers, 1, at_least=at_least)


def older(tools: Callable[[dict[str, Any]], dict[str, Any]]) -> Handler:
    """A server of the handshake era that refuses what came later, and gives out a session."""

    def handle(body: dict[str, Any], request: Request) -> Response:
        method, answer = body["method"], {"jsonrpc": "2.0", "id": body.get("id")}
        if method == "initialize":
            result = {
                "protocolVersion": "2025-06-18",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "old\x1b[31m", "version": "1"},
            }
            return JSONResponse({**answer, "result": result}, headers={"Mcp-Session-Id": "s1"})
        if method == "server/discover" or request.headers.get("mcp-session-id") != "s1":
            return JSONResponse({**answer, "error": {"code": -32601, "message": "no such method"}}, 404)
        if method == "notifications/initialized":
            return Response(status_code=202)
        return JSONResponse({**answer, "result": tools(body["params"])})

    return handle


def tool(name: str) -> dict[str, Any]:
    return {"name": name, "description": "does\x07 it", "inputSchema": {"type": "object"}}


async def test_a_real_server_of_the_current_revision() -> None:
    async with serving(mcp_app(["time"])) as base:
        listing = await fetch_listing(f"{base}/time/mcp", {}, 10)
    assert listing.protocol_version == "2026-07-28"
    assert listing.server_info == {"name": "kmcp-time", "version": "1.0.0"}
    assert [each["name"] for each in listing.tools] == ["time_process"]


async def test_an_older_server_is_asked_by_handshake_and_in_pages() -> None:
    pages = {None: ("a", "2"), "2": ("b", "3"), "3": ("c", None)}

    def tools(params: dict[str, Any]) -> dict[str, Any]:
        name, following = pages[params.get("cursor")]
        return {"tools": [tool(name)], **({"nextCursor": following} if following else {})}

    listing = await asked(older(tools))
    assert listing.protocol_version == "2025-06-18"
    assert [each["name"] for each in listing.tools] == ["a", "b", "c"]
    assert listing.tools[0]["description"] == "does\ufffd it"
    assert listing.server_info["name"] == "old\ufffd[31m"


async def test_answers_in_an_event_stream_are_understood() -> None:
    def handle(body: dict[str, Any], request: Request) -> Response:
        capabilities = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}
        result = capabilities if body["method"] == "server/discover" else {"tools": [tool("a")]}
        notice = {"jsonrpc": "2.0", "method": "notifications/message", "params": {}}
        events = [notice, {"jsonrpc": "2.0", "id": body["id"], "result": result}]
        text = ": hello\r\n\r\n" + "".join(f"event: message\r\ndata: {json.dumps(each)}\r\n\r\n" for each in events)
        return PlainTextResponse(text, media_type="text/event-stream")

    assert [each["name"] for each in (await asked(handle)).tools] == ["a"]


async def test_a_request_of_the_server_is_not_its_answer() -> None:
    """Both sides number their requests, so the same id may be in both."""

    def handle(body: dict[str, Any], request: Request) -> Response:
        capabilities = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}
        result = capabilities if body["method"] == "server/discover" else {"tools": [tool("a")]}
        asking = {"jsonrpc": "2.0", "id": body["id"], "method": "ping", "params": {}}
        lines = [asking, {"jsonrpc": "2.0", "id": body["id"], "result": result}]
        text = "".join(f"data: {json.dumps(each)}\n\n" for each in lines)
        return PlainTextResponse(text, media_type="text/event-stream")

    assert [each["name"] for each in (await asked(handle)).tools] == ["a"]


async def test_headers_are_sent() -> None:
    def handle(body: dict[str, Any], request: Request) -> Response:
        if request.headers.get("authorization") != "Bearer t":
            return Response(status_code=401)
        return older(lambda _: {"tools": []})(body, request)

    assert (await asked(handle, Authorization="Bearer t")).tools == []
    with pytest.raises(DiscoveryError) as caught:
        await asked(handle)
    assert caught.value.reason == "AuthRequired"


def endless(line: bytes, status: int = 200) -> Handler:
    """An answer that drips and never ends."""

    async def drip() -> AsyncIterator[bytes]:
        while True:
            yield line
            await asyncio.sleep(0.05)

    return lambda body, request: StreamingResponse(drip(), status, media_type="text/event-stream")


def packed(size: int) -> Handler:
    """A small answer that is `size` bytes when it is unpacked."""
    text = gzip.compress(b'{"x": "' + b"x" * size + b'"}')
    return lambda body, request: Response(text, media_type="application/json", headers={"Content-Encoding": "gzip"})


@pytest.mark.parametrize("answer", [endless(b"x"), endless(b"x" * 2**20)])
async def test_an_answer_to_a_notification_is_read_for_a_moment_alone(answer: Handler) -> None:
    """It says nothing, however long it is; nothing is asked for packed, since what unpacks has no bound."""
    encodings = set[str]()

    def handle(body: dict[str, Any], request: Request) -> Response:
        encodings.add(request.headers["accept-encoding"])
        if body["method"] == "notifications/initialized":
            return answer(body, request)
        return older(lambda _: {"tools": [tool("a")]})(body, request)

    assert [each["name"] for each in (await asked(handle)).tools] == ["a"]
    assert encodings == {"identity"}


def count(params: dict[str, Any]) -> str:
    return str(int(params.get("cursor", 0)) + 1)


@pytest.mark.parametrize(
    ("handler", "reason", "message"),
    [
        (lambda body, request: HTMLResponse("<html>"), "NotMCP", "without a JSON-RPC answer"),
        (lambda body, request: Response(status_code=404), "NotMCP", "HTTP 404"),
        (lambda body, request: RedirectResponse("http://127.0.0.1:1/"), "NotMCP", "HTTP 307"),
        (lambda body, request: JSONResponse([1]), "NotMCP", "without a JSON-RPC answer"),
        (lambda body, request: Response(status_code=401), "AuthRequired", "headersFrom"),
        (lambda body, request: Response(status_code=403), "AuthRequired", "HTTP 403"),
        (endless(b"who are you?", 401), "AuthRequired", "HTTP 401"),
        (lambda body, request: Response(b"?", 403, {"Content-Encoding": "gzip"}), "AuthRequired", "HTTP 403"),
        (older(lambda params: {"tools": [], "nextCursor": "again"}), "ListFailed", "repeats its cursor"),
        (older(lambda params: {"tools": "none"}), "ListFailed", "has no list of tools"),
        (older(lambda params: {"tools": [], "nextCursor": count(params)}), "TooLarge", "more than 100 pages"),
        (older(lambda params: {"tools": [tool(f"t{n}") for n in range(1001)]}), "TooLarge", "more than 1000 tools"),
        (older(lambda params: {"tools": [{"name": "x" * 5 * 2**20}]}), "TooLarge", "more than 4 MiB"),
        (packed(5 * 2**20), "NotMCP", "compressed, which was not asked for"),
        (endless(b": still here\n\n"), "Unreachable", "no complete answer within"),
        (endless(b"data: x"), "Unreachable", "no complete answer within"),
    ],
)
async def test_discovery_limits(handler: Handler, reason: str, message: str) -> None:
    with pytest.raises(DiscoveryError) as caught:
        await asked(handler, at_least=2 if message.startswith("no whole") else 10)
    assert (caught.value.reason, message in str(caught.value)) == (reason, True), str(caught.value)


async def test_malformed_tools_are_listed_with_their_problems() -> None:
    def nested(depth: int) -> dict[str, Any]:
        return {"type": "object", "properties": {"a": nested(depth - 1)}} if depth else {}

    schemas: dict[str, Any] = {
        "absent": None,
        "array": {"type": "array"},
        "untyped": {"type": "object", "properties": {"a": {"type": "text"}}},
        "unnamed": {"type": "object", "required": "a"},
        "listed": {"type": "object", "properties": ["a"]},
        "unbranched": {"type": "object", "properties": {"a": {"anyOf": [3]}}},
        "unnumbered": {"type": "object", "properties": {"a": {"items": {"minLength": "1"}}}},
        "deep": nested(100),
        "good": {"type": "object", "properties": {"a": {"type": ["string", "null"], "maxLength": 3}}},
    }
    wrong = [{"name": name, "inputSchema": schema} for name, schema in schemas.items()]
    wrong += [{"name": ""}, {"description": 3}, {"name": "n" * 129, "inputSchema": {"type": "object"}}, tool("good")]
    body = {"tools": [*wrong, "no object"]}
    listing = await asked(older(lambda params: body))
    assert len(listing.tools) == len(wrong) + 1
    found = live_tools(listing.tools, None)
    problems = [(each["name"][:10], " ".join(each["problems"])) for each in found]
    assert [name for name, text in problems if not text] == ["good"]
    assert dict(problems)["untyped"] == "the input schema is not a valid JSON Schema: /properties/a/type is malformed"
    assert dict(problems)["good"] == "this name is listed twice"


async def test_numbers_that_json_does_not_have_cannot_be_hashed_so_they_are_left_out() -> None:
    text = '{"jsonrpc":"2.0","id":%d,"result":{"tools":[{"name":"a","inputSchema":{"maximum":NaN,"minimum":1e999,'
    text += '"default":%s}}]}}' % ("9" * 400)  # braces all around

    def handle(body: dict[str, Any], request: Request) -> Response:
        if body["method"] != "tools/list":
            return older(lambda params: {})(body, request)
        return Response(text % body["id"], media_type="application/json")

    (found,) = live_tools((await asked(handle)).tools, None)
    assert found["inputSchema"] == {"maximum": None, "minimum": None, "default": None}


async def test_nobody_listens() -> None:
    with pytest.raises(DiscoveryError) as caught:
        await fetch_listing("http://127.0.0.1:1/mcp", {}, 1)
    assert caught.value.reason == "Unreachable"


def wants(token: str) -> Handler:
    def handle(body: dict[str, Any], request: Request) -> Response:
        if request.headers.get("authorization") != (token or None):
            return Response(status_code=401)
        return older(lambda _: {"tools": []})(body, request)

    return handle


@pytest.mark.parametrize(
    ("spec", "shown"),
    [
        ({"image": "localhost/kmcp/kmcp-clock:1"}, "Bearer first"),
        ({"image": "example.com/kmcp/kmcp-clock:1"}, ""),
        ({"image": "kmcp-evil/clock:1"}, ""),
        ({"image": "python:3", "cmd": "kmcp-clock"}, ""),
    ],
)
async def test_only_servers_of_the_suite_are_shown_the_controllers_token(
    spec: dict[str, Any], shown: str, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    platform = Platform(suite_images=("localhost/kmcp/kmcp",), discovery_token=str(file))
    server = parse(manifest(spec), platform)
    cluster = cast("Cluster", None)  # of which nothing is read: the manifest names no Secret
    async with serving(app(wants(shown))) as base:
        await ask_server(cluster, server, f"{base}/mcp", platform)
    if shown:
        file.write_text("second")
        async with serving(app(wants("Bearer second"))) as base:
            await ask_server(cluster, server, f"{base}/mcp", platform)
        file.unlink()
        with pytest.raises(DiscoveryError, match="own token cannot be read"):
            await ask_server(cluster, server, f"{base}/mcp", platform)
