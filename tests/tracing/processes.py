"""Servers as processes of their own, which alone read the variables of OpenTelemetry; and what they ask."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

import httpx2

from tests.audit.making import records
from tests.ports import free_ports
from tests.serving import in_thread
from tests.slowness import scaled

SOON = {"OTEL_BSP_SCHEDULE_DELAY": "50"}
"""Spans leave at once: a test waits for them."""


@dataclass
class Process:
    """A server over HTTP: where it is, and what it has written to stderr."""

    url: str
    process: asyncio.subprocess.Process
    lines: list[str] = field(default_factory=list)

    async def audited(self) -> list[dict[str, object]]:
        """Its audit lines."""
        return records("\n".join(self.lines))

    async def end(self) -> int:
        """Its exit code, after SIGTERM."""
        if self.process.returncode is None:
            self.process.terminate()
        return await asyncio.wait_for(self.process.wait(), scaled(30))


@asynccontextmanager
async def serving(server: str, environment: Mapping[str, str], *flags: str) -> AsyncIterator[Process]:
    """The server of this name over HTTP on free ports, once it answers."""
    port, management = free_ports(2)
    ports = ["--port", str(port), "--management-port", str(management)]
    process = await started([*command(server), "--transport", "http", *ports, *flags], environment)
    found = Process(f"http://127.0.0.1:{port}/mcp", process)
    listening = asyncio.Event()
    reading = asyncio.create_task(_read(process, found.lines, listening))
    try:
        await asyncio.wait_for(listening.wait(), scaled(60))
        assert process.returncode is None, found.lines
        yield found
    finally:
        await found.end()
        await reading


def command(server: str) -> list[str]:
    return [sys.executable, "-m", f"kmcp_{server}.server"]


async def started(argv: list[str], environment: Mapping[str, str]) -> asyncio.subprocess.Process:
    own = {key: value for key, value in os.environ.items() if not re.match("OTEL_|KMCP_", key)}
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        *argv, env={**own, **environment}, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe
    )


async def _read(process: asyncio.subprocess.Process, lines: list[str], listening: asyncio.Event) -> None:
    assert process.stderr is not None
    while line := await process.stderr.readline():
        lines.append(line.decode().rstrip())
        if " serves " in lines[-1]:
            listening.set()
    listening.set()  # it has ended, which whoever waits sees


@dataclass
class Forwarder:
    """A way to a backend, and the headers of each request that came along, by its path."""

    url: str
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)


@contextmanager
def forwarding(to: httpx2.Client) -> Iterator[Forwarder]:
    """Requests are passed on to the base address of this client, which holds the credentials."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {key.lower(): value for key, value in self.headers.items()}
            forwarder.seen.append((self.path.partition("?")[0], headers))
            kept = {key: value for key, value in headers.items() if key in ("accept", "content-type")}
            answer = to.request(self.command, self.path, content=body, headers=kept)
            self.send_response(answer.status_code)
            self.send_header("Content-Type", answer.headers.get("content-type", "text/plain"))
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_POST = do_PATCH = do_PUT = do_DELETE = do_GET  # noqa: N815  # the names that http.server looks for

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: a test reads what was kept."""

    with in_thread(Handler) as port:
        forwarder = Forwarder(f"http://127.0.0.1:{port}")
        yield forwarder
