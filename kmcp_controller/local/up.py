"""`kmcp-suite up`: the whole suite on this machine until Ctrl-C."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx2
import uvicorn

from kmcp_controller.catalog.console import Console
from kmcp_controller.catalog.live_document import LiveDocument
from kmcp_controller.catalog.site import app
from kmcp_controller.discovery.tool_calls import call_tool
from kmcp_runtime import private_files, serving
from kmcp_runtime.catalog import CLIENTS, Catalog, Connection, stdio_connections
from kmcp_runtime.connect.programs import known_values, over_stdio
from kmcp_runtime.counting import counted
from kmcp_runtime.heartbeat import Heartbeat

from .elsewhere import Elsewhere
from .local_server import LocalServer
from .ports import listen
from .suite import Options, Suite


async def up(
    catalog: Catalog,
    manifests: Iterable[Mapping[str, Any]],
    options: Options,
    ready: Callable[[Suite], None] = lambda suite: None,
) -> int:
    """Start everything, serve the catalog, end everything; PortInUseError before anything starts.

    `ready` is called once, when each server has answered or cannot, and the greeting is printed.
    """
    with contextlib.ExitStack() as stack:
        bound = stack.enter_context(listen(options.host, options.catalog_port, "--catalog-port"))
        for port, option in ((options.port, "--port"), (options.management_port, "--management-port")):
            listen(options.host, port, option).close()  # the children bind them; a fault is shown before any starts
        # In the private folder, so that the next process removes what a killed one leaves.
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="scratch-", dir=private_files.folder()))
        live = LiveDocument()
        suite = Suite(catalog, manifests, options, live, _say)
        suite.prepare(Path(scratch))
        stop = _signals()
        server = _catalog_server(live, catalog, options)
        async with httpx2.AsyncClient(trust_env=False, timeout=10) as http:
            tasks = [asyncio.create_task(child.run()) for child in suite.children]
            tasks += [asyncio.create_task(suite.watch(each, http)) for each in suite.servers]
            tasks.append(asyncio.create_task(server.serve(sockets=[bound])))
            try:
                await _wait_until_stopped(stop, tasks, _greet(suite, catalog, options, ready))
            finally:
                _say("ending")
                server.should_exit = True
                await _end(tasks[:-1])
                await asyncio.gather(tasks[-1], return_exceptions=True)
    return 0


async def _wait_until_stopped(stop: asyncio.Event, tasks: list[asyncio.Task[None]], greeting: Any) -> None:
    """Until a signal, or until a task fails, which is then raised."""
    greet, stopped = asyncio.create_task(greeting), asyncio.create_task(stop.wait())
    waiting: set[asyncio.Task[Any]] = {*tasks, greet, stopped}
    try:
        while not stopped.done():
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
    finally:
        await _end([greet, stopped])


async def _end(tasks: list[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _signals() -> asyncio.Event:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    # SIGHUP too: a closed terminal must not leave servers running.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    return stop


async def _greet(suite: Suite, catalog: Catalog, options: Options, ready: Callable[[Suite], None]) -> None:
    """Progress while servers start, then where everything is."""
    _say(f"starting {', '.join(server.name for server in suite.servers) or 'nothing'}")
    waiting, heartbeat = list(suite.servers), Heartbeat(_say)
    try:
        async with asyncio.timeout(options.deadline):
            while waiting:
                for server in [each for each in waiting if each.is_settled]:
                    waiting.remove(server)
                    _say(_line(server))
                    heartbeat.happened()
                if waiting:
                    heartbeat.wait(_waited_for(waiting))
                await asyncio.sleep(0.1)
    except TimeoutError:
        for server in waiting:
            _say(f"{_line(server)} (still trying after {options.deadline:.0f} s)")
    print(_greeting(suite, catalog, options), flush=True)
    ready(suite)


def _waited_for(servers: Sequence[LocalServer]) -> str:
    more = f" and {len(servers) - 3} more" if len(servers) > 3 else ""
    return f"{', '.join(server.name for server in servers[:3])}{more}"


def _line(server: LocalServer) -> str:
    ready = server.live().condition("Ready")
    tools = counted(len(server.listing.tools), "tool") if server.listing else "no tools listed"
    state = "Ready" if ready["status"] == "True" else f"Ready=False {ready['reason']}: {ready['message']}"
    faults = "".join(f"\n  {fault}" for fault in server.refused.faults) if server.refused else ""
    asked = server.live().condition("ToolsDiscovered")
    why = f", {asked['reason']}: {asked['message']}" if asked.get("status") == "False" else ""
    return f"{server.name}: {tools}, {state}{why}{faults}"


def http_connections(suite: Suite) -> tuple[Connection, ...]:
    """Of the servers that run here, each at its own address."""
    here = (each for each in suite.servers if each.url and not isinstance(each, Elsewhere))
    found = (Connection(each.name, each.url) for each in here)
    return tuple(sorted(found, key=lambda each: each.name))


def _stdio_connections(catalog: Catalog, options: Options) -> tuple[Connection, ...]:
    return stdio_connections(
        catalog.servers,
        lambda name: over_stdio(name, options.scripts),
        lambda env: known_values(env, os.environ),
    )


def _greeting(suite: Suite, catalog: Catalog, options: Options) -> str:
    """Where everything is that runs: an address at which nobody listens would be written into a client's file."""
    address = f"{options.url(options.catalog_port)}/"
    parts = [f"Catalog: {address} (JSON: {address}catalog.json)"]
    if suite.everything:
        parts[0] += f"\nAll tools at {suite.everything}"
    if http := http_connections(suite):
        parts += [
            _block("Claude Code (.mcp.json)", "claude-code", http),
            _block("VS Code (.vscode/mcp.json)", "vscode", http),
            _block("Cursor (.cursor/mcp.json)", "cursor", http),
        ]
    last = options.ending
    if stdio := _stdio_connections(catalog, options):
        parts.append(_block("or started by the client itself, over stdio (.mcp.json)", "claude-code", stdio))
        last = f"`kmcp-suite connect CLIENT --write` puts it into the file of a client; --help lists them.\n{last}"
    return "\n\n".join([*parts, last])


def _block(title: str, client: str, connections: tuple[Connection, ...]) -> str:
    return f"{title}:\n{json.dumps(CLIENTS[client].document(connections), indent=2)}"


def _catalog_server(live: LiveDocument, catalog: Catalog, options: Options) -> uvicorn.Server:
    site = app(
        live,
        catalog.servers,
        hosts=["127.0.0.1", "localhost", "[::1]", options.host],  # another Host is a rebound name: a page reading along
        commands=lambda: _stdio_connections(catalog, options),
        console=Console(call_tool),
    )
    return serving.server(site)


def _say(text: str) -> None:
    print(f"up: {text}", file=sys.stderr, flush=True)
