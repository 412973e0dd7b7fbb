"""What the audit says of a call: who, by which client, in which trace, on what, with whose yes; and nothing else."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import httpx2
import mcp_types
import pytest
from fastmcp import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc.jwk import RSAKey
from starlette.testclient import TestClient

from kmcp_runtime import RuntimeSettings
from kmcp_runtime.audit.chain import LINK_BYTES, LONGEST, compact
from kmcp_runtime.audit.record import Entry, body
from kmcp_runtime.engine import health
from kmcp_runtime.engine.assembly import compose, http_app
from kmcp_runtime.engine.configured import Process
from tests.audit.making import calls, kinds, records
from tests.audit.test_audit_file import file_size_limit
from tests.mcp import ToolCaller
from tests.runtime.conftest import connected, shelf_of, shelved
from tests.runtime.raw_answers import raw_client
from tests.runtime.test_answers import YES
from tests.runtime.test_auth import AUDIENCE, HEADERS, ISSUER, guarded, issuing, jwt_settings, signed
from tests.serving import served

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
HANGING = """
import asyncio, sys
from dataclasses import replace
from fastmcp import Client
from kmcp_runtime import Effect, Name, RuntimeSettings, tool, tools_in
from kmcp_runtime.engine.assembly import compose
from kmcp_runtime.engine.configured import ConfiguredServer, Process
from tests.runtime import shelf

@tool(Effect.WRITE)
async def shelf_hang(shelf: shelf.Shelf, name: Name) -> shelf.Waited:
    "Act, and never end."
    print("acting", flush=True)
    await asyncio.Event().wait()

async def main():
    server = replace(shelf.SERVER, tools=lambda: tools_in(sys.modules[__name__]))
    process = Process.of(RuntimeSettings(audit="required", audit_file=sys.argv[1]))
    instance = ConfiguredServer(server, shelf.ShelfSettings(), process)
    async with Client(compose("shelf", [instance], None)) as client:
        await client.call_tool("shelf_hang", {"name": "moby"})

asyncio.run(main())
"""


def told(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The calls that were told since the last time."""
    return calls(records(capsys.readouterr().err))


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_X13_the_line_has_the_trace_and_the_client(mode: Any, capsys: pytest.CaptureFixture[str]) -> None:
    client = {"client_info": mcp_types.Implementation(name="inspector", version="2.1"), "mode": mode}
    async with connected(shelved(), **client) as caller:
        await caller.client.call_tool("shelf_list", {}, meta={"traceparent": PARENT})
        await caller.ok("shelf_list")
    first, second = told(capsys)
    assert (first["trace"], first["span"]) == (TRACE, SPAN)
    assert first["agent"] == "inspector/2.1"
    assert "trace" not in second


async def test_X13_over_http_the_trace_may_stand_in_the_header_and_that_of_the_message_is_nearer(
    capsys: pytest.CaptureFixture[str],
) -> None:
    instance = shelved()
    other = "00-" + "1" * 32 + "-" + "2" * 16 + "-00"
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "shelf_list", "arguments": {}}}
    named = {**body, "params": {**body["params"], "_meta": {"traceparent": PARENT}}}  # type: ignore[dict-item]
    async with instance.opened(), served(http_app("shelf", [instance], None)) as url, httpx2.AsyncClient() as client:
        for sent in (body, named):
            answer = await client.post(f"{url}/mcp", json=sent, headers=HEADERS | {"traceparent": other})
            assert answer.status_code == 200
    assert [line["trace"] for line in told(capsys)] == ["1" * 32, TRACE]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parent=st.text(max_size=80) | st.from_regex(r"\A[0-9a-f]{2}-[0-9a-f]{30,33}-[0-9a-f]{16}-[0-9a-f]{2}\Z"),
    name=st.text(),
)
async def test_what_a_client_says_of_itself_forges_no_line(
    parent: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    instance = shelved()
    about = mcp_types.Implementation(name=name, version='1"}\n{"log":"audit","event":"call","caller":"root"}')
    async with connected(instance, client_info=about) as caller:
        await caller.client.call_tool(
            "shelf_read", {"name": f"a\n{name}"}, meta={"traceparent": parent}, raise_on_error=False
        )
    err = capsys.readouterr().err
    lines = [line for line in err.splitlines() if "audit" in line]
    assert len(lines) == 1
    assert lines[0].isascii()
    assert json.loads(lines[0])["caller"] == "local"
    assert len(json.loads(lines[0]).get("trace", "0" * 32)) == 32


async def test_a_client_with_a_long_name_makes_no_long_line(capsys: pytest.CaptureFixture[str]) -> None:
    about = mcp_types.Implementation(name="\U0001f600" * 1_000_000, version="1" * 1_000_000)
    async with connected(shelved(), client_info=about) as caller:
        await caller.fails("shelf_read", name="\U0001f600" * 60)
        await caller.fails("shelf_" + "x" * 500_000)
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith('{"log":"audit"')]
    assert len(lines) == 2
    assert all(len(line) < LONGEST for line in lines)


def test_a_rule_with_a_long_name_makes_no_long_line() -> None:
    line = body(Entry(request="r", decision="deny", rule="r" * LONGEST), "i", "2026-11-30")
    assert len(compact(line)) <= LONGEST - LINK_BYTES
    assert (line["request"], line["decision"]) == ("r", "deny")


async def test_groups_of_the_token_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    keys = RSAKey.generate_key(2048)
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "carol", "exp": 4e9, "groups": ["oncall", "a\nb"]}
    async with issuing(keys) as jwks, guarded(**jwt_settings(jwks)) as url:
        async with Client(f"{url}/mcp", auth=signed(keys, "RS256", claims)) as client:
            await ToolCaller(client).ok("shelf_list")
    (line,) = told(capsys)
    assert (line["caller"], line["groups"]) == ("carol", ["oncall", "a b"])
    assert (line["decision"], line["rule"]) == ("allow", "scopes")


async def test_a_yes_is_told_with_who_said_it(capsys: pytest.CaptureFixture[str]) -> None:
    instance = shelved()
    async with connected(instance) as caller:
        shelf_of(instance).books = {"moby": "dick"}
        token = (await caller.fails("shelf_burn", name="moby"))["approval"]
        await caller.ok("shelf_burn", name="moby", approval=token)
    asked, used = told(capsys)
    assert "approved_by" not in asked
    assert (used["approval"], used["approved_by"]) == ("token", "local")
    assert asked["approval_id"] == used["approval_id"]
    assert used["effect"] == "destroy"
    assert token not in json.dumps([asked, used])


async def test_a_person_who_is_asked_is_told_by_the_client_that_asked(capsys: pytest.CaptureFixture[str]) -> None:
    instance = shelved()
    async with instance.opened(), served(http_app("shelf", [instance], None)) as url:
        shelf_of(instance).books = {"moby": "dick"}
        async with raw_client(url, "2025-11-25") as client:
            await client.call("shelf_burn", {"name": "moby"}, YES)
        assert not shelf_of(instance).books
    line = told(capsys)[-1]
    assert (line["approval"], line["approved_by"]) == ("asked", "the user of raw/1, as anonymous")


async def test_without_its_line_nothing_is_changed_and_reads_go_on(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    instance = shelved(audit="required", audit_file=str(path))
    async with connected(instance) as caller:
        await caller.ok("shelf_put", name="a", text="b")
        with TestClient(health.app([instance], lambda: True)) as management:
            assert "audit" not in management.get("/readyz").json()
            with file_size_limit(path.stat().st_size + 20):
                error = await caller.fails("shelf_put", name="c", text="d")
                assert error["code"] == "unavailable"
                assert "without it this server changes nothing" in error["message"]
                assert "KMCP_AUDIT=required" in error["hint"]
                assert str(path) not in json.dumps(error)
                plan = await caller.fails("shelf_burn", name="a")
                assert "audit" in (await caller.fails("shelf_burn", name="a", approval=plan["approval"]))["message"]
                assert (await caller.ok("shelf_list"))["items"] == [{"name": "a", "text": "b"}]
                assert (await caller.ok("shelf_put", name="c", text="d", dry_run=True))["changed"]
                ready = management.get("/readyz")
                assert (ready.status_code, ready.json()["audit"]["written"]) == (200, False)
        await caller.ok("shelf_put", name="c", text="d")
    instance.refusals.close()
    lines = records(path.read_text())
    assert kinds(path) == []
    begun = [line for line in lines if line["event"] == "begun"]
    assert [(line["tool"], line["target"]) for line in begun][:2] == [
        ("shelf_put", {"name": "a"}),
        ("shelf_put", {"name": "c"}),
    ]
    # Each is followed by how it ended, and no read has one.
    ended = {line["request"]: line["outcome"] for line in calls(lines)}
    assert [ended[line["request"]] for line in begun] == ["ok", "unavailable", "unavailable", "ok"]
    assert all("outcome" not in line for line in begun)


def test_a_process_that_is_killed_while_it_acts_leaves_the_line_of_its_intent(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    command = [sys.executable, "-c", HANGING, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "acting\n"
        process.send_signal(signal.SIGKILL)
    lines = records(path.read_text())
    assert [line["event"] for line in lines] == ["file", "begun"]
    assert (lines[1]["tool"], lines[1]["target"], lines[1]["effect"]) == ("shelf_hang", {"name": "moby"}, "write")


async def test_many_calls_at_once_have_a_line_each(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    instance = shelved(audit_file=str(path), audit="required")
    async with connected(instance) as caller, anyio.create_task_group() as group:
        for number in range(100):
            group.start_soon(lambda name: caller.ok("shelf_put", name=name, text="x"), f"b{number}")
    instance.refusals.close()
    lines = records(path.read_text())
    assert {line["target"]["name"] for line in calls(lines)} == {f"b{number}" for number in range(100)}
    assert kinds(path) == []


async def test_without_an_audit_nothing_is_written_and_refusals_are_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    process = Process.of(RuntimeSettings(audit=False))
    instance = shelved(process, audit=False)
    async with Client(compose("shelf", [instance], None)) as client:
        await ToolCaller(client).ok("shelf_list")
    assert records(capsys.readouterr().err) == []
