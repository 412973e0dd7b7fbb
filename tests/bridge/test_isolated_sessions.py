"""A session with a process of its own: what the process asks and announces reaches its client (B5)."""

import asyncio
import json
from typing import Any

import httpx2
import mcp_types
import pytest
from fastmcp import Client
from fastmcp.client.elicitation import ElicitResult

from tests.bridge.conftest import Bridge, Start, program
from tests.mcp import text_of
from tests.slowness import scaled


@pytest.fixture
async def bridge(start: Start) -> Bridge:
    return await start(*program("asking"), KMCP_BRIDGE_ISOLATION="session", KMCP_BRIDGE_TIMEOUT="5").ready()


async def said(mcp: Client[Any], tool: str) -> Any:
    result = await mcp.call_tool(tool, {})
    return json.loads(text_of(result.content))


async def test_the_client_is_asked(bridge: Bridge) -> None:
    async def sample(messages: Any, params: Any, context: Any) -> str:
        return "sampled"

    async def elicit(message: str, kind: Any, params: Any, context: Any) -> ElicitResult[Any]:
        return ElicitResult(action="decline")

    client = Client(
        bridge.url, mode="legacy", sampling_handler=sample, elicitation_handler=elicit, roots=["file:///work"]
    )
    async with client as mcp:
        assert (await said(mcp, "sampling_createMessage"))["result"]["content"]["text"] == "sampled"
        assert (await said(mcp, "elicitation_create"))["result"]["action"] == "decline"
        assert (await said(mcp, "roots_list"))["result"]["roots"][0]["uri"] == "file:///work"
        assert await said(mcp, "ping") == {"result": {}}
        introduced = await said(mcp, "introduced")
    assert {"sampling", "elicitation", "roots"} <= set(introduced["capabilities"])
    assert introduced["clientInfo"]["name"] != "kmcp-bridge"


async def test_a_client_that_cannot_be_asked_says_so(bridge: Bridge) -> None:
    """Its own refusal reaches the process, and the call goes on."""
    async with Client(bridge.url, mode="legacy") as one, Client(bridge.url, mode="legacy") as other:
        for mcp in (one, other):
            assert "error" in await said(mcp, "sampling_createMessage")
            assert "sampling" not in (await said(mcp, "introduced"))["capabilities"]


@pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")
async def test_the_client_is_told(bridge: Bridge) -> None:
    """Logs come with the call that they belong to, a change on the stream that the client keeps open."""
    logs, changed = list[Any](), asyncio.Event()

    async def log(message: Any) -> None:
        logs.append(message.data)

    async def note(message: Any) -> None:
        if isinstance(getattr(message, "root", message), mcp_types.ToolListChangedNotification):
            changed.set()

    async with Client(bridge.url, mode="legacy", log_handler=log, message_handler=note) as mcp:
        result = mcp.initialize_result
        assert result is not None
        assert result.capabilities.tools is not None
        assert result.capabilities.tools.list_changed
        await mcp.set_logging_level("warning")
        assert await said(mcp, "log") == ["warning"]
        assert logs == ["during"]
        assert await said(mcp, "change") == "done"
        async with asyncio.timeout(scaled(10)):
            await changed.wait()
        await mcp.send_roots_list_changed()
        noticed = await said(mcp, "noticed")
    assert "notifications/roots/list_changed" in noticed
    assert noticed.count("notifications/initialized") == 1


async def test_a_question_that_nobody_answers_ends(bridge: Bridge) -> None:
    """A client that takes no event stream cannot be asked: the process hears of it, and the call ends in time."""
    headers = {"accept": "application/json", "content-type": "application/json"}
    async with httpx2.AsyncClient(trust_env=False, headers=headers, timeout=scaled(60)) as http:
        opened = await http.post(bridge.url, json={"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}})
        http.headers["mcp-session-id"] = opened.headers["mcp-session-id"]
        call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "roots_list"}}
        answer = json.loads((await http.post(bridge.url, json=call)).json()["result"]["content"][0]["text"])
        assert "did not answer roots/list in time" in answer["error"]["message"]
        # What waits for a stream comes with the first that is opened.
        async with http.stream("GET", bridge.url, headers={"accept": "text/event-stream"}) as stream:
            assert stream.status_code == 200
            lines = stream.aiter_lines()
            async with asyncio.timeout(scaled(10)):
                data = [line async for line in _first_data(lines)]
        assert json.loads(data[0])["method"] == "roots/list"
        assert (await http.get(bridge.url, headers={"mcp-session-id": ""})).status_code == 400


async def _first_data(lines: Any) -> Any:
    async for line in lines:
        if line.startswith("data: "):
            yield line.removeprefix("data: ")
            return
