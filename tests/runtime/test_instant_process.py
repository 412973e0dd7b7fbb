"""X16 at the pipes of a real process: the session goes on where the desk left it, whatever the client does."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport

from kmcp_clock.server import SERVER as CLOCK
from kmcp_runtime.engine.preparing import prepared
from tests.installed import program
from tests.runtime.engine_answers import ENVELOPE, opening
from tests.slowness import scaled

CLOCK_SCRIPT = program("kmcp-clock")
TIME = {"name": "datetime_get_current_time", "arguments": {"timezone": "Asia/Tokyo"}}
CALL = {"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": TIME}
ENGINE_ONLY = {"KMCP_STATE_KEY": "k" * 40}
"""With it the desk leaves the whole session to the engine."""


def lines(*messages: Any) -> bytes:
    return b"".join(json.dumps(message).encode() + b"\n" for message in messages)


@asynccontextmanager
async def clock(
    *flags: str, environment: dict[str, str] | None = None, program: Sequence[str] = (CLOCK_SCRIPT,)
) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *program, *flags, stdin=-1, stdout=-1, stderr=-1, env={**os.environ, **(environment or {})}, limit=2**24
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def answer(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), scaled(60))
    assert line, "it has ended"
    return dict(json.loads(line))


async def outcome(process: asyncio.subprocess.Process, sent: bytes) -> tuple[list[Any], bytes, int | None]:
    """All that comes when everything is sent at once and the pipe is closed: answers, log, exit code."""
    out, log = await asyncio.wait_for(process.communicate(sent), scaled(60))
    return [json.loads(line) for line in out.splitlines()], log, process.returncode


def write(process: asyncio.subprocess.Process, data: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(data)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_notices_nothing_of_the_succession(mode: Any) -> None:
    async with Client(StdioTransport(CLOCK_SCRIPT, [], keep_alive=False), mode=mode) as client:
        before = await client.list_tools()
        assert (await client.call_tool("datetime_get_current_time", {})).structured_content
        assert [tool.model_dump() for tool in await client.list_tools()] == [tool.model_dump() for tool in before]


async def test_the_engine_knows_the_client_that_the_desk_greeted() -> None:
    """The audit line names the program that shook hands, which the engine has learnt from the desk."""
    async with clock() as process:
        hello = opening("2025-11-25")
        hello[0]["params"]["clientInfo"] = {"name": "greeted-at-the-desk", "version": "7"}
        write(process, lines(*hello))
        assert {(await answer(process))["id"] for _ in range(3)} == {1, 2, 3}
        write(process, lines(CALL))
        found = await answer(process)
        assert (found["id"], found["result"]["structuredContent"]["timezone"]) == (9, "Asia/Tokyo")
        assert process.stdin is not None
        process.stdin.close()
        assert await asyncio.wait_for(process.wait(), scaled(30)) == 0


@pytest.mark.parametrize("revision", ["2025-11-25", "2026-07-28"])
async def test_everything_at_once_is_answered_once_each(revision: str) -> None:
    call = {**CALL, "params": {**TIME, **(ENVELOPE if revision == "2026-07-28" else {})}}
    again = {**opening(revision)[-1], "id": 10}
    async with clock() as process:
        write(process, lines(*opening(revision), call, again))
        expected = {line["id"] for line in opening(revision) if "id" in line} | {9, 10}
        found = [await answer(process) for _ in expected]
        assert {each["id"] for each in found} == expected
        assert len(found) == len(expected)


async def test_a_client_that_writes_byte_by_byte_is_answered() -> None:
    async with clock() as process:
        assert process.stdin is not None
        for byte in lines(*opening("2025-11-25")[:2], CALL):
            process.stdin.write(bytes([byte]))
            await process.stdin.drain()
        assert [(await answer(process))["id"] for _ in range(2)] == [1, 9]


@pytest.mark.parametrize(
    "lead",
    [
        b"{\n",
        b"null\n",
        b"\n",
        b"[1]\n",
        lines({"jsonrpc": "2.0", "id": 5, "method": "tools/list"}),
        lines({"jsonrpc": "2.0", "id": 5, "method": "no/such"}),
        lines({"jsonrpc": "2.0", "id": 5, "method": "initialize", "params": {"protocolVersion": 5}}),
        lines(opening("2026-07-28")[0], {**opening("2025-11-25")[0], "id": 5}),
        lines(*opening("2025-11-25")[:2], {**opening("2025-11-25")[0], "id": 5}),
        lines(*opening("2025-11-25")[:2], {**opening("2026-07-28")[0], "id": 5}),
    ],
)
async def test_faults_are_answered_as_the_engine_answers_them(lead: bytes) -> None:
    # Only what follows tells that all answers are there, so both get a request that each answers.
    last = {"jsonrpc": "2.0", "id": 99, "method": "no/such/thing"}
    found = []
    for environment in ({}, ENGINE_ONLY):
        async with clock(environment=environment) as process:
            write(process, lead + lines(last))
            answers = [await answer(process)]
            while answers[-1].get("id") != 99:
                answers.append(await answer(process))
            found.append(sorted(answers, key=lambda each: str(each.get("id"))))
    assert found[0] == found[1]


HALF = b'{"jsonrpc":"2.0","id":%s,"method":"%s","params":{"name":"datetime_get_current_time","arguments":{"a":"%s"}}}'
UNREADABLE: list[tuple[bytes, int, Any, str]] = [
    (b"{", -32700, None, "not valid JSON"),
    (HALF % (b"5", b"tools/call", b"a\\ud83d"), -32700, 5, "half a character"),
    (HALF % (b"6", b"tools/list", b"\\udc00"), -32700, 6, "half a character"),
    (HALF % (b'"\\ud800"', b"tools/list", b"a"), -32700, "\ud800", "half a character"),
    (HALF % (b"7", b"tools/call", b"\xff"), -32700, 7, "not UTF-8"),
    (b'{"jsonrpc":"2.0","id":8,"method":"ping","params":{"a":' + b"[" * 400 + b"]" * 400 + b"}}", -32700, 8, "deeply"),
    (HALF % (b"9", b"tools/call", b"\xef\xbf\xbd\xff"), -32700, 9, "not UTF-8"),
    (b'{"id":10,"a":"\\ud83d\\ude00","b":' + b"[" * 400 + b"]" * 400 + b"}", -32700, 10, "deeply"),
    (b'{"id":11,"a":' + b"1" * 5000 + b"}", -32700, None, "digits"),
    (b"[" * 5000, -32700, None, "deeply"),
    (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600, None, "batches"),
    (b"null", -32600, None, "a JSON object"),
    (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', -32600, None, "whole number"),
    (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600, None, "whole number"),
    (b'{"jsonrpc":"1.0","id":11,"method":"ping"}', -32600, 11, "2.0"),
    (b'{"jsonrpc":"2.0","id":12,"method":"ping","params":[1]}', -32602, 12, "params"),
    (b'{"jsonrpc":"2.0","id":13,"method":"tools/call"}', -32602, 13, "params.name"),
    (
        b'{"jsonrpc":"2.0","id":14,"method":"tools/call","params":{"name":"a","arguments":"{}"}}',
        -32602,
        14,
        "must be an object",
    ),
]


@pytest.mark.parametrize("greeted", [True, False])
async def test_what_cannot_be_read_is_answered_with_its_id(greeted: bool) -> None:
    """Whoever sent it would wait for an answer that never comes."""
    lead = lines(*opening("2025-11-25")[:2]) if greeted else b""
    sent = [line for line, *_ in UNREADABLE]
    quiet = [b"", b"  ", b'{"jsonrpc":"2.0","id":90,"result":5}', b'{"jsonrpc":"2.0","method":"x","params":5}']
    async with clock() as process:
        last = lines({"jsonrpc": "2.0", "id": 99, "method": "no/such"})
        write(process, lead + b"\n".join([*sent, *quiet, last]))
        answers = [await answer(process)]
        while answers[-1].get("id") != 99:
            answers.append(await answer(process))
    found = [(each["error"]["code"], each["id"]) for each in answers if each["id"] not in (1, 99)]
    assert found == [(code, number) for _, code, number, _ in UNREADABLE]
    told = [each["error"]["message"] for each in answers if each["id"] not in (1, 99)]
    assert all(word in text for (*_, word), text in zip(UNREADABLE, told, strict=True)), told


async def test_a_byte_order_mark_before_a_message_is_passed_over() -> None:
    async with clock() as process:
        write(process, b"\xef\xbb\xbf" + lines(*opening("2025-11-25")[:2]) + b"\xef\xbb\xbf" + lines(CALL))
        assert "result" in await answer(process)
        found = await answer(process)
        assert (found["id"], found["result"]["isError"]) == (9, False)


async def test_a_call_can_be_cancelled_before_the_engine_is_there() -> None:
    note = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 9, "reason": "changed"}}
    async with clock() as process:
        write(process, lines(*opening("2025-11-25")[:2], CALL, note, {"jsonrpc": "2.0", "id": 10, "method": "ping"}))
        ids = [(await answer(process)).get("id")]
        while ids[-1] != 10:
            ids.append((await answer(process)).get("id"))
        assert ids[0] == 1
        assert set(ids) <= {1, 9, 10}


@pytest.mark.parametrize("sent", [b"", lines(*opening("2025-11-25")), lines(*opening("2026-07-28"))])
async def test_the_end_of_the_client_ends_the_process_at_once(sent: bytes) -> None:
    async with clock() as process:
        answers, _, code = await outcome(process, sent)
        assert code == 0
        assert len(answers) == sum(b'"id"' in line for line in sent.splitlines())


async def test_a_client_that_never_reads_and_goes_leaves_no_process() -> None:
    read, written = os.pipe()
    process = await asyncio.create_subprocess_exec(CLOCK_SCRIPT, stdin=-1, stdout=written, stderr=-3)
    os.close(written)
    try:
        listing = {"jsonrpc": "2.0", "method": "tools/list", "params": {}}
        write(process, lines(*opening("2025-11-25")[:2], *({**listing, "id": number} for number in range(5, 400))))
        assert process.stdin is not None
        os.close(read)
        process.stdin.close()
        await asyncio.wait_for(process.wait(), scaled(60))
    finally:
        if process.returncode is None:
            process.kill()


@pytest.mark.parametrize("moment", ["before", "loading", "after"])
async def test_a_signal_ends_it_at_any_moment(moment: str) -> None:
    async with clock() as process:
        if moment != "before":
            write(process, lines(*opening("2025-11-25")[:2], *([CALL] if moment == "after" else [])))
            assert (await answer(process))["id"] == 1
        if moment == "after":
            assert (await answer(process))["id"] == 9
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), scaled(30)) == -signal.SIGTERM


async def test_a_huge_line_is_refused_and_the_session_goes_on() -> None:
    async with clock() as process:
        write(process, lines(*opening("2025-11-25")[:2]))
        assert (await answer(process))["id"] == 1
        huge = b'{"jsonrpc":"2.0","id":8,"method":"tools/call","params":{"x":"' + b"a" * (40 * 2**20) + b'"}}\n'
        write(process, huge + lines(CALL))
        found = await answer(process)
        while found.get("id") != 9:
            assert found["error"]["code"] == -32700
            found = await answer(process)
        status = Path(f"/proc/{process.pid}/status").read_text()
        peak = int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
        assert peak < 260_000, "kB: the line was not held whole"


@pytest.mark.parametrize(
    ("flags", "environment", "text"),
    [
        (["--timeout", "0"], {}, "--timeout / KMCP_TIMEOUT"),
        ([], {"KMCP_READ_ONLY": "perhaps"}, "KMCP_READ_ONLY"),
        (["--tools", "datetime"], {}, "no tool 'datetime'"),
        (["--nonsense"], {}, "--nonsense"),
    ],
)
async def test_a_fault_of_the_configuration_is_told_as_ever(
    flags: list[str], environment: dict[str, str], text: str
) -> None:
    async with clock(*flags, environment=environment) as process:
        answers, log, code = await outcome(process, lines(*opening("2025-11-25")))
        assert (answers, code) == ([], 2)
        assert text in log.decode()


FAILING = """
import sys
from kmcp_runtime import Server
SERVER = Server(
    package="late", name="clock", title="Clock", description="Late.", instructions="", port=1,
    tools={tools},
)
sys.exit(SERVER.main())
"""
UNUSABLE = (
    "from kmcp_runtime import SettingsError\ndef open_backend(settings): raise SettingsError('the vault is shut')\n"
)


@pytest.mark.parametrize(("tools", "code", "text"), [("lambda: ()", 2, "the vault is shut"), ("5", 1, "its log says")])
async def test_what_only_the_engine_finds_is_told_by_the_first_call(
    tools: str, code: int, text: str, tmp_path: Path
) -> None:
    package = tmp_path / "late"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "client.py").write_text(UNUSABLE)
    (package / "prepared.json").write_text(prepared(CLOCK))
    program = [sys.executable, "-c", FAILING.format(tools=tools)]
    async with clock(environment={"PYTHONPATH": str(tmp_path)}, program=program) as process:
        write(process, lines(*opening("2025-11-25"), CALL))
        assert {(await answer(process))["id"] for _ in range(3)} == {1, 2, 3}
        refused = (await answer(process))["result"]
        assert refused["isError"]
        assert text in refused["content"][0]["text"]
        _, log, found = await outcome(process, b"")
        assert found == code
        assert ("vault" if code == 2 else "Traceback") in log.decode()


async def test_a_fault_of_what_shapes_no_list_is_told_by_the_first_call() -> None:
    async with clock(environment={"KMCP_STATE_KEY": "too-short"}) as process:
        write(process, lines(*opening("2025-11-25"), CALL))
        assert {(await answer(process))["id"] for _ in range(3)} == {1, 2, 3}
        refused = (await answer(process))["result"]
        assert refused["isError"]
        assert "KMCP_STATE_KEY" in refused["content"][0]["text"]
        assert "too-short" not in refused["content"][0]["text"]
        _, log, found = await outcome(process, b"")
        assert found == 2
        assert "KMCP_STATE_KEY" in log.decode()
