"""The sample server of `shelf`, put together in the ways that tests need."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastmcp import Client

from kmcp_runtime import RuntimeSettings
from kmcp_runtime.engine.assembly import compose
from kmcp_runtime.engine.configured import ConfiguredServer, Process
from tests.mcp import ToolCaller
from tests.runtime import shelf


def shelved(process: Process | None = None, **runtime: Any) -> ConfiguredServer:
    """An instance of the sample server under these runtime settings."""
    return ConfiguredServer(
        shelf.SERVER, shelf.ShelfSettings(), process or Process.of(RuntimeSettings(**runtime), [shelf.SERVER])
    )


def shelf_of(instance: ConfiguredServer) -> shelf.Shelf:
    backend = instance.backend
    assert isinstance(backend, shelf.ShelfBackend)
    return backend.shelf


@asynccontextmanager
async def connected(instance: ConfiguredServer, **client: Any) -> AsyncIterator[ToolCaller]:
    async with Client(compose("shelf", [instance], None), **client) as found:
        yield ToolCaller(found)


@pytest.fixture
async def instance() -> ConfiguredServer:
    return shelved()


@pytest.fixture
async def caller(instance: ConfiguredServer) -> AsyncIterator[ToolCaller]:
    async with connected(instance) as found:
        yield found
