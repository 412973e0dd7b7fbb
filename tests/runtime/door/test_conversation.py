"""What lasts between the door and a foreign server: sessions that end, questions out of turn, calls made once."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from starlette.types import Receive, Send

from tests.mcp import ToolCaller, unframed
from tests.runtime.door.foreigners import Program, beside, listed
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
