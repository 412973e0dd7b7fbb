"""X2: few tools at first, the rest by search; a call by the door is the same call as one by name."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from importlib.metadata import entry_points
from typing import Any

import httpx2
import pytest
from fastmcp import Client
from fastmcp.client.elicitation import ElicitResult
from mcp_types import Implementation

from kmcp_clock.server import SERVER as CLOCK
from kmcp_runtime import ERROR_META, RuntimeSettings
from kmcp_runtime.catalog import tokens_of
from kmcp_runtime.distributions import SERVERS
from kmcp_runtime.engine.assembly import compose, http_app
from kmcp_runtime.engine.configured import ConfiguredServer, Process
from tests.mcp import ToolCaller, text_of
from tests.runtime import shelf
from tests.runtime.conftest import shelf_of
from tests.serving import served

DOOR = ["search_tools", "call_tool"]


@asynccontextmanager
async def suite(**runtime: Any) -> AsyncIterator[tuple[str, ConfiguredServer]]:
    """A shelf, of which one tool is much used, and a clock, behind one address."""
    process = Process.of(RuntimeSettings(**runtime))
    books = ConfiguredServer(replace(shelf.SERVER, first=("shelf_list",)), shelf.ShelfSettings(), process)
    clock = ConfiguredServer(CLOCK, CLOCK.settings(), process)
    async with AsyncExitStack() as stack:
        for instance in (books, clock):
            await stack.enter_async_context(instance.opened())
        yield await stack.enter_async_context(served(http_app("suite", [books, clock], None))), books


async def names(url: str) -> list[str]:
    async with Client(url) as client:
        return [tool.name for tool in await client.list_tools()]


async def test_the_own_servers_together_list_few_tools_in_few_tokens() -> None:
    process = Process.of(RuntimeSettings())
    found = [point.load() for point in entry_points(group=SERVERS)]
    own = [
        ConfiguredServer(server, server.settings(), process) for server in found if server.package.startswith("kmcp_")
    ]
    # No backend is opened for a list.
    mcp = compose("kmcp-suite", own, None)
    mcp._lifespan = lambda _: AsyncExitStack()
    async with Client(mcp) as client:
        tools = await client.list_tools()
    assert len(tools) <= 15
    assert sum(tokens_of(tool.name, tool.description or "", tool.input_schema) for tool in tools) <= 2500
    assert {name for instance in own for name in instance.server.first} | set(DOOR) == {tool.name for tool in tools}


async def test_the_address_chooses_what_is_listed() -> None:
    every = {declared.name for declared in shelf.SERVER.tools() if not declared.when} | {"datetime_get_current_time"}
    async with suite() as (url, _):
        assert await names(f"{url}/mcp") == [*DOOR, "shelf_list"]
        assert set(await names(f"{url}/mcp?tools=all")) == every
        assert set(await names(f"{url}/shelf/mcp")) == every - {"datetime_get_current_time"}
        assert set(await names(f"{url}/mcp?tools=shelf_put,shelf_list")) == {"shelf_put", "shelf_list"}
        assert await names(f"{url}/mcp?tools=all&servers=clock") == ["datetime_get_current_time"]
        assert await names(f"{url}/clock/mcp?tools=few") == DOOR
        assert await names(f"{url}/mcp?servers=clock") == ["datetime_get_current_time"]
        assert "search_tools" in await names(f"{url}/mcp?tools=few&servers=clock")
        reading = await names(f"{url}/mcp?tools=all&read-only&servers=shelf")
        assert "shelf_list" in reading
        assert "shelf_burn" not in reading
    async with suite(listing="all") as (url, _):
        assert set(await names(f"{url}/mcp")) == every
        assert await names(f"{url}/mcp?tools=few") == [*DOOR, "shelf_list"]


async def test_the_address_limits_calls_too() -> None:
    async with suite() as (url, books):
        async with Client(f"{url}/mcp?read-only") as client:
            caller = ToolCaller(client)
            assert (await caller.fails("shelf_put", name="a", text="b"))["code"] == "denied"
            door = await caller.fails("call_tool", name="shelf_put", arguments={"name": "a", "text": "b"})
            assert door["code"] == "denied"
            assert shelf_of(books).books == {}
        async with Client(f"{url}/mcp?servers=clock") as client:
            assert (await ToolCaller(client).fails("shelf_list"))["code"] == "denied"
            await ToolCaller(client).ok("datetime_get_current_time")


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("servers=shel", "no server of this process: 'shel': did you mean shelf"),
        ("tools=shelf_lst", "did you mean shelf_list"),
        ("read-only=perhaps", "true or false"),
        ("output-schemas=perhaps", "true or false"),
        ("servers=shelf&servers=clock", "more than once"),
        *((word, "write read-only") for word in ("readonly", "read_only", "READ-ONLY=true", "readOnly", "read-onyl")),
        *((word, "write servers") for word in ("Servers=clock", "server=clock", "servers[]=clock", "+servers=clock")),
        ("servers=clock&amp;read-only", "write read-only"),
        ("Tools=all", "write tools"),
        ("&".join(["a"] * 30_000), "more than 64 words"),
    ],
)
async def test_a_fault_of_the_address_is_refused(query: str, told: str) -> None:
    async with suite() as (url, _), httpx2.AsyncClient() as http:
        answer = await http.post(f"{url}/mcp?{query}", json={"jsonrpc": "2.0", "id": 1, "method": "ping"})
        assert answer.status_code == 400
        assert told in answer.text


async def test_words_of_gateways_in_the_address_are_passed_over() -> None:
    others = "session=1&token=x&toolset=a&api-version=2&service=a&tenant=b&_=1&utm_source=c&ro&read=1&%ff"
    async with suite() as (url, _), Client(f"{url}/mcp?{others}") as client:
        await ToolCaller(client).ok("shelf_put", name="a", text="b")


async def test_a_hidden_tool_is_found_and_called_both_ways(capsys: pytest.CaptureFixture[str]) -> None:
    async with suite() as (url, books), Client(f"{url}/mcp") as client:
        caller = ToolCaller(client)
        found = (await caller.ok("search_tools", query="put a book on the shelf", limit=3))["tools"]
        put = next(tool for tool in found if tool["name"] == "shelf_put")
        assert put["effect"] == "write"
        assert "required" in put["arguments"]["name"]
        by_name = await caller.ok("shelf_put", name="a", text="b")
        by_door = await caller.ok("call_tool", name="shelf_put", arguments={"name": "b", "text": "b"})
        assert by_door.keys() == by_name.keys()
        await caller.ok("call_tool", name="shelf_put", arguments=json.dumps({"name": "c", "text": "b"}))
        assert shelf_of(books).books.keys() == {"a", "b", "c"}
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    assert [(line["tool"], line.get("via"), line["outcome"]) for line in lines] == [
        ("search_tools", None, "ok"),
        ("shelf_put", None, "ok"),
        ("shelf_put", "call_tool", "ok"),
        ("shelf_put", "call_tool", "ok"),
    ]


@pytest.mark.parametrize(
    ("tool", "arguments", "told"),
    [
        ("call_tool", {}, "name of a tool is missing"),
        ("call_tool", {"name": "call_tool", "arguments": {"name": "shelf_list"}}, "does not call itself"),
        ("call_tool", {"name": "shelf_lst"}, "no tool 'shelf_lst'"),
        ("call_tool", {"name": "shelf_put", "text": "b"}, "unknown argument 'text'"),
        ("call_tool", {"name": "shelf_put", "arguments": "{"}, "not an object"),
        ("call_tool", {"name": "shelf_put", "arguments": [1]}, "not an object"),
        ("call_tool", {"name": "shelf_put", "arguments": {"nam": "a"}}, "unknown argument 'nam'"),
        ("search_tools", {}, "query"),
        ("search_tools", {"query": " "}, "query"),
        ("search_tools", {"query": "x" * 2000}, "query"),
        ("search_tools", {"query": "x", "limit": 0}, "limit"),
        ("search_tools", {"query": "x", "limit": True}, "limit"),
        ("search_tools", {"query": "x", "most": 1}, "unknown argument 'most'"),
    ],
)
async def test_what_is_wrong_at_the_door_is_told(tool: str, arguments: dict[str, Any], told: str) -> None:
    async with suite() as (url, _), Client(f"{url}/mcp") as client:
        result = await client.call_tool(tool, arguments, raise_on_error=False)
        assert result.is_error
        body = (result.meta or {})[ERROR_META]
        assert body["code"] == "bad_argument"
        assert told in body["message"]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_destroying_call_by_the_door_is_asked_about(mode: Any) -> None:
    asked: list[str] = []

    async def handler(message: str, *_: Any) -> ElicitResult[Any]:
        asked.append(message)
        return ElicitResult(action="accept", content={"ok": True})

    async with suite() as (url, books):
        shelf_of(books).books["moby"] = "dick"
        async with Client(f"{url}/mcp", mode=mode, elicitation_handler=handler) as client:
            await ToolCaller(client).ok("call_tool", name="shelf_burn", arguments={"name": "moby"})
        assert len(asked) == 1
        assert shelf_of(books).books == {}


async def test_a_token_of_a_plan_is_good_at_the_door_as_well() -> None:
    async with suite() as (url, books), Client(f"{url}/mcp") as client:
        caller = ToolCaller(client)
        shelf_of(books).books["moby"] = "dick"
        plan = await caller.fails("call_tool", name="shelf_burn", arguments={"name": "moby"})
        assert plan["code"] == "approval_required"
        assert shelf_of(books).books == {"moby": "dick"}
        approved = {"name": "moby", "approval": plan["approval"]}
        await caller.ok("call_tool", name="shelf_burn", arguments=approved)
        assert (await caller.fails("call_tool", name="shelf_burn", arguments=approved))["code"] != "ok"
        assert shelf_of(books).books == {}


async def test_progress_comes_by_the_door() -> None:
    told: list[tuple[float, float | None, str | None]] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        told.append((done, total, message))

    async with suite() as (url, _), Client(f"{url}/mcp") as client:
        call = {"name": "shelf_wait", "arguments": {"seconds": "0.1"}}
        await client.call_tool("call_tool", call, progress_handler=progress)
    assert told == [(1, 2, "half way")]


async def test_a_reading_caller_finds_only_what_he_may_call() -> None:
    async with suite() as (url, _), Client(f"{url}/mcp?read-only&servers=shelf") as client:
        found = (await ToolCaller(client).ok("search_tools", query="burn put list the books time", limit=20))["tools"]
        assert {tool["effect"] for tool in found} == {"read"}
        assert "datetime_get_current_time" not in {tool["name"] for tool in found}


PAYING_TWICE = Implementation(name="google-adk", version="2.13.0")


@pytest.mark.parametrize(
    ("chosen", "query", "client", "forms"),
    [
        (None, "", None, 2),
        (None, "", PAYING_TWICE, 1),
        (True, "", PAYING_TWICE, 2),
        (False, "", None, 1),
        (None, "&output-schemas=false", None, 1),
        (False, "&output-schemas", PAYING_TWICE, 2),
    ],
)
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_X17_an_answer_has_the_forms_that_the_list_promises(
    chosen: bool | None, query: str, client: Implementation | None, forms: int, mode: Any
) -> None:
    async with (
        suite(output_schemas=chosen) as (url, _),
        Client(f"{url}/mcp?tools=all{query}", client_info=client, mode=mode) as session,
    ):
        assert {tool.output_schema is None for tool in await session.list_tools()} == {forms == 1}
        time: dict[str, Any] = {"name": "datetime_get_current_time", "arguments": {}}
        for name, arguments in ((time["name"], {}), ("call_tool", time), ("search_tools", {"query": "time"})):
            result = await session.call_tool(name, arguments)
            assert (result.structured_content is None) == (forms == 1), name
            assert text_of(result.content)
