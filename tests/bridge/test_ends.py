"""What is left when a bridge ends: nothing that it has started."""

import json
import signal
import sys
from pathlib import Path

import pytest

from tests.bridge.conftest import Start, program
from tests.bridge.test_bridge import alive, client
from tests.slowness import scaled
from tests.waiting import until


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends what a process has started with it")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_nothing_of_the_group_is_left(start: Start, number: signal.Signals) -> None:
    """B7: the server behind a runner that ignores the end of everything, when the bridge is ended or killed."""
    bridge = await start(*program("runner")).ready()
    async with client(bridge, "legacy") as mcp:
        pids = json.loads((await mcp.call_tool("pids", {})).content[0].text)
    assert len(pids) == 2
    assert all(alive(pid) for pid in pids)
    bridge.process.send_signal(number)
    bridge.process.wait(timeout=scaled(30))

    async def gone() -> bool:
        return not any(alive(pid) for pid in pids)

    await until(gone, seconds=10, what="the end of the whole group")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives orphans to a chosen process")
async def test_orphans_are_collected(start: Start) -> None:
    """D17: what left the group of the server ends as a child of the bridge, which is process 1 of a pod."""
    bridge = await start(*program("runner"), KMCP_TEST_INHERITS="1").ready()
    async with client(bridge, "legacy") as mcp:
        orphan = json.loads((await mcp.call_tool("orphan", {})).content[0].text)

    async def collected() -> bool:
        return not Path(f"/proc/{orphan}").exists()

    await until(collected, seconds=30, what="the end of the orphan")
    assert await bridge.metric("kmcp_bridge_process_starts ") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_nothing_is_left(start: Start, number: signal.Signals) -> None:
    if number is signal.SIGKILL and sys.platform != "linux":
        pytest.skip("only Linux ends a child with its parent")
    script = "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))"
    wrapped = (sys.executable, "-c", script, *program("modern")) if number is signal.SIGTERM else program("modern")
    bridge = await start(*wrapped).ready()
    async with client(bridge, "legacy") as mcp:
        pid = (await mcp.call_tool("process", {})).data
    bridge.process.send_signal(number)
    assert bridge.process.wait(timeout=scaled(20)) == (0 if number is signal.SIGTERM else -number), bridge.log()

    async def gone() -> bool:
        return not alive(pid)

    await until(gone, seconds=10, what="the end of the server")
