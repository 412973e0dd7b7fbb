"""Clients hear that the list of tools has changed, whatever the others do."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import pytest
from fastmcp import Client, FastMCP
from mcp_types import ToolListChangedNotification
from starlette.types import ASGIApp, Receive, Scope, Send

from kmcp_runtime.engine import foreign_news
from tests.serving import served
from tests.slowness import scaled
from tests.waiting import until

_SLOW = 6


class SlowReaders:
    """The network to clients that stopped reading what they listen to: nothing is sent that is not read."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.held_up = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_slow = scope["type"] == "http" and (b"x-reads", b"nothing") in scope["headers"]

        async def held(message: Any) -> None:
            if message["type"] == "http.response.body":
                self.held_up += 1
                await asyncio.get_running_loop().create_future()
            await send(message)

        await self._app(scope, receive, held if is_slow and scope["method"] == "GET" else send)


async def test_clients_that_stopped_reading_hold_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign_news, "_SECONDS", scaled(60))
    monkeypatch.setattr(foreign_news, "_PAUSE_SECONDS", 0.0)
    mcp, listeners, heard = FastMCP[Any]("news"), list[Callable[[], None]](), 0
    foreign_news.announce(mcp, listeners)

    async def hear(message: Any) -> None:
        nonlocal heard
        heard += isinstance(message, ToolListChangedNotification)

    async with AsyncExitStack() as stack:
        network = SlowReaders(mcp.http_app(path="/mcp"))
        url = await stack.enter_async_context(served(network, lifespan="on"))
        for _ in range(_SLOW):
            await _listen(stack, f"{url}/mcp")
        await stack.enter_async_context(Client(f"{url}/mcp", mode="legacy", message_handler=hear))

        async def tell() -> int:
            listeners[0]()  # once more, as the first may come before the client listens
            return heard

        # More than what lies between the server and a client that does not read.
        await until(tell, lambda times: times >= 60, seconds=20, what="the news", pause=0.02)
        assert network.held_up == _SLOW


async def _listen(stack: AsyncExitStack, url: str) -> None:
    """A client with a session and a stream of news that it does not read."""
    http = await stack.enter_async_context(httpx2.AsyncClient(headers={"x-reads": "nothing"}, timeout=None))
    head = {"accept": "application/json, text/event-stream"}
    about = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "slow", "version": "1"}}
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": about}
    answer = await http.post(url, json=hello, headers=head)
    head["mcp-session-id"] = answer.headers["mcp-session-id"]
    await http.post(url, json={"jsonrpc": "2.0", "method": "notifications/initialized"}, headers=head)
    answer = await http.post(url, json={"jsonrpc": "2.0", "id": 2, "method": "tools/list"}, headers=head)
    assert answer.status_code == 200
    task = asyncio.create_task(http.get(url, headers=head))
    stack.callback(task.cancel)
