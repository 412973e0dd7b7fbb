"""A server over real HTTP on a free port, in this process."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

from starlette.types import ASGIApp

from kmcp_runtime import serving
from kmcp_runtime.connections import Limits


@asynccontextmanager
async def served(
    app: ASGIApp,
    lifespan: Literal["on", "off"] = "on",
    host: str = "127.0.0.1",
    limits: Limits | None = None,
    port: int = 0,
) -> AsyncIterator[str]:
    """The base URL of the app while it is served; `port` is one that was free before, or 0."""
    # Bound here, not by the server: the port is known, and taken, before it starts.
    listener = socket.socket(proto=socket.IPPROTO_TCP)  # else asyncio would delay small writes by 40 ms
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a test may serve at the same port again
    listener.bind((host, port))
    listener.listen(128)
    server = serving.server(app, lifespan=lifespan, limits=limits)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:
            if task.done():
                task.result()
            await asyncio.sleep(0.01)
        yield f"http://{host}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listener.close()


@contextmanager
def in_thread(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    """The port at which requests are handled meanwhile, in threads: also while the loop of a test is busy or waits."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
