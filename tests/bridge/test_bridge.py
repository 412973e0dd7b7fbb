"""The bridge over real HTTP: both eras of clients and of servers, one process for all, its end and its return."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastmcp import Client
from fastmcp.exceptions import McpError
from mcp import MCPError

from tests.bridge.conftest import ROOT, Bridge, Start, program
from tests.slowness import scaled
from tests.waiting import until

MODES = ("auto", "legacy")
JSON = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
MODERN = "2026-07-28"


def client(bridge: Bridge, mode: Any = "auto", **given: Any) -> Client[Any]:
    return Client(bridge.url, mode=mode, **given)


@pytest.fixture
async def bridge(start: Start) -> Bridge:
    return await start(*program("modern")).ready()


@pytest.fixture
async def steady(kept_running: Bridge) -> Bridge:
    """As `bridge`, but shared: a test that asks for it ends no process and counts no call."""
    return await kept_running.ready()


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(trust_env=False, headers=JSON, timeout=scaled(30)) as http:
        yield http


def rpc(method: str, params: dict[str, Any] | None = None, number: int | None = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": params or {}} | ({} if number is None else {"id": number})


def stateless(method: str, params: dict[str, Any] | None = None) -> tuple[dict[str, Any], dict[str, str]]:
    meta = {"io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": {}}
    body = rpc(method, {**(params or {}), "_meta": meta})
    name = {"mcp-name": params["name"]} if params and "name" in params else {}
    return body, {"mcp-protocol-version": MODERN, "mcp-method": method, **name}


async def seen(bridge: Bridge, which: str) -> list[str]:
    """The calls of the tool `hang` that the process saw begin, or cancelled, once there is one."""
    call = rpc("tools/call", {"name": "calls", "arguments": {"which": which}})
    async with httpx2.AsyncClient(trust_env=False, headers=JSON) as http:

        async def look() -> list[str]:
            answer = await http.post(bridge.url, json=call)
            return list(answer.json()["result"]["structuredContent"]["result"])

        return await until(look, what=which)


def text(body: Any) -> str:
    return body if isinstance(body, str) else json.dumps(body)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("mode", MODES)
async def test_both_eras_reach_a_modern_server(steady: Bridge, mode: str) -> None:
    async with client(steady, mode) as one, client(steady, mode) as other:
        assert len(await one.list_tools()) == 8
        words = await asyncio.gather(*(c.call_tool("echo", {"word": w}) for c, w in ((one, "a"), (other, "b")) * 10))
        assert [each.data for each in words] == ["a", "b"] * 10
        pids = {(await each.call_tool("process", {})).data for each in (one, other)}
    assert len(pids) == 1


@pytest.mark.parametrize("mode", MODES)
async def test_both_eras_reach_an_older_server(start: Start, mode: str) -> None:
    """It pages, ends when its first message is not the handshake, and asks the client: all of that stays behind."""
    bridge = await start(*program("older")).ready()
    async with client(bridge, mode) as mcp:
        assert [tool.name for tool in await mcp.list_tools()] == ["one", "two", "three", "four", "five"]
        said = json.loads((await mcp.call_tool("one", {})).content[0].text)
        assert not [key for key in said["meta"] if key.startswith("io.modelcontextprotocol/")]
        refusal = json.loads((await mcp.call_tool("two", {})).content[0].text)
        assert "none of them can be asked" in refusal["message"]
    assert "stdout: not a JSON-RPC message: a line that is no message" in bridge.log()
    assert "older speaks 2025-03-26" in bridge.log()


async def test_one_page_and_no_cursor(start: Start) -> None:
    bridge = await start(*program("older")).ready()
    async with httpx2.AsyncClient(trust_env=False, headers=JSON) as http:
        body, headers = stateless("tools/list")
        result = (await http.post(bridge.url, json=body, headers=headers)).json()["result"]
    assert len(result["tools"]) == 5
    assert "nextCursor" not in result
    assert (result["resultType"], result["ttlMs"], result["cacheScope"]) == ("complete", 0, "private")
    assert result["_meta"]["io.modelcontextprotocol/serverInfo"] == {"name": "older", "version": "0.1"}


async def test_a_modern_server_is_spoken_to_in_its_own_revision(steady: Bridge) -> None:
    assert "modern speaks 2026-07-28" in steady.log()
    async with client(steady, "legacy") as mcp:
        assert mcp.initialize_result is not None
        assert mcp.initialize_result.server_info.name == "modern"
        assert mcp.initialize_result.instructions == "Ask for words."


@pytest.mark.parametrize("mode", MODES)
async def test_progress_finds_its_caller(steady: Bridge, mode: str) -> None:
    """Two clients use the same tokens and ids; each hears of its own call only."""
    heard: dict[str, list[str]] = {"a": [], "b": []}

    async def work(word: str) -> str:
        async def note(done: float, total: float | None, message: str | None) -> None:
            heard[word].append(f"{done:.0f}/{total:.0f} {message}")

        async with client(steady, mode) as mcp:
            return str((await mcp.call_tool("steps", {"number": 3, "word": word}, progress_handler=note)).data)

    assert list(await asyncio.gather(work("a"), work("b"))) == ["a", "b"]
    assert heard == {word: [f"{step}/3 {word} {step}" for step in (1, 2, 3)] for word in "ab"}


@pytest.mark.parametrize("mode", MODES)
async def test_a_cancelled_call_is_cancelled_in_the_process(bridge: Bridge, mode: str) -> None:
    async with client(bridge, mode) as mcp:
        call = asyncio.create_task(mcp.call_tool("hang", {"word": mode}))
        assert await seen(bridge, "begun") == [mode]
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert await seen(bridge, "cancelled") == [mode]


async def test_nobody_cancels_the_call_of_another(bridge: Bridge, http: httpx2.AsyncClient) -> None:
    call = {"name": "steps", "arguments": {"number": 1, "word": "x"}}
    hanging = {"name": "hang", "arguments": {"word": "mine"}}
    ours = {"mcp-session-id": "mine"}
    mine = asyncio.create_task(http.post(bridge.url, json=rpc("tools/call", hanging, 5), headers=ours))
    assert await seen(bridge, "begun") == ["mine"]
    for headers in ({}, {"mcp-session-id": "other"}):
        cancel = rpc("notifications/cancelled", {"requestId": 5}, None)
        assert (await http.post(bridge.url, json=cancel, headers=headers)).status_code == 202
        answer = await http.post(bridge.url, json=rpc("tools/call", call, 5), headers=headers)
        assert answer.json()["result"]["structuredContent"] == {"result": "x"}
    assert not mine.done()
    cancel = rpc("notifications/cancelled", {"requestId": 5}, None)
    await http.post(bridge.url, json=cancel, headers=ours)
    assert (await mine).json()["error"]["message"] == "Request cancelled"


async def test_a_stateless_client_that_leaves_cancels(bridge: Bridge, http: httpx2.AsyncClient) -> None:
    body, headers = stateless("tools/call", {"name": "hang", "arguments": {"word": "left"}})
    call = asyncio.create_task(http.post(bridge.url, json=body, headers=headers))
    assert await seen(bridge, "begun") == ["left"]
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    assert await seen(bridge, "cancelled") == ["left"]


@pytest.mark.parametrize("mode", MODES)
async def test_an_end_is_told_and_repaired(bridge: Bridge, mode: str) -> None:
    async with client(bridge, mode) as mcp:
        with pytest.raises((McpError, MCPError)) as caught:
            await mcp.call_tool("leave", {"code": 7})
        told = str(caught.value)
        assert "exit code 7" in told
        delay = re.search(r"restarts in (\d+) s: check whether the request took effect", told)
        assert delay
        assert (await mcp.call_tool("echo", {"word": "back"})).data == "back"
    assert f"exit code 7: the last words; restarting it in {delay[1]} s" in bridge.log()
    # A machine so busy that an earlier start failed too has waited longer by now.
    assert delay[1] == "1" or await bridge.metric("kmcp_bridge_process_starts ") > 2


async def test_kill_9_is_repaired(bridge: Bridge) -> None:
    async with client(bridge, "legacy") as mcp:
        first = (await mcp.call_tool("process", {})).data
        hanging = asyncio.create_task(mcp.call_tool("hang", {"word": "x"}))
        assert await seen(bridge, "begun") == ["x"]
        os.kill(first, signal.SIGKILL)
        with pytest.raises((McpError, MCPError), match="killed by SIGKILL"):
            await hanging
        assert (await mcp.call_tool("process", {})).data != first
    assert await bridge.health() == 200
    assert await bridge.metric("kmcp_bridge_process_starts ") == 2


async def test_a_server_that_cannot_start_says_why(start: Start) -> None:
    bridge = start("no-such-program", "--token", "hunter2-in-argv", KMCP_BRIDGE_PATIENCE="0.2")
    assert await until(bridge.health, what="the management port") == 503
    async with httpx2.AsyncClient(trust_env=False, headers=JSON) as http:
        answer = (await http.post(bridge.url, json=rpc("tools/list"))).json()
        ready = await http.get(f"{bridge.management}/readyz/anything")
        rebound = await http.get(f"{bridge.management}/metrics", headers={"Host": "rebound.example"})
        assert rebound.status_code == 421, "by a name that was bound to this machine, a page could read along"
    assert "cannot start no-such-program: No such file or directory" in answer["error"]["message"]
    assert (ready.status_code, ready.json()["ready"]) == (503, False)
    assert "hunter2" not in bridge.log() + ready.text


async def test_stderr_is_logged_without_secrets(steady: Bridge) -> None:
    assert "stderr: password=[hidden]" in steady.log()
    assert "hunter2" not in steady.log()


async def test_only_named_tools(start: Start) -> None:
    bridge = await start(*program("modern"), KMCP_TOOLS="echo, process, ehco").ready()
    for mode in MODES:
        async with client(bridge, mode) as mcp:
            assert {tool.name for tool in await mcp.list_tools()} == {"echo", "process"}
            assert (await mcp.call_tool("echo", {"word": "x"})).data == "x"
            with pytest.raises((McpError, MCPError), match="KMCP_TOOLS allows only echo, ehco, process"):
                await mcp.call_tool("leave", {"code": 1})
    assert bridge.log().count("KMCP_TOOLS names tools that the server does not have: ehco") == 1


async def test_an_unknown_session_is_taken_up_quietly(steady: Bridge, http: httpx2.AsyncClient) -> None:
    asked = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
    opened = await http.post(steady.url, json=rpc("initialize", asked))
    assert opened.json()["result"]["protocolVersion"] == "2025-06-18"
    assert len(opened.headers["mcp-session-id"]) == 32
    call = rpc("tools/call", {"name": "echo", "arguments": {"word": "still here"}})
    for session in (opened.headers["mcp-session-id"], "of-a-pod-long-gone"):
        headers = {"mcp-session-id": session, "mcp-protocol-version": "2025-06-18"}
        answer = await http.post(steady.url, json=call, headers=headers)
        assert answer.json()["result"]["structuredContent"] == {"result": "still here"}
        noticed = await http.post(steady.url, json=rpc("notifications/initialized", number=None), headers=headers)
        assert (noticed.status_code, noticed.content) == (202, b"")
        assert (await http.delete(steady.url, headers=headers)).status_code == 200
    assert (await http.get(steady.url)).status_code == 405


async def test_the_rules_of_the_wire(steady: Bridge, http: httpx2.AsyncClient) -> None:
    async def post(body: Any, headers: dict[str, str]) -> tuple[int, int]:
        answer = await http.post(steady.url, content=text(body), headers=headers)
        return answer.status_code, answer.json()["error"]["code"]

    body, headers = stateless("tools/list")
    assert await post("{", headers) == (400, -32700)
    assert await post([body], headers) == (400, -32600)
    assert await post({**body, "id": None}, {}) == (400, -32600)
    assert await post(body, headers | {"mcp-method": "tools/call"}) == (400, -32020)
    assert await post(rpc("tools/list"), headers) == (400, -32602)
    assert await post(body, headers | {"mcp-protocol-version": "2031-01-01"}) == (400, -32020)
    for method in ("initialize", "ping", "subscriptions/listen", "no/such"):
        gone, named = stateless(method)
        assert await post(gone, named) == (404, -32601), method
    assert await post(rpc("no/such"), {}) == (200, -32601)
    assert (await http.get(steady.url, headers=headers)).headers["allow"] == "POST"
    assert (await http.post(steady.url, json=body, headers=headers | {"accept": "text/html"})).status_code == 406
    assert (await http.post(steady.url, json=body, headers={"host": "rebound.example"})).status_code == 421
    assert (await http.post(steady.url, json=body, headers={"origin": "https://x.example"})).status_code == 403
    assert (await http.post(steady.url, content="x" * 17_000_000)).status_code == 413


async def test_a_header_repeats_its_argument(steady: Bridge, http: httpx2.AsyncClient) -> None:
    body, headers = stateless("tools/call", {"name": "routed", "arguments": {"region": "north"}})
    for given, status in (({}, 400), ({"mcp-param-region": "south"}, 400), ({"mcp-param-region": "north"}, 200)):
        answer = await http.post(steady.url, json=body, headers=headers | given)
        assert answer.status_code == status, answer.text
        assert answer.json().get("error", {}).get("code") == (None if status == 200 else -32020)
    async with client(steady) as mcp:
        await mcp.list_tools()  # where a client learns which arguments it has to repeat
        assert (await mcp.call_tool("routed", {"region": "east"})).data == "east"


async def test_each_session_has_its_own_process(start: Start) -> None:
    bridge = await start(*program("modern"), KMCP_BRIDGE_ISOLATION="session", KMCP_BRIDGE_SESSIONS="2").ready()
    async with client(bridge) as one, client(bridge, "legacy") as other:
        assert [(await one.call_tool("count", {})).data for _ in range(3)] == [1, 2, 3]
        assert (await other.call_tool("count", {})).data == 1
        first, second = [(await each.call_tool("process", {})).data for each in (one, other)]
        assert first != second
        async with client(bridge) as third:  # the longest idle one makes room, and comes back when it asks again
            assert (await third.call_tool("count", {})).data == 1

            async def gone() -> bool:
                return not alive(first)

            await until(gone, what="the end of the idle session")
            assert (await one.call_tool("count", {})).data == 1

    async def only_the_shared_one() -> bool:
        return await bridge.metric("kmcp_bridge_processes ") == 1

    await until(only_the_shared_one, what="the end of closed sessions")


async def test_an_empty_list_serves_nothing(start: Start) -> None:
    """D8: a list of no tools is not all of them."""
    bridge = await start(*program("modern"), KMCP_TOOLS=",").ready()
    async with client(bridge, "legacy") as mcp:
        assert await mcp.list_tools() == []
        with pytest.raises((McpError, MCPError), match="KMCP_TOOLS allows no tool"):
            await mcp.call_tool("echo", {"word": "x"})


async def test_read_only_is_held(start: Start) -> None:
    """D13: only what the process says to read, whether or not the tools were listed before a call."""
    bridge = await start(*program("modern"), KMCP_READ_ONLY="true").ready()
    async with client(bridge, "legacy") as mcp:
        with pytest.raises((McpError, MCPError), match="KMCP_READ_ONLY leaves only tools with readOnlyHint"):
            await mcp.call_tool("leave", {"code": 1})
        assert [tool.name for tool in await mcp.list_tools()] == ["echo"]
        assert (await mcp.call_tool("echo", {"word": "x"})).data == "x"


def test_no_command_is_said(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "kmcp_bridge.program", "--port", "3000"]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "servers")}
    ended = subprocess.run(argv, capture_output=True, text=True, check=False, env=env)
    assert (ended.returncode, ended.stderr.splitlines()) == (
        2,
        ["kmcp-bridge: no command: give the command of the server after --, as in: kmcp-bridge --port 3000 -- uvx …"],
    )


def test_imports_are_light() -> None:
    code = "import sys, kmcp_bridge.program; print({'fastmcp', 'kubernetes', 'aiohttp'} & set(sys.modules))"
    env = {**os.environ, "PYTHONPATH": str(ROOT / "servers")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert done.stdout == "set()\n"
