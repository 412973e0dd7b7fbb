"""The server object behind the entry point `clock`, and its script."""

import sys
from typing import Any

from kmcp_clock import tools
from kmcp_runtime.configured import Server
from kmcp_runtime.settings import Settings
from kmcp_runtime.tool import tools_below


def _open(settings: Settings) -> Any:
    from kmcp_clock.client import open_clock

    return open_clock(settings)


SERVER = Server(
    name="clock",
    title="Clock",
    description="The time now, and before or after now, in any time zone.",
    instructions="datetime_get_current_time tells the time: ask it before writing dates or time ranges.",
    port=8091,
    tools=lambda: tools_below(tools),
    settings=Settings,
    open=_open,
    category="utilities",
    tags=("time", "time-zones"),
)


def main() -> int:
    from kmcp_runtime.cli import run_server

    return run_server(SERVER)


if __name__ == "__main__":
    sys.exit(main())
