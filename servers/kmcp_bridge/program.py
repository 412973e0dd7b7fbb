"""The program: `kmcp-bridge --port P -- cmd args…`, its two listeners and its end."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Mapping, Sequence

from mcp.server.transport_security import RequestBodyLimitMiddleware
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from kmcp_runtime import serving
from kmcp_runtime.command import orphans
from kmcp_runtime.engine import browsers, logs
from kmcp_runtime.engine.requests import Checked
from kmcp_runtime.settings import SettingsError, listed, parse
from kmcp_runtime.urls import authority, is_loopback
from kmcp_runtime.version import VERSION
from kmcp_runtime.watchdog import Watchdog

from .child import Child, Introduction, Limits
from .children import Children
from .endpoint import Endpoint
from .metrics import Metrics
from .session_client import SessionClient
from .settings import BridgeSettings, child_environment

log = logging.getLogger("kmcp.bridge")
MCP_PATH = "/mcp"
_ABOUT = "Serve a stdio MCP server over streamable HTTP: kmcp-bridge --port P -- command arguments…"
# A tool's arguments may carry files in base64.
_LARGEST_BODY = 16 * 1024 * 1024


def main(argv: Sequence[str] | None = None) -> int:
    given = list(sys.argv[1:] if argv is None else argv)
    flags, command = given, list[str]()
    if "--" in given:
        cut = given.index("--")
        flags, command = given[:cut], given[cut + 1 :]
    try:
        settings = parse([BridgeSettings], flags, os.environ, "kmcp-bridge", _ABOUT)[BridgeSettings]
        assert isinstance(settings, BridgeSettings)
        if not command:
            raise SettingsError(
                "no command: give the command of the server after --, as in: kmcp-bridge --port 3000 -- uvx …"
            )
    except SettingsError as error:
        print(f"kmcp-bridge: {error}", file=sys.stderr)
        return 2
    logs.configure(settings.log_level)
    return asyncio.run(serve(settings, command, os.environ))


async def serve(settings: BridgeSettings, command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Until a signal: the listeners close first, calls under way get their time, then the process ends."""
    env = child_environment(environment)

    limits = Limits(settings.handshake, settings.patience, settings.timeout, settings.largest_answer)

    def make(introduction: Introduction | None, client: SessionClient | None) -> Child:
        return Child(command, env, limits, introduction, client)

    children = Children(make, settings.isolation == "session", settings.most_sessions, settings.session_idle)
    shared = children.shared
    metrics = Metrics(lambda: shared.ready, lambda: len(children.all()), lambda: shared.starts)
    host = settings.address(environment)
    app = mcp_app(settings, host, children, metrics)
    at = f"http://{authority(host, settings.port)}{MCP_PATH}"
    main_server = serving.server(
        app, host, settings.port, grace=5, started=lambda: log.info("kmcp-bridge %s listens at %s", VERSION, at)
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, setattr, main_server, "should_exit", True)
    async with children:
        beside = [asyncio.create_task(_manage(settings, host, shared, metrics)), asyncio.create_task(orphans.collect())]
        try:
            async with Watchdog(metrics.registry).watching():
                await main_server.serve()
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
    return 0 if main_server.started else 1


def mcp_app(settings: BridgeSettings, host: str, children: Children, metrics: Metrics) -> ASGIApp:
    app = Starlette(routes=[Route(MCP_PATH, Endpoint(children, settings.allowed(), metrics))])
    limited = Checked(RequestBodyLimitMiddleware(app, _LARGEST_BODY))
    origins, hosts = listed(settings.allowed_origins), listed(settings.allowed_hosts)
    return browsers.fenced(limited, origins, hosts, is_loopback(host))


def management_app(child: Child, metrics: Metrics) -> Starlette:
    async def healthz(request: Request) -> Response:
        return PlainTextResponse("ok\n") if child.ready else PlainTextResponse(f"{child.cause}\n", 503)

    async def readyz(request: Request) -> Response:
        hint = None if child.ready else "it restarts automatically; the log of the bridge has its stderr"
        state = {"ready": child.ready, "reason": None if child.ready else child.cause, "hint": hint}
        return JSONResponse(state, 200 if child.ready else 503)

    async def exposition(request: Request) -> Response:
        return Response(metrics.exposition(), media_type=metrics.content_type)

    routes = {"/healthz": healthz, "/readyz": readyz, "/readyz/{server}": readyz, "/metrics": exposition}
    return Starlette(routes=[Route(path, endpoint) for path, endpoint in routes.items()])


async def _manage(settings: BridgeSettings, host: str, child: Child, metrics: Metrics) -> None:
    if settings.management_port:
        app = browsers.own_names_only(management_app(child, metrics), host, listed(settings.allowed_hosts))
        await serving.run(serving.server(app, host, settings.management_port, limits=serving.FEW))


if __name__ == "__main__":
    sys.exit(main())
