"""The engine takes over a session over stdio that the desk has begun (`kmcp_runtime.instant`)."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import anyio.to_thread
from fastmcp import FastMCP
from fastmcp.server.context import reset_transport, set_transport
from fastmcp.utilities.logging import temporary_log_level
from mcp.server.stdio import stdio_server

from kmcp_runtime.instant.desk import Desk, write_whole


async def serve(mcp: FastMCP[Any], desk: Desk) -> None:
    """Serve the client of the desk until it goes, as `run_stdio_async` serves one of its own."""
    token = set_transport("stdio")
    try:
        with temporary_log_level("ERROR"):
            async with mcp._lifespan_manager(), stdio_server(_Input(desk), _Output(desk)) as (incoming, outgoing):  # type: ignore[arg-type]  # all that it uses of a file
                await mcp._mcp_server.run(incoming, outgoing, mcp._mcp_server.create_initialization_options())
    finally:
        reset_transport(token)


class _Input:
    """The lines of the client: what opened the session, what waits for the engine, and what comes."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def __aiter__(self) -> AsyncIterator[str]:
        loop = asyncio.get_running_loop()
        coming: asyncio.Queue[bytes | None] = asyncio.Queue(1)

        def deliver(line: bytes | None) -> None:
            if not loop.is_closed():
                asyncio.run_coroutine_threadsafe(coming.put(line), loop).result()

        # The desk may be in the middle of an answer that its client is slow to take.
        for first in await anyio.to_thread.run_sync(self._desk.take_over, deliver):
            yield first.decode(errors="replace")
        while (line := await coming.get()) is not None:
            yield line.decode(errors="replace")


class _Output:
    """The client's end; the answer to what opened the session is left out, as it has been given."""

    def __init__(self, desk: Desk) -> None:
        self._file = desk.output
        self._opening_id = desk.opening_id
        self._answered = not desk.has_opened

    async def write(self, text: str) -> None:
        if self._answered or not self._is_known(text):
            await anyio.to_thread.run_sync(write_whole, self._file, text.encode())

    async def flush(self) -> None:
        """Nothing is held back."""

    def _is_known(self, text: str) -> bool:
        message = json.loads(text)
        found = message.get("id")
        self._answered = "method" not in message and found == self._opening_id and type(found) is type(self._opening_id)
        return self._answered
