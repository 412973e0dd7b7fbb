"""The program that the suite is run on: the clock server, as this project's factory makes it, with fixtures added.

`python -m tests.conformance.serve PORT` listens; without a port it speaks stdio, for the bridge.
"""

import asyncio
import sys
from collections.abc import Sequence
from typing import Any

from fastmcp import FastMCP

from kmcp_clock.server import SERVER
from kmcp_runtime import RuntimeSettings
from kmcp_runtime.engine import assembly
from kmcp_runtime.engine.configured import ConfiguredServer, Process
from kmcp_runtime.engine.gate import Gate
from tests.conformance import fixtures, rounds

_ADD = (
    fixtures.add_contents,
    fixtures.add_notices,
    fixtures.add_questions,
    fixtures.add_schema,
    fixtures.add_resources,
    fixtures.add_prompts,
    rounds.add_rounds,
)


def with_fixtures(
    name: str, instances: Sequence[ConfiguredServer], authentication: Any, foreign: Any = None, late: bool = False
) -> FastMCP[Any]:
    mcp = _compose(name, instances, authentication, foreign, late)
    for add in _ADD:
        add(mcp)
    # It answers calls of what is no tool of a server of ours, as the fixtures are.
    mcp.middleware = [each for each in mcp.middleware if not isinstance(each, Gate)]
    # The factory declares tools alone, which is all that a server of the suite has; here is more.
    del mcp._mcp_server.get_capabilities
    return mcp


_compose = assembly.compose


def main(argv: Sequence[str]) -> None:
    assembly.compose = with_fixtures
    runtime = RuntimeSettings(management_port=0, audit=False)
    instances = [ConfiguredServer(SERVER, SERVER.settings(), Process.of(runtime))]
    if argv:
        asyncio.run(assembly.run_http("conformance", instances, int(argv[0])))
    else:
        asyncio.run(assembly.run_stdio("conformance", instances))


if __name__ == "__main__":
    main(sys.argv[1:])
