"""The server, as an MCP client sees it."""

from collections.abc import AsyncIterator

import pytest
from fastmcp import Client

from {{package}}.server import load_tools


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with Client(load_tools()) as found:
        yield found
