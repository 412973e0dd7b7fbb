"""What lasts between the door and a foreign server: sessions that end, questions out of turn, calls made once."""

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport
from starlette.types import Receive, Send

from kmcp_runtime.engine import foreign_server
from tests.mcp import ToolCaller, unframed
from tests.runtime.door.foreigners import Program, beside, door, entry_of, listed, respond
from tests.serving import served
from tests.slowness import scaled
from tests.waiting import until

_PING = {"jsonrpc": "2.0", "id": "p-1", "method": "ping"}
_QUESTION = {"jsonrpc": "2.0", "id": "q-1", "method": "elicitation/create", "params": {"message": "Who?"}}


def _event(message: Any) -> dict[str, Any]:
    return {"type": "http.response.body", "body": b"data: %s\n\n" % json.dumps(message).encode(), "more_body": True}


async def _begin(send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})


async def test_what_a_server_asks_on_the_stream_of_news_is_answered(tmp_path: Path) -> None:
    """A server that pings there takes a client that does not answer for gone."""
    program = Program(legacy=True)

    async def ask(send: Send, receive: Receive) -> None:
        await send(_event(_PING))
        await send(_event(_QUESTION))
        await receive()

    program.stream = ask
    async with beside(program, tmp_path) as found, Client(found.url) as client:
        await listed(client, "program_act")
        answers = dict[Any, Any]()
        async with asyncio.timeout(scaled(20)):
            while not answers.keys() >= {"p-1", "q-1"}:
                message = await program.heard.get()
                answers[message.get("id")] = message
    assert answers["p-1"] == {"jsonrpc": "2.0", "id": "p-1", "result": {}}
    assert answers["q-1"]["error"]["code"] == -32601


async def test_a_connection_that_breaks_does_not_end_a_session_that_is_newer(tmp_path: Path) -> None:
    program, breaks = Program([_tool("act"), _tool("old")], legacy=True), asyncio.Event()
    program.session = "one"

    async def act(asked: Any, send: Send) -> None:
        await _begin(send)
        if asked["params"]["name"] == "old":
            await breaks.wait()
            raise ConnectionError
        await send(_event({"jsonrpc": "2.0", "id": asked["id"], "result": {"content": []}}))

    program.act = act
    async with beside(program, tmp_path) as found, Client(found.url) as client:
        await listed(client, "program_act", "program_old")
        old = asyncio.create_task(ToolCaller(client).fails("program_old"))
        await until(lambda: asyncio.sleep(0, program.calls == 1))
        program.session = "two"
        await client.call_tool("program_act", {})
        assert program.handshakes == 2
        breaks.set()
        assert "broke off" in (await old)["message"]
        await client.call_tool("program_act", {})
    assert program.handshakes == 2


def _tool(name: str) -> dict[str, Any]:
    return {"name": name, "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": True}}


async def test_a_call_on_whose_way_the_session_ends_is_not_made_twice(tmp_path: Path) -> None:
    """The server has begun with it: whether it took effect nobody knows."""
    program = Program(legacy=True)
    program.session = "one"

    async def act(asked: Any, send: Send) -> None:
        program.session = f"after {program.calls}"
        await _begin(send)
        await send(_event(_PING))
        await asyncio.get_running_loop().create_future()

    program.act = act
    async with beside(program, tmp_path) as found, Client(found.url) as client:
        await listed(client, "program_act")
        failure = await ToolCaller(client).fails("program_act")
        assert failure["code"] == "unavailable"
        assert "the foreign server program: it does not take the answer to what it asks" in failure["message"]
    assert program.calls == 1


@pytest.mark.parametrize("number", [None, "server-error"])
@pytest.mark.parametrize("begins", ["older", "newest"])
async def test_a_server_that_was_started_anew_is_greeted_anew(tmp_path: Path, number: Any, begins: str) -> None:
    """Many answer an id of a session, or a revision, that they do not know with 400, and not with 404."""
    program = Program(legacy=begins == "older")
    program.session = "one" if begins == "older" else ""
    program.stranger = (400, {"jsonrpc": "2.0", "id": number, "error": {"code": -32000, "message": "No session"}})
    async with beside(program, tmp_path) as found, Client(found.url) as client:
        await listed(client, "program_act")
        program.legacy, program.session = True, "two"

        async def works() -> bool:
            return not (await client.call_tool("program_act", {}, raise_on_error=False)).is_error

        await until(works, seconds=15)
        assert unframed(await ToolCaller(client).text("program_act")) == "done"
    assert program.calls == 2


class Gate:
    """Holds up the calls of a tenant until it is opened."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self.came, self.opens = asyncio.Event(), asyncio.Event()

    async def act(self, asked: Any, send: Send) -> None:
        if self._program.heads[-1].get("x-tenant", "first") == "first":
            self.came.set()
            await self.opens.wait()
        content = [{"type": "text", "text": "done"}]
        await respond(send, {"jsonrpc": "2.0", "id": asked["id"], "result": {"content": content}})


def _of(tenant: str, url: str) -> Client[Any]:
    return Client(StreamableHttpTransport(url, headers={"X-Tenant": tenant}))


async def test_many_callers_do_not_end_the_call_of_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign_server, "_MOST_CALLERS", 2)
    program = Program()
    gate = Gate(program)
    program.act = gate.act
    async with AsyncExitStack() as stack:
        base = await stack.enter_async_context(served(program, lifespan="off"))
        entry = entry_of(base, forwardHeaders=["x-tenant"])
        found = await stack.enter_async_context(door(tmp_path / "servers.yaml", entry))
        first = await stack.enter_async_context(_of("first", found.url))
        await listed(first, "program_act")
        call = asyncio.create_task(ToolCaller(first).text("program_act"))
        await gate.came.wait()
        for number in range(4):
            async with _of(f"tenant-{number}", found.url) as client:
                assert unframed(await ToolCaller(client).text("program_act")) == "done"
        gate.opens.set()
        assert unframed(await call) == "done"


async def test_a_change_of_its_entry_does_not_end_a_call_under_way(tmp_path: Path) -> None:
    program = Program()
    gate = Gate(program)
    program.act = gate.act
    async with AsyncExitStack() as stack:
        base = await stack.enter_async_context(served(program, lifespan="off"))
        found = await stack.enter_async_context(door(tmp_path / "servers.yaml", entry_of(base)))
        client = await stack.enter_async_context(Client(found.url))
        await listed(client, "program_act")
        call = asyncio.create_task(ToolCaller(client).text("program_act"))
        await gate.came.wait()
        found.write(entry_of(base, title="again"))
        await until(lambda: asyncio.sleep(0, len(program.listed_at) > 1))
        gate.opens.set()
        assert unframed(await call) == "done"


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_progress_that_is_no_number_is_passed_over(tmp_path: Path, mode: Any) -> None:
    program, heard = Program(), list[tuple[float, float | None]]()

    async def act(asked: Any, send: Send) -> None:
        await _begin(send)
        token = asked["params"]["_meta"]["progressToken"]
        for number in ("NaN", "Infinity", "1e999", "1" + "0" * 400, "true", "[]", "2"):
            params = f'{{"progressToken": {token}, "progress": {number}, "total": {number}}}'
            text = f'{{"jsonrpc": "2.0", "method": "notifications/progress", "params": {params}}}'
            await send({"type": "http.response.body", "body": f"data: {text}\n\n".encode(), "more_body": True})
        content = [{"type": "text", "text": "done"}]
        await send(_event({"jsonrpc": "2.0", "id": asked["id"], "result": {"content": content}}))

    async def hear(done: float, total: float | None, message: str | None) -> None:
        heard.append((done, total))

    program.act = act
    async with beside(program, tmp_path) as found, Client(found.url, mode=mode) as client:
        await listed(client, "program_act")
        result = await client.call_tool("program_act", {}, progress_handler=hear)
        assert not result.is_error
    assert heard == [(2, 2)]


async def test_a_tool_whose_headers_could_not_be_sent_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def tool(name: str, header: str) -> dict[str, Any]:
        schema = {"type": "object", "properties": {"zone": {"type": "string", "x-mcp-header": header}}}
        return {**_tool(name), "inputSchema": schema}

    program = Program([tool("act", "Zone"), tool("bytes", "Zon\u00e9"), tool("lines", "Zone\r\nX-Admin: 1")])
    async with beside(program, tmp_path) as found, Client(found.url) as client:
        assert {name for name in await listed(client, "program_act") if name.startswith("program")} == {"program_act"}
        await client.call_tool("program_act", {"zone": "north"})
    assert program.heads[-1]["mcp-param-zone"] == "north"
    assert "program is left out: bytes: property 'zone': x-mcp-header" in caplog.text


async def test_a_flood_of_events_is_read_in_small_steps(tmp_path: Path) -> None:
    """Between two of them everybody else has a turn, however much has come."""
    program, pieces, events, over = Program(legacy=True), 4, 1 << 17, asyncio.Event()

    async def flood(send: Send, receive: Receive) -> None:
        for _ in range(pieces):
            await send({"type": "http.response.body", "body": b"\n\n" * events, "more_body": True})
        await send(_event(_PING))
        await receive()

    async def count_turns() -> int:
        turns = 0
        while not over.is_set():
            turns += 1
            await asyncio.sleep(0)
        return turns

    program.stream = flood
    async with beside(program, tmp_path) as found, Client(found.url) as client:
        counting = asyncio.create_task(count_turns())
        await listed(client, "program_act")
        async with asyncio.timeout(scaled(60)):
            while (await program.heard.get()).get("id") != "p-1":
                pass
        over.set()
        turns = await counting
    assert turns > pieces * events / 100


async def test_cookies_of_a_server_do_not_pile_up(tmp_path: Path) -> None:
    program = Program()

    async def act(asked: Any, send: Send) -> None:
        own: dict[str, Any] = {"set-cookie": f"n{program.calls}={program.calls}"}
        await respond(send, {"jsonrpc": "2.0", "id": asked["id"], "result": {"content": []}}, **own)

    program.act = act
    async with beside(program, tmp_path) as found, Client(found.url) as client:
        await listed(client, "program_act")
        for _ in range(50):
            await client.call_tool("program_act", {})
    assert max(head.get("cookie", "").count("=") for head in program.heads) in range(1, 22)
