"""A stdio server as an MCPServer on real pods: over HTTP, several sessions at once, its crash repaired."""

import asyncio
from typing import Any

import pytest
from fastmcp import Client
from mcp import MCPError

from tests.e2e.release import PATIENCE, Release
from tests.waiting import until

pytestmark = [pytest.mark.pods, pytest.mark.timeout(900)]


async def test_a_stdio_server_is_reached_over_http_and_repaired(release: Release) -> None:
    await release.words("words")
    found = await release.when("words", lambda seen: (seen.get("status") or {}).get("tools"), "tools")
    assert (found["status"]["adapter"], found["status"]["tools"]["count"]) == ("bridge", 4)
    await release.condition("words", "Ready", "True", "Available")
    url = await release.url("words")
    async with Client(url, mode="legacy") as one, Client(url, mode="legacy") as other:
        calls = [client.call_tool("echo", {"word": word}) for client, word in ((one, "a"), (other, "b")) * 5]
        assert [result.data for result in await asyncio.gather(*calls)] == ["a", "b"] * 5
        (pod,) = await release.pods("words")
        before = await process(one)
        with pytest.raises(MCPError, match="exit code 3"):
            await one.call_tool("end")
        after = await until(lambda: process(other), lambda now: now not in (None, before), PATIENCE, "another process")
        assert await process(one) == after, "a session goes on with the new process"
    (same,) = await release.pods("words")
    assert same["metadata"]["uid"] == pod["metadata"]["uid"]
    assert same["status"]["containerStatuses"][0]["restartCount"] == 0


async def process(client: Client[Any]) -> int | None:
    """Of the server; None while there is none."""
    try:
        return int((await client.call_tool("process")).data)
    except MCPError:  # the bridge says that it starts one again
        return None
