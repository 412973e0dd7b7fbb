"""How a server that was told nothing is reached: over stdio where a client started it, else at an address (X10)."""

import asyncio
import json
import os
import pty
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import pytest

from kmcp_runtime import RuntimeSettings
from kmcp_runtime.engine.cli import OF_HTTP
from tests.installed import SUITE, program
from tests.ports import free_ports
from tests.slowness import scaled

SHELF = [sys.executable, "-c", "from tests.runtime import shelf\nraise SystemExit(shelf.SERVER.main())"]
PROGRAMS = {
    "script of a server": [program("kmcp-clock")],
    "module of a server": [sys.executable, "-m", "kmcp_clock.server"],
    "suite": [SUITE, "serve", "clock"],
    "a server of one's own": SHELF,
}
HELLO: dict[str, Any] = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}},
}


@pytest.mark.parametrize(("program", "ends"), [*((each, "pipe") for each in PROGRAMS), ("suite", "sockets")])
async def test_a_client_that_passes_no_argument_is_answered(program: str, ends: str) -> None:
    """X10: over a pipe, and over a pair of sockets, which is what Node gives to its children."""
    ours, theirs = socket.socketpair()
    stdin = theirs.fileno() if ends == "sockets" else subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*PROGRAMS[program], stdin=stdin, stdout=-1, stderr=-3)
    theirs.close()
    line = json.dumps(HELLO).encode() + b"\n"
    if process.stdin:
        process.stdin.write(line)
    else:
        ours.sendall(line)
    assert process.stdout is not None
    answer = json.loads(await asyncio.wait_for(process.stdout.readline(), scaled(60)))
    assert answer["result"]["protocolVersion"] == "2025-11-25"
    ours.close()
    if process.stdin:
        process.stdin.close()
    assert await asyncio.wait_for(process.wait(), scaled(30)) == 0


@pytest.mark.parametrize(
    ("stdin", "flags", "variables"),
    [
        ("terminal", [], {}),
        ("nothing", [], {}),
        ("pipe", ["--transport", "http"], {}),
        ("pipe", ["--port", "{port}"], {}),
        ("pipe", [], {"KMCP_HOST": "127.0.0.1"}),
    ],
)
async def test_whoever_says_so_or_has_no_pipe_gets_an_address(
    stdin: str, flags: Sequence[str], variables: dict[str, str]
) -> None:
    """X10: a terminal, a container (whose stdin is nothing), and each setting that only HTTP has."""
    (port,) = free_ports(1)
    # The program's own default port may be taken: where no flag is a case, the test's own variable is, by its default.
    program = SHELF[2].replace("shelf.SERVER", f"replace(shelf.SERVER, port={port})")
    command = [SHELF[0], "-c", f"from dataclasses import replace\n{program}", "--management-port", "0"]
    if stdin == "pipe" and not flags:
        command = command[:3]
    with ExitStack() as stack:
        given: int = subprocess.DEVNULL
        if stdin == "pipe":
            given = subprocess.PIPE
        elif stdin == "terminal":
            ours, given = pty.openpty()
            stack.callback(os.close, ours)
            stack.callback(os.close, given)
        words = [each.format(port=port) for each in flags]
        environment = {**os.environ, "KMCP_MANAGEMENT_PORT": "0", **variables}
        process = await asyncio.create_subprocess_exec(
            *command, *words, stdin=given, stdout=-3, stderr=-1, env=environment
        )
        assert process.stderr is not None
        try:
            text = ""
            while "serves" not in text:
                text = (await asyncio.wait_for(process.stderr.readline(), scaled(60))).decode()
                assert text, "it has ended"
            assert f"at http://127.0.0.1:{port}/mcp" in text
        finally:
            process.terminate()
            await process.wait()


def test_the_settings_of_http_exist() -> None:
    assert RuntimeSettings.model_fields.keys() >= OF_HTTP
    rest = RuntimeSettings.model_fields.keys() - OF_HTTP
    assert not [name for name in rest if name.startswith(("jwt", "allow", "auth", "host", "port", "token"))]
