"""The engine takes over a session over stdio that the desk has begun (`kmcp_runtime.instant`)."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import anyio.to_thread
from fastmcp import FastMCP
from fastmcp.server.context import reset_transport, set_transport
from fastmcp.utilities.logging import temporary_log_level
from mcp.server.stdio import stdio_server

from kmcp_runtime.engine.requests import id_of, message_fault, read_message
from kmcp_runtime.engine.unreadable import PARSE_ERROR, UnreadableError
from kmcp_runtime.instant.desk import Desk, write_whole


async def serve(mcp: FastMCP[Any], desk: Desk) -> None:
    """Serve the client of the desk until it goes, as `run_stdio_async` serves one of its own."""
    token = set_transport("stdio")
    try:
        with temporary_log_level("ERROR"):
            output = _Output(desk)
            async with mcp._lifespan_manager(), stdio_server(_Input(desk, output), output) as (incoming, outgoing):  # type: ignore[arg-type]  # all that it uses of a file
                await mcp._mcp_server.run(incoming, outgoing, mcp._mcp_server.create_initialization_options())
    finally:
        reset_transport(token)


class _Input:
    """The lines of the client: what opened the session, what waits for the engine, and what comes.

    A line that is not a message is answered here: the library behind would drop it, and its sender would wait.
    """

    def __init__(self, desk: Desk, output: "_Output") -> None:
        self._desk, self._output = desk, output

    async def __aiter__(self) -> AsyncIterator[str]:
        loop = asyncio.get_running_loop()
        coming: asyncio.Queue[bytes | None] = asyncio.Queue(1)

        def deliver(line: bytes | None) -> None:
            if not loop.is_closed():
                asyncio.run_coroutine_threadsafe(coming.put(line), loop).result()

        # The desk may be in the middle of an answer that its client is slow to take.
        for first in await anyio.to_thread.run_sync(self._desk.take_over, deliver):
            if await self._is_message(first):
                yield first.decode(errors="replace")
        while (line := await coming.get()) is not None:
            if await self._is_message(line):
                yield line.decode(errors="replace")

    async def _is_message(self, line: bytes) -> bool:
        """Whether the library gets it. An answer or a notification gets no answer, whatever is wrong with it."""
        if not line.strip():
            return False
        try:
            message = await read_message(line)
        except UnreadableError as error:
            await self._refuse(PARSE_ERROR, f"the message cannot be read: {error}", error.found)
            return False
        waits = not isinstance(message, Mapping) or ("method" in message and "id" in message)
        fault = message_fault(message) if waits else None
        if fault:
            await self._refuse(*fault, message)
        return fault is None

    async def _refuse(self, code: int, text: str, message: Any) -> None:
        body = {"jsonrpc": "2.0", "id": id_of(message), "error": {"code": code, "message": text}}
        await self._output.write(json.dumps(body) + "\n")


class _Output:
    """The client's end; the answer to what opened the session is left out, as it has been given."""

    def __init__(self, desk: Desk) -> None:
        self._file = desk.output
        self._opening_id = desk.opening_id
        self._answered = not desk.has_opened
        self._writing = asyncio.Lock()

    async def write(self, text: str) -> None:
        """One line at a time, whoever writes it."""
        async with self._writing:
            await self._write(text)

    async def _write(self, text: str) -> None:
        if self._answered or not self._is_known(text):
            await anyio.to_thread.run_sync(write_whole, self._file, text.encode())

    async def flush(self) -> None:
        """Nothing is held back."""

    def _is_known(self, text: str) -> bool:
        message = json.loads(text)
        found = message.get("id")
        self._answered = "method" not in message and found == self._opening_id and type(found) is type(self._opening_id)
        return self._answered
