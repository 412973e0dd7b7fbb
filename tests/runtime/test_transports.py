"""The same server object over stdio and HTTP, in both protocol revisions; health, metrics, deadlines, cancellation."""

import asyncio
import json
import signal
import sys
from typing import Any

import httpx2
import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport
from mcp_types.version import LATEST_PROTOCOL_VERSION

from kmcp_runtime import RuntimeSettings
from kmcp_runtime.engine import browsers, health
from kmcp_runtime.engine.assembly import compose, http_app
from kmcp_runtime.engine.configured import ConfiguredServer, Process
from tests.mcp import ToolCaller
from tests.ports import free_ports
from tests.runtime import shelf
from tests.runtime.conftest import connected, shelf_of, shelved
from tests.serving import served
from tests.slowness import scaled
from tests.waiting import until

MODERN = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2026-07-28"}
PROGRAM = """
from tests.runtime import shelf
raise SystemExit(shelf.SERVER.main())
"""


def stdio(*flags: str) -> StdioTransport:
    return StdioTransport(sys.executable, ["-c", PROGRAM, "--transport", "stdio", *flags], keep_alive=False)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_http_and_stdio_serve_the_same_tools_in_both_revisions(mode: Any) -> None:
    instance = shelved()
    async with instance.opened(), served(http_app("shelf", [instance], None)) as url:
        async with Client(f"{url}/mcp", mode=mode) as over_http, Client(stdio(), mode=mode) as over_stdio:
            http_tools, stdio_tools = await over_http.list_tools(), await over_stdio.list_tools()
            assert [tool.model_dump() for tool in http_tools] == [tool.model_dump() for tool in stdio_tools]
            assert len(http_tools) == len(shelf.TOOLS)
            for client in (over_http, over_stdio):
                caller = ToolCaller(client)
                await caller.ok("shelf_put", name="a", text="b")
                assert (await caller.ok("shelf_list"))["items"] == [{"name": "a", "text": "b"}]
                assert (await caller.fails("shelf_lst"))["code"] == "bad_argument"


async def test_tools_come_in_one_page() -> None:
    async with connected(shelved()) as caller:
        page = await caller.client.list_tools_mcp()
        assert len(page.tools) == len(shelf.TOOLS)
        assert page.next_cursor is None


async def test_several_servers_share_a_process_each_at_its_own_path() -> None:
    process = Process.of(RuntimeSettings())
    instance = shelved(process)
    async with instance.opened(), served(http_app("suite", [instance], None)) as url:
        for path in ("/mcp", "/shelf/mcp"):
            async with Client(f"{url}{path}") as client:
                assert len(await client.list_tools()) == len(shelf.TOOLS)


async def test_a_modern_call_does_not_list_the_tools_first() -> None:
    """Guards the schema hook: without it every tools/call runs a whole tools/list."""
    instance = shelved()
    mcp = compose("shelf", [instance], None)
    listed = 0
    list_tools = mcp.list_tools

    async def counting(*args: Any, **kwargs: Any) -> Any:
        nonlocal listed
        listed += 1
        return await list_tools(*args, **kwargs)

    mcp.list_tools = counting  # type: ignore[method-assign]  # counts, and does what it did
    async with served(mcp.http_app(path="/mcp", stateless_http=True)) as url, httpx2.AsyncClient() as client:
        meta = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        params = {"name": "shelf_list", "arguments": {"limit": 3}, "_meta": meta}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        answer = await client.post(
            f"{url}/mcp", json=body, headers=MODERN | {"Mcp-Method": "tools/call", "Mcp-Name": "shelf_list"}
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["result"]["structuredContent"]["items"] == []
    assert listed == 0
    assert LATEST_PROTOCOL_VERSION


@pytest.mark.parametrize(
    ("listening", "host", "status"),
    [
        ("127.0.0.1", "127.0.0.1:8081", 200),
        ("127.0.0.1", "LOCALHOST:1", 200),
        ("127.0.0.1", "[::1]:8081", 200),
        ("::1", "localhost", 200),
        ("localhost", "named.example:8081", 200),
        ("127.0.0.1", "rebound.example", 421),
        ("127.0.0.1", "127.0.0.1.rebound.example:8081", 421),
        ("127.0.0.1", "localhost@rebound.example", 421),
        ("127.0.0.1", "[", 421),
        ("::1", "", 421),
        ("0.0.0.0", "10.1.2.3:8081", 200),  # a kubelet's probe, or Prometheus, by the pod's address
        ("10.1.2.3", "kmcp.example", 200),
        ("127.0.0.1", "ONE.tools.example:8081", 200),
        ("127.0.0.1", "tools.example", 421),
        ("127.0.0.1", "one.tools.example.rebound.example", 421),
    ],
)
async def test_a_management_port_on_loopback_answers_to_names_of_this_machine(
    listening: str, host: str, status: int
) -> None:
    names = ["named.example", "*.tools.example"]
    instance = shelved(host=listening, allowed_hosts=",".join(names), allow_unauthenticated=True)
    app = browsers.own_names_only(health.app([instance], lambda: True), listening, names)
    main = http_app("shelf", [instance], None)
    async with served(app, lifespan="off") as url, httpx2.AsyncClient(trust_env=False) as client:
        assert (await client.get(f"{url}/healthz", headers={"Host": host})).status_code == status
        if not listening.startswith(("0.", "10.")):  # there the main port takes the names alone
            async with instance.opened(), served(main) as beside:
                head = {"Host": host, "Accept": "application/json, text/event-stream"}
                asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
                answer = await client.post(f"{beside}/mcp", json=asked, headers=head)
                assert answer.status_code == status


async def test_health_readiness_and_metrics() -> None:
    process = Process.of(RuntimeSettings())
    good = shelved(process)
    bad = ConfiguredServer(shelf.SERVER, shelf.ShelfSettings(shelf_url="nowhere"), process)
    async with good.opened(), bad.opened(), httpx2.AsyncClient() as client:
        async with connected(good) as caller:
            await caller.ok("shelf_list")
            await caller.fails("shelf_read", name="absent")
        async with served(health.app([good], lambda: True), lifespan="off") as url:
            assert (await client.get(f"{url}/healthz")).status_code == 200
            assert (await client.get(f"{url}/readyz")).json()["ready"] is True
            text = (await client.get(f"{url}/metrics")).text
        assert 'kmcp_tool_calls_total{effect="read",outcome="ok",server="shelf",tool="shelf_list"} 1.0' in text
        assert 'kmcp_tool_errors_total{code="not_found",server="shelf",tool="shelf_read"} 1.0' in text
        assert 'kmcp_tool_duration_seconds_count{server="shelf",tool="shelf_list"} 1.0' in text
        assert 'kmcp_tool_answer_bytes_count{server="shelf",tool="shelf_list"} 1.0' in text
        assert 'kmcp_tool_in_flight{server="shelf",tool="shelf_list"} 0.0' in text
        async with served(health.app([bad], lambda: False), lifespan="off") as url:
            assert (await client.get(f"{url}/healthz")).status_code == 503
            answer = await client.get(f"{url}/readyz/shelf")
            assert answer.status_code == 503
            assert answer.json() == {
                "ready": False,
                "reason": "no shelf at nowhere",
                "hint": "set SHELF_URL to memory:",
            }
            assert (await client.get(f"{url}/readyz/other")).status_code == 404


async def test_a_call_ends_at_its_deadline() -> None:
    instance = shelved(timeout=1)
    async with connected(instance) as caller:
        error = await caller.fails("shelf_wait", seconds="60s")
        assert error["code"] == "timed_out"
        assert shelf_of(instance).cancelled == 1


async def test_closing_the_request_cancels_the_call() -> None:
    instance = shelved()
    async with instance.opened(), served(http_app("shelf", [instance], None)) as url:
        async with Client(f"{url}/mcp") as client:
            call = asyncio.create_task(client.call_tool("shelf_wait", {"seconds": "4s"}))

            async def waiting() -> int:
                return shelf_of(instance).waiting

            await until(waiting, what="the call to be under way")
            call.cancel()
        await until(lambda: _cancelled(instance), seconds=3, what="the tool to be cancelled")


async def _cancelled(instance: ConfiguredServer) -> int:
    return shelf_of(instance).cancelled


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_progress_reaches_the_client_over_http(mode: Any) -> None:
    told: list[tuple[float, float | None, str | None]] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        told.append((done, total, message))

    instance = shelved()
    async with instance.opened(), served(http_app("shelf", [instance], None)) as url:
        async with Client(f"{url}/mcp", mode=mode) as client:
            await client.call_tool("shelf_wait", {"seconds": "0.1"}, progress_handler=progress)
    assert told == [(1, 2, "half way")]


async def test_one_audit_line_per_call_names_the_target_and_no_value(capsys: pytest.CaptureFixture[str]) -> None:
    async with connected(shelved()) as caller:
        await caller.ok("shelf_put", name="diary", text="password=hunter2-in-an-argument", dry_run=True)
        await caller.fails("shelf_read", name="absent")
        await caller.fails("shelf_nothing")
    err = capsys.readouterr().err
    lines = [json.loads(line) for line in err.splitlines() if line.startswith("{")]
    assert [(line["tool"], line["outcome"], line["effect"]) for line in lines] == [
        ("shelf_put", "ok", "write"),
        ("shelf_read", "not_found", "read"),
        ("shelf_nothing", "bad_argument", "-"),
    ]
    first = lines[0]
    assert first["target"] == {"name": "diary"}
    assert first["caller"] == "local"
    assert first["dry_run"] is True
    assert first["arguments"].startswith("sha256:")
    assert first["duration_ms"] >= 0
    assert "hunter2" not in err


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_program_after_its_backends_are_closed(signal_number: int) -> None:
    program = PROGRAM.replace("raise", "shelf.SERVER = shelf.telling(shelf.SERVER)\nraise")
    command = [sys.executable, "-u", "-c", program, "--port", "0", "--management-port", "0"]
    command[command.index("--port") + 1] = str(*free_ports(1))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), scaled(30)) == b"open\n"
    process.send_signal(signal_number)
    assert await asyncio.wait_for(process.stdout.readline(), scaled(30)) == b"closed\n"
    assert await asyncio.wait_for(process.wait(), scaled(30)) == 0
