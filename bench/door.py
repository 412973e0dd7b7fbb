"""What a call by `call_tool` costs beyond the same call by the tool's own name, in one process over HTTP.

`python -m bench.door`: both are made in turn, so that a machine that slows down slows both; it needs no cluster.
"""

import argparse
import asyncio
import statistics
import sys
import time
from contextlib import AsyncExitStack

from bench.goal import Goal
from bench.session import Session
from kmcp_clock.server import SERVER as CLOCK
from kmcp_runtime import RuntimeSettings
from kmcp_runtime.engine.assembly import http_app
from kmcp_runtime.engine.configured import ConfiguredServer, Process
from kmcp_runtime.engine.door import CALL
from tests.runtime import shelf
from tests.serving import served

MOST_MILLISECONDS = 3.0
_TOOL = "datetime_get_current_time"


async def measure(calls: int) -> tuple[float, float]:
    """Milliseconds of a call by name and of one by the door, as medians."""
    process = Process.of(RuntimeSettings(audit=False))
    instances = [
        ConfiguredServer(CLOCK, CLOCK.settings(), process),
        ConfiguredServer(shelf.SERVER, shelf.ShelfSettings(), process),
    ]
    taken: dict[str, list[float]] = {"name": [], "door": []}
    async with AsyncExitStack() as stack:
        for instance in instances:
            await stack.enter_async_context(instance.opened())
        url = await stack.enter_async_context(served(http_app("suite", instances, None)))
        session = await Session(f"{url}/mcp").open()
        stack.push_async_callback(session.close)
        for _ in range(calls):
            for way, tool, arguments in (("name", _TOOL, {}), ("door", CALL, {"name": _TOOL, "arguments": {}})):
                started = time.perf_counter()
                await session.call(tool, arguments)
                taken[way].append((time.perf_counter() - started) * 1000)
    tenth = calls // 10  # The first ones load what is loaded once.
    return statistics.median(taken["name"][tenth:]), statistics.median(taken["door"][tenth:])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.door", description=__doc__)
    parser.add_argument("--calls", type=int, default=500, help="calls of each way (default %(default)s)")
    by_name, by_door = asyncio.run(measure(parser.parse_args().calls))
    print(f"a call by name takes {by_name:.2f} ms, by the door {by_door:.2f} ms (medians)")
    goal = Goal("milliseconds that the door adds", by_door - by_name, MOST_MILLISECONDS)
    print(goal.line())
    return int(not goal.met)


if __name__ == "__main__":
    sys.exit(main())
