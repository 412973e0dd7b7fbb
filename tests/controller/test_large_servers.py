"""S4: servers that list as much as they can fill neither the memory nor the event loop of the controller."""

import asyncio
import json
import time
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from starlette.types import Receive, Scope, Send

from kmcp_controller.catalog.live_document import LiveDocument
from kmcp_controller.catalog.site import app
from kmcp_controller.discovery.mcp_client import DiscoveryError, fetch_listing
from kmcp_runtime import RuntimeSettings
from kmcp_runtime.engine.configured import Process
from tests.controller.listings import server
from tests.serving import served
from tests.slowness import scaled
from tests.trust import Trust

TOOL_BYTES = 16 * 1024


class Foreign:
    """A server that lists this many tools of 16 kB, a hundred on a page; its answers are made before they are asked."""

    def __init__(self, count: int, body: Any = "x" * TOOL_BYTES) -> None:
        tools = [{"name": f"tool{n}", "description": body, "inputSchema": {"type": "object"}} for n in range(count)]
        self.pages = []
        for start in range(0, count, 100):
            more = {"nextCursor": str(start + 100)} if start + 100 < count else {}
            self.pages.append(json.dumps({"tools": tools[start : start + 100], **more}).encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        asked = json.loads(body or b"{}")
        result = b'{"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}'
        if asked.get("method") == "tools/list":
            result = self.pages[int(asked["params"].get("cursor") or 0) // 100]
        answer = b'{"jsonrpc": "2.0", "id": %d, "result": %s}' % (asked.get("id", 0), result)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": answer})


@asynccontextmanager
async def foreign(*servers: Foreign) -> AsyncIterator[list[str]]:
    async with served(servers[0], lifespan="off") as first:
        if len(servers) == 1:
            yield [first]
            return
        async with foreign(*servers[1:]) as rest:
            yield [first, *rest]


async def test_s4_a_thousand_tools_of_16_kb_are_refused_and_take_little_memory() -> None:
    async with foreign(*(Foreign(1000) for _ in range(4))) as urls:
        tracemalloc.start()
        try:
            found = await asyncio.gather(*(fetch_listing(url, {}, scaled(20)) for url in urls), return_exceptions=True)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert [error.reason for error in found if isinstance(error, DiscoveryError)] == ["TooLarge"] * 4
    # Four listings of 4 MiB, each some times while it is read; the servers, which count too here, send 1.6 MB a page.
    assert peak < 100 * 2**20


async def test_s4_the_largest_catalog_is_shown_while_health_is_answered(trust: Trust) -> None:
    live = LiveDocument()
    async with foreign(*(Foreign(240) for _ in range(4))) as urls, served(app(live, {}), lifespan="off") as site:
        watchdog = Process.of(RuntimeSettings()).metrics.watchdog
        async with watchdog.watching(), httpx2.AsyncClient(timeout=scaled(30)) as http:
            found = await asyncio.gather(*(fetch_listing(url, {}, scaled(20)) for url in urls))
            for number, listing in enumerate(found):
                live.update(server(f"s{number}", listing=listing))
            began = time.monotonic()
            catalog, _ = await asyncio.gather(http.get(f"{site}/catalog.json"), http.get(f"{site}/healthz"))
            took = time.monotonic() - began
    assert catalog.json()["servers"][3]["toolCount"] == 240
    trust.count("stalls", "controller", inputs=4, longest_stall_in_s=watchdog.longest)
    assert took < scaled(3)
    assert watchdog.longest < scaled(0.5)


@pytest.mark.parametrize("body", [[[]] * 100_000, [{"a": None}] * 50_000], ids=["lists", "objects"])
async def test_s4_a_tool_of_very_many_values_holds_nothing_up(body: Any) -> None:
    async with foreign(Foreign(5, body)) as (url,):
        watchdog = Process.of(RuntimeSettings()).metrics.watchdog
        async with watchdog.watching():
            with pytest.raises(DiscoveryError, match="more than 200,000 values"):
                await fetch_listing(url, {}, scaled(20))
    assert watchdog.longest < scaled(0.5)
