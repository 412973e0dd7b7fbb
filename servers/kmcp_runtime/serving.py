"""An ASGI application behind a port: uvicorn without its signals, its access log and its own log configuration."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import uvicorn
from starlette.types import ASGIApp

from kmcp_runtime.connections import Limits, protocol

# Longer than any pool keeps a connection (load balancers: up to 600 s), so that no request meets our closing it.
_IDLE_SECONDS = 620
END_STREAMS = "end_streams"
"""Attribute of an application's `state`: a function that ends answers which have no end of their own."""
FEW = Limits(connections=64)
"""For a management port: kubelets and scrapers."""


def server(
    app: ASGIApp,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    lifespan: Literal["on", "off"] = "off",
    grace: int = 1,
    certificate: Path | None = None,
    started: Callable[[], None] = lambda: None,
    limits: Limits | None = None,
) -> uvicorn.Server:
    """Not yet serving. `grace`: seconds for requests under way at the end; `certificate`: TLS by a folder's files.

    `started` is called once requests are answered.
    """
    chain, key = (certificate and certificate / name for name in ("tls.crt", "tls.key"))
    config = uvicorn.Config(
        app,
        host,
        port,
        log_config=None,
        access_log=False,
        lifespan=lifespan,
        http=protocol(limits or Limits()),
        timeout_graceful_shutdown=grace,
        timeout_keep_alive=_IDLE_SECONDS,
        ws="none",
        ssl_certfile=chain,
        ssl_keyfile=key,
    )
    return _WithoutSignals(config, started)


async def run(served: uvicorn.Server, sockets: list[socket.socket] | None = None) -> None:
    """Until it ends by itself, or is cancelled: uvicorn alone would then leave its sockets open."""
    serving = asyncio.create_task(served.serve(sockets))
    try:
        await asyncio.shield(serving)
    finally:
        served.should_exit = True
        await serving


class _WithoutSignals(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, told: Callable[[], None]) -> None:
        super().__init__(config)
        self._told = told
        # As it was given: uvicorn wraps it once it is loaded.
        self._state = getattr(config.app, "state", None)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._told()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        end: Callable[[], None] = getattr(self._state, END_STREAMS, lambda: None)
        end()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # uvicorn raises them again once it has ended, which would cut the closing of everything else short.
