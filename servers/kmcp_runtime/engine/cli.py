"""`kmcp-suite serve` and the script of each server. Servers are found in the entry points `kmcp.servers`."""

import asyncio
import logging
import os
import stat
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import cast

from kmcp_runtime.commands import complain, ended_quietly
from kmcp_runtime.distributions import SERVERS
from kmcp_runtime.engine import logs
from kmcp_runtime.engine.assembly import run_http, run_stdio
from kmcp_runtime.engine.configured import ConfiguredServer, Process, check_tool_names
from kmcp_runtime.errors import did_you_mean
from kmcp_runtime.server import Server
from kmcp_runtime.settings import RuntimeSettings, Settings, SettingsError, is_of_http, parse
from kmcp_runtime.tracing import export

COMPOSED_PORT = 8080
OF_HTTP = frozenset(name for name, field in RuntimeSettings.model_fields.items() if is_of_http(field))
log = logging.getLogger("kmcp.server")


def serve(argv: Sequence[str]) -> int:
    """`kmcp-suite serve SERVER … [flags]`: several servers in one process, each at `/<server>/mcp`, all at `/mcp`."""
    names = list(argv[: _first_flag(argv)])
    known = {found.name: found for found in entry_points(group=SERVERS)}
    if not names:
        names = sorted(known)
    for name in names:
        if name not in known:
            suggestion = did_you_mean(name, known) or f"there are {', '.join(sorted(known))}"
            return complain(f"no server {name!r}: {suggestion}")
    servers = [cast("Server", known[name].load()) for name in names]
    port = servers[0].port if len(servers) == 1 else COMPOSED_PORT
    return run(servers, argv[_first_flag(argv) :], "kmcp-suite serve", "Serve MCP tool servers in one process.", port)


def run_server(server: Server, argv: Sequence[str] | None = None) -> int:
    """The whole of a server's own script."""
    arguments = sys.argv[1:] if argv is None else argv
    return ended_quietly(lambda: run([server], arguments, server.full_name, server.description, server.port))


def run(servers: Sequence[Server], argv: Sequence[str], program: str, about: str, port: int) -> int:
    try:
        runtime, instances = configured(servers, argv, program, about)
        logs.configure(runtime.log_level)
        name = servers[0].full_name if len(servers) == 1 else "kmcp-suite"
        try:
            with export.exporting(name, os.environ):
                by_stdio = _speaks_stdio(runtime)
                _run(run_stdio(name, instances) if by_stdio else run_http(name, instances, runtime.port or port))
        finally:
            instances[0].refusals.close()
    except SettingsError as error:
        return complain(str(error), program)
    except KeyboardInterrupt:
        return 130
    return 0


def configured(
    servers: Sequence[Server], argv: Sequence[str], program: str, about: str
) -> tuple[RuntimeSettings, list[ConfiguredServer]]:
    classes: list[type[Settings]] = [RuntimeSettings, *dict.fromkeys(server.settings for server in servers)]
    parsed = parse(classes, argv, os.environ, program, about)
    runtime = cast("RuntimeSettings", parsed[RuntimeSettings])
    check_tool_names(servers, runtime)
    process = Process.of(runtime, servers)
    return runtime, [ConfiguredServer(server, parsed[server.settings], process) for server in servers]


def _run(work: "object") -> None:
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)  # type: ignore[arg-type]  # both runners are coroutines


def _speaks_stdio(runtime: RuntimeSettings) -> bool:
    """Also without a word of it, for clients that start a server and cannot pass it a flag."""
    if runtime.transport != "auto":
        return runtime.transport == "stdio"
    if not _is_piped() or runtime.model_fields_set & OF_HTTP:
        return False
    log.info("stdin is a pipe, so clients are served over stdio; --transport http serves them at an address")
    return True


def _is_piped() -> bool:
    """Whether stdin is what a program gives to one that it starts: a pipe, or a pair of sockets, as Node makes them."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:  # it is closed
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _first_flag(argv: Sequence[str]) -> int:
    return next((index for index, word in enumerate(argv) if word.startswith("-")), len(argv))
