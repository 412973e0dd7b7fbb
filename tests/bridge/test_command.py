"""Child processes: their end, whatever they started and wherever it went."""

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kmcp_runtime import command
from tests.slowness import scaled
from tests.waiting import until

_PR_SET_CHILD_SUBREAPER = 36
PARENT = """
import subprocess, sys, time
waits = [sys.executable, "-c", "import time; time.sleep(600)"]
child = subprocess.Popen(waits, start_new_session=sys.argv[1] == "away")
print(child.pid, flush=True)
time.sleep(600 if sys.argv[2] == "stay" else 1)
"""


@pytest.fixture
def first_process() -> Iterator[None]:
    """As process 1 of a container: orphans become children of this process."""
    if sys.platform != "linux":
        pytest.skip("only Linux gives orphans to another process than the first")
    prctl = ctypes.CDLL(None).prctl
    prctl(_PR_SET_CHILD_SUBREAPER, 1)
    yield
    prctl(_PR_SET_CHILD_SUBREAPER, 0)


async def started(*arguments: str) -> tuple[command.Running, int]:
    lines: list[str] = []
    argv = [sys.executable, "-c", PARENT, *arguments]
    running = await command.start(argv, env=os.environ, line=lines.append)

    async def first() -> list[str]:
        return lines

    return running, int((await until(first, what="the first line"))[0])


@pytest.mark.usefixtures("first_process")
async def test_the_whole_group_ends_and_is_collected() -> None:
    running, grandchild = await started("here", "stay")
    assert await running.stop() == -signal.SIGTERM
    assert not Path(f"/proc/{grandchild}").exists()


async def test_the_end_is_seen_while_a_descendant_holds_the_pipes() -> None:
    running, grandchild = await started("away", "leave")
    try:
        async with asyncio.timeout(scaled(10)):
            assert await running.wait() == 0
            assert await running.stop() == 0
    finally:
        os.kill(grandchild, signal.SIGKILL)


async def test_a_command_line_is_shown_without_secrets() -> None:
    assert "hunter2" not in command.shown(["server", "--token", "hunter2", "https://me:hunter2@host"])
    assert command.shown(["a b", "--flag"]) == "'a b' --flag"
