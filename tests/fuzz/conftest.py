"""Every server before its hostile backend."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.fuzz.worlds import SERVERS, World, world


@pytest.fixture(scope="module")
async def worlds(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, World]]:
    """One server of each, before its backend."""
    async with AsyncExitStack() as stack:
        yield {name: await stack.enter_async_context(world(name, tmp_path_factory.mktemp(name))) for name in SERVERS}
