"""An ASGI application behind a port: uvicorn without its signals, its access log and its own log configuration."""

import contextlib
from collections.abc import Iterator
from typing import Any, Literal

import uvicorn
from starlette.types import ASGIApp


def server(
    app: ASGIApp, host: str = "127.0.0.1", port: int = 0, *, lifespan: Literal["on", "off"] = "off", grace: int = 1,
    **tls: Any,
) -> uvicorn.Server:  # fmt: skip
    """Not yet serving; `grace` is seconds that requests under way have at the end, `tls` uvicorn's `ssl_…` settings."""
    config = uvicorn.Config(
        app, host, port, log_config=None, access_log=False, lifespan=lifespan, timeout_graceful_shutdown=grace,
        ws="none", **tls,
    )  # fmt: skip
    return _WithoutSignals(config)


class _WithoutSignals(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # uvicorn raises them again once it has ended, which would cut the closing of everything else short.
