"""Asking a server for its tools: both revisions, JSON and streams, and every way a server can be wrong."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from kmcp_controller.discovery import DiscoveryError, discover
from kmcp_controller.status import Listing
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


async def asked(handler: Handler, **headers: str) -> Listing:
    async def mcp(request: Request) -> Response:
        if request.method == "DELETE":
            return Response(status_code=204)
        return handler(json.loads(await request.body()), request)

    async with serving(Starlette(routes=[Route("/mcp", mcp, methods=["POST", "DELETE"])])) as base:
        return await discover(f"{base}/mcp", headers, 1)


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
        listing = await discover(f"{base}/time/mcp", {}, 10)
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


async def test_headers_are_sent() -> None:
    def handle(body: dict[str, Any], request: Request) -> Response:
        if request.headers.get("authorization") != "Bearer t":
            return Response(status_code=401)
        return older(lambda _: {"tools": []})(body, request)

    assert (await asked(handle, Authorization="Bearer t")).tools == []
    with pytest.raises(DiscoveryError) as caught:
        await asked(handle)
    assert caught.value.reason == "AuthRequired"


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        (lambda body, request: HTMLResponse("<html>"), "NotMCP"),
        (lambda body, request: Response(status_code=404), "NotMCP"),
        (lambda body, request: RedirectResponse("http://127.0.0.1:1/"), "NotMCP"),
        (lambda body, request: JSONResponse([1]), "NotMCP"),
        (older(lambda params: {"tools": [], "nextCursor": "again"}), "ListFailed"),
        (older(lambda params: {"tools": "none"}), "ListFailed"),
        (older(lambda params: {"tools": [], "nextCursor": str(int(params.get("cursor", 0)) + 1)}), "TooLarge"),
        (older(lambda params: {"tools": [tool(str(n)) for n in range(1001)]}), "TooLarge"),
        (older(lambda params: {"tools": [{"name": "x" * 17 * 2**20}]}), "TooLarge"),
    ],
)
async def test_a_wrong_server_gets_a_reason(handler: Handler, reason: str) -> None:
    with pytest.raises(DiscoveryError) as caught:
        await asked(handler)
    assert caught.value.reason == reason, str(caught.value)


async def test_nobody_listens() -> None:
    with pytest.raises(DiscoveryError) as caught:
        await discover("http://127.0.0.1:1/mcp", {}, 1)
    assert caught.value.reason == "Unreachable"
