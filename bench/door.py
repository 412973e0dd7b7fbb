"""What the door adds to a call: by `call_tool` to one of our own tools, and to one of a foreign server.

`python -m bench.door`: made in turn with the call without the door, so that a machine that slows down slows both;
all is one process over HTTP, and it needs no cluster.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from bench.goal import Goal
from bench.session import Session
from kmcp_clock.server import SERVER as CLOCK
from kmcp_runtime import RuntimeSettings
from kmcp_runtime.engine.assembly import http_app
from kmcp_runtime.engine.configured import ConfiguredServer, Process
from kmcp_runtime.engine.door import CALL
from tests.runtime import shelf
from tests.serving import served
from tests.waiting import until

MOST_MILLISECONDS = 3.0
MOST_OF_FOREIGN = 8.0
_TOOL = "datetime_get_current_time"
_FOREIGN = f"elsewhere_{_TOOL}"


def _app(**runtime: Any) -> tuple[list[ConfiguredServer], Any]:
    process = Process.of(RuntimeSettings(audit=False, **runtime))
    instances = [
        ConfiguredServer(CLOCK, CLOCK.settings(), process),
        ConfiguredServer(shelf.SERVER, shelf.ShelfSettings(), process),
    ]
    return instances, http_app("suite", instances, None)


async def measure(calls: int) -> Mapping[str, tuple[float, float]]:
    """Milliseconds of a call each way, as medians: passed, and of CPU in all parties together."""
    async with AsyncExitStack() as stack:

        async def session_of(**runtime: Any) -> tuple[str, Session]:
            instances, app = _app(**runtime)
            for instance in instances:
                await stack.enter_async_context(instance.opened())
            url = await stack.enter_async_context(served(app))
            session = await Session(f"{url}/mcp").open()
            stack.push_async_callback(session.close)
            return url, session

        url, direct = await session_of()
        file = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "servers.json"
        entry = {"name": "elsewhere", "url": f"{url}/clock/mcp", "annotations": "trusted"}
        file.write_text(json.dumps({"servers": [entry]}))
        _, door = await session_of(door_servers=str(file))
        await _until_there(door)
        ways: dict[str, Callable[[], Awaitable[Any]]] = {
            "by name": lambda: direct.call(_TOOL, {}),
            "by call_tool": lambda: direct.call(CALL, {"name": _TOOL, "arguments": {}}),
            "foreign, by the door": lambda: door.call(_FOREIGN, {}),
        }
        return await _timed(ways, calls)


async def _until_there(door: Session) -> None:
    async def is_found() -> bool:
        return _FOREIGN in json.dumps(await door.call("search_tools", {"query": "current time elsewhere"}))

    await until(is_found, what="a tool of the foreign server")


async def _timed(ways: Mapping[str, Callable[[], Awaitable[Any]]], calls: int) -> dict[str, tuple[float, float]]:
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(calls):
        for name, call in ways.items():
            started, used = time.perf_counter(), time.process_time()
            await call()
            taken[name].append((time.perf_counter() - started, time.process_time() - used))
    tenth = calls // 10  # The first ones load what is loaded once.
    return {
        name: (
            statistics.median(t for t, _ in found[tenth:]) * 1000,
            statistics.median(c for _, c in found[tenth:]) * 1000,
        )
        for name, found in taken.items()
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.door", description=__doc__)
    parser.add_argument("--calls", type=int, default=500, help="calls of each way (default %(default)s)")
    found = asyncio.run(measure(parser.parse_args().calls))
    for name, (passed, used) in found.items():
        print(f"{name:24} {passed:6.2f} ms passed, {used:6.2f} ms of CPU in client, door and server (medians)")
    plain = found["by name"][0]
    goals = [
        Goal("milliseconds that the door adds", found["by call_tool"][0] - plain, MOST_MILLISECONDS),
        Goal("the same to a foreign server", found["foreign, by the door"][0] - plain, MOST_OF_FOREIGN),
    ]
    print(*(goal.line() for goal in goals), sep="\n")
    return int(not all(goal.met for goal in goals))


if __name__ == "__main__":
    sys.exit(main())
