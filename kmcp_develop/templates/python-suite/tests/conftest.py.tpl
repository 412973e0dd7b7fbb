"""The server, as an MCP client sees it."""

from collections.abc import AsyncIterator

import pytest
from fastmcp import Client
from kmcp_runtime.engine.assembly import assemble

from {{package}}.server import SERVER


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with Client(assemble(SERVER)) as found:
        yield found
