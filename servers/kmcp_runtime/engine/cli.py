"""What every script of a server runs when the engine is wanted: settings, servers, and the transport that is spoken."""

import asyncio
import logging
import os
from collections.abc import Sequence
from typing import cast

from kmcp_runtime.commands import complain
from kmcp_runtime.engine import logs
from kmcp_runtime.engine.assembly import run_http, run_stdio
from kmcp_runtime.engine.configured import ConfiguredServer, Process, check_tool_names
from kmcp_runtime.instant.choice import is_piped
from kmcp_runtime.instant.desk import Desk
from kmcp_runtime.server import Server
from kmcp_runtime.settings import RuntimeSettings, Settings, SettingsError, is_of_http, parse
from kmcp_runtime.tracing import export

OF_HTTP = frozenset(name for name, field in RuntimeSettings.model_fields.items() if is_of_http(field))
log = logging.getLogger("kmcp.server")


def run(
    servers: Sequence[Server], argv: Sequence[str], program: str, about: str, port: int, desk: Desk | None = None
) -> int:
    """Serve until the client goes or a signal comes; the exit code. `desk` has answered the client's first requests."""
    try:
        runtime, instances = configured(servers, argv, program, about)
        logs.configure(runtime.log_level)
        name = servers[0].full_name if len(servers) == 1 else "kmcp-suite"
        try:
            with export.exporting(name, os.environ):
                if desk or _speaks_stdio(runtime):
                    _run(run_stdio(name, instances, desk))
                else:
                    _run(run_http(name, instances, runtime.port or port))
        finally:
            instances[0].refusals.close()
    except SettingsError as error:
        complain(str(error), program)
        if desk:  # The client holds it for a server that works: it is told, and not left with a closed pipe.
            desk.refuse(str(error))
        return 2
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
    if not is_piped() or runtime.model_fields_set & OF_HTTP:
        return False
    log.info("stdin is a pipe, so clients are served over stdio; --transport http serves them at an address")
    return True
