"""The file of the foreign servers: what it says holds at once, and a fault in it changes nothing."""

import asyncio
import re
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport
from mcp.client.client import Client as McpClient
from mcp.shared.subscriptions import ToolsListChanged
from mcp_types import ToolListChangedNotification

from kmcp_runtime import ERROR_META, SettingsError
from kmcp_runtime.catalog import tool_hash
from kmcp_runtime.engine import foreign_door
from tests.mcp import ToolCaller, unframed
from tests.runtime.conftest import shelved
from tests.runtime.door.foreigners import Program, door, entry_of, listed, write
from tests.serving import served
from tests.slowness import scaled
from tests.waiting import until


async def test_a_callers_own_token_stays_here_unless_the_file_hands_it_on(tmp_path: Path) -> None:
    program, secret = Program(), {"Authorization": "Bearer of-the-caller", "X-Tenant": "blue"}
    (tmp_path / "token").write_text("of-the-door\n")
    headers = {"Authorization": {"file": str(tmp_path / "token"), "prefix": "Bearer "}}
    async with AsyncExitStack() as stack:
        base = await stack.enter_async_context(served(program, lifespan="off"))
        found = await stack.enter_async_context(door(tmp_path / "servers.yaml", entry_of(base, headers=headers)))
        client = await stack.enter_async_context(Client(StreamableHttpTransport(found.url, headers=secret)))
        await listed(client, "program_act")
        await client.call_tool("program_act", {})
        assert {head["authorization"] for head in program.heads} == {"Bearer of-the-door"}
        assert not any("x-tenant" in head for head in program.heads)
        found.write(entry_of(base, forwardHeaders=["authorization", "x-tenant"]))

        async def handed_on() -> bool:
            await client.call_tool("program_act", {}, raise_on_error=False)
            last = program.heads[-1]
            return (last.get("authorization"), last.get("x-tenant")) == ("Bearer of-the-caller", "blue")

        await until(handed_on)


async def test_bytes_above_ascii_in_a_header_pass_as_they_are(tmp_path: Path) -> None:
    program = Program()
    (tmp_path / "token").write_text("café")
    own = {"headers": {"X-Key": {"file": str(tmp_path / "token")}}}
    async with AsyncExitStack() as stack:
        base = await stack.enter_async_context(served(program, lifespan="off"))
        found = await stack.enter_async_context(door(tmp_path / "servers.yaml", entry_of(base, **own)))
        client = await stack.enter_async_context(Client(found.url))
        await listed(client, "program_act")
        assert unframed(await ToolCaller(client).text("program_act")) == "done"
    assert program.heads[-1]["x-key"].encode("latin-1").decode() == "café"


async def test_authorities_that_cannot_be_read_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    absent = str(tmp_path / "absent.pem")
    program = Program()
    async with AsyncExitStack() as stack:
        base = await stack.enter_async_context(served(program, lifespan="off"))
        found = await stack.enter_async_context(door(tmp_path / "servers.yaml", entry_of(base)))
        client = await stack.enter_async_context(Client(found.url))
        await listed(client, "program_act")
        found.write(entry_of(base, caFile=absent))
        told = f"the foreign server program: {absent} cannot be used: No such file or directory"
        await until(lambda: asyncio.sleep(0, caplog.text), lambda text: told in text, what="what the log tells")
        found.write(entry_of(base))
        await listed(client, "program_act")


async def test_a_tool_is_searched_by_what_it_says_now(tmp_path: Path) -> None:
    program = Program()
    program.tools = [{**program.tools[0], "description": "Feeds the walrus"}]
    async with AsyncExitStack() as stack:
        base = await stack.enter_async_context(served(program, lifespan="off"))
        found = await stack.enter_async_context(door(tmp_path / "servers.yaml", entry_of(base)))
        client = await stack.enter_async_context(Client(found.url))
        await listed(client, "program_act")

        async def names(query: str) -> list[str]:
            result = await client.call_tool("search_tools", {"query": query})
            return [tool["name"] for tool in result.structured_content["tools"]]

        assert await names("walrus") == ["program_act"]
        program.tools = [{**program.tools[0], "description": "Paints the gazebo"}]
        found.write(entry_of(base, title="again"))
        await until(lambda: names("gazebo"), lambda listed: listed == ["program_act"])
        assert await names("walrus") == []


async def test_pins_decide_what_a_tool_may_do_until_it_is_another_one(tmp_path: Path) -> None:
    program, file = Program(), tmp_path / "servers.yaml"
    looked_at = tool_hash({**program.tools[0], "description": ""})
    async with AsyncExitStack() as stack:
        base = await stack.enter_async_context(served(program, lifespan="off"))
        pinned = {"tools": {"act": {"hash": looked_at, "effect": "read"}}, "annotations": "untrusted"}
        found = await stack.enter_async_context(door(file, entry_of(base, **pinned)))
        client = await stack.enter_async_context(Client(found.url))
        await listed(client, "program_act")
        assert unframed(await ToolCaller(client).text("program_act")) == "done"
        program.tools = [{**program.tools[0], "description": "Now with more power"}]
        found.write(entry_of(base, **pinned, title="again"))

        async def is_asked() -> bool:
            result = await client.call_tool("program_act", {}, raise_on_error=False)
            return bool((result.meta or {}).get(ERROR_META, {}).get("code") == "approval_required")

        await until(is_asked)
        before = program.calls
        assert await is_asked()
    assert program.calls == before


async def test_servers_come_and_go_with_the_file_and_a_faulty_one_changes_nothing(tmp_path: Path) -> None:
    program, file = Program(), tmp_path / "servers.yaml"
    async with AsyncExitStack() as stack:
        base = await stack.enter_async_context(served(program, lifespan="off"))
        found = await stack.enter_async_context(door(file))
        client = await stack.enter_async_context(Client(found.url))
        assert "program_act" not in {tool.name for tool in await client.list_tools()}
        found.write(entry_of(base))
        await listed(client, "program_act")
        for fault in ("name: 'Not A Name'", "name: a, url: 'http://[x/mcp'"):
            file.write_text(f"servers: [{{{fault}}}]")
            await listed(client, "program_act")
        found.write({**entry_of(base), "name": "other"})
        await listed(client, "other_act", gone=["program_act"])
        found.write()
        await listed(client, "shelf_list", gone=["other_act"])
        failure = await ToolCaller(client).fails("other_act")
        assert failure["code"] == "bad_argument"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("servers: [{name: A, url: 'http://x/mcp'}]", "servers[0].name"),
        ("servers: [{name: a, url: 'file:///etc/passwd'}]", "url"),
        ("servers: [{name: a, url: 'http://[x/mcp'}]", "url: its host or its port is malformed"),
        ("servers: [{name: a, url: 'http://x:99999/mcp'}]", "url: its host or its port is malformed"),
        ("servers: [{name: a, url: 'http://x:port/mcp'}]", "url: its host or its port is malformed"),
        ("servers: [{name: a, url: 'http://x', headers: {Host: b}}]", "the header 'Host' cannot be set"),
        ("servers: [{name: a, url: 'http://x', headers: {A: {}}}]", "name either env or file"),
        ("servers: [{name: a, url: 'http://x'}, {name: a, url: 'http://y'}]", "a is there twice"),
        ("servers: [{name: shelf, url: 'http://x'}]", "shelf is the name of a server of this process"),
        ("server: []", "server"),
        ("[", "not YAML"),
    ],
)
async def test_a_file_with_a_fault_refuses_to_start_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "servers.yaml"
    file.write_text(text)
    own = shelved(door_servers=str(file))
    with pytest.raises(SettingsError, match=re.escape(words)) as raised:
        foreign_door.behind([own])
    assert "KMCP_DOOR_SERVERS" in str(raised.value)


async def test_clients_hear_that_the_list_has_changed(tmp_path: Path) -> None:
    heard = asyncio.Event()

    async def hear(message: Any) -> None:
        if isinstance(message, ToolListChangedNotification):
            heard.set()

    async with AsyncExitStack() as stack:
        base = await stack.enter_async_context(served(Program(), lifespan="off"))
        found = await stack.enter_async_context(door(tmp_path / "servers.yaml"))
        await stack.enter_async_context(Client(found.url, mode="legacy", message_handler=hear))
        modern = await stack.enter_async_context(McpClient(found.url))
        events = await stack.enter_async_context(modern.listen(tools_list_changed=True))
        found.write(entry_of(base))
        async with asyncio.timeout(scaled(30)):
            assert await anext(aiter(events)) == ToolsListChanged()
            await heard.wait()


async def test_another_title_does_not_take_the_tools_of_a_server_that_is_away(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(AsyncExitStack())
        base = await running.enter_async_context(served(Program(), lifespan="off"))
        beside = await stack.enter_async_context(served(Program(), lifespan="off"))
        found = await stack.enter_async_context(door(tmp_path / "servers.yaml", entry_of(base)))
        client = await stack.enter_async_context(Client(found.url))
        await listed(client, "program_act")
        await running.aclose()
        found.write(entry_of(base, title="again"), {**entry_of(beside), "name": "beside"})
        assert "program_act" in await listed(client, "beside_act")
        failure = await ToolCaller(client).fails("program_act")
        assert failure["code"] == "unavailable"


async def test_a_file_that_is_gone_for_a_moment_takes_no_server_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where somebody takes the old one away before the new one is there; one that stays away is an empty one."""
    monkeypatch.setattr(foreign_door, "_LOOK_SECONDS", pause := 0.3)
    async with AsyncExitStack() as stack:
        base = await stack.enter_async_context(served(Program(), lifespan="off"))
        found = await stack.enter_async_context(door(tmp_path / "servers.yaml", entry_of(base)))
        client = await stack.enter_async_context(Client(found.url))
        await listed(client, "program_act")
        began = time.monotonic()
        found.file.unlink()
        await listed(client, gone=["program_act"])
        assert time.monotonic() - began >= 4 * pause
        found.write(entry_of(base))
        await listed(client, "program_act")


class Faulty(type(Path())):  # type: ignore[misc]  # the class of paths of this system
    """A path whose file cannot be looked at while `fails`."""

    fails = False

    def stat(self, **options: Any) -> Any:
        if self.fails:
            raise RuntimeError("a fault that nobody has foreseen")
        return super().stat(**options)


async def test_a_fault_of_ours_does_not_end_the_watch(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = Faulty(tmp_path / "servers.yaml")
    write(file)
    async with foreign_door.ForeignServers(file, [shelved()]).opened() as foreign:
        file.fails = True
        write(file, entry_of("http://127.0.0.1:9"))
        await until(lambda: asyncio.sleep(0, caplog.text), lambda text: "nobody has foreseen" in text, what="a log")
        file.fails = False
        write(file, {**entry_of("http://127.0.0.1:9"), "name": "another"})
        await until(lambda: asyncio.sleep(0, list(foreign.servers)), lambda names: names == ["another"])
