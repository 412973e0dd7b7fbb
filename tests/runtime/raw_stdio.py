"""A client over stdio that may answer a question with any line at all, or go away; the shelf is kept in a file."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.runtime.raw_answers import FORMS, LEGACY, MODERN
from tests.slowness import scaled

PROGRAM = """
import json, os
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tests.runtime import shelf

@asynccontextmanager
async def opened(settings):
    backend = shelf.ShelfBackend(settings)
    backend.shelf.books["moby"] = "dick"
    try:
        yield backend
    finally:
        Path(os.environ["SHELF_FILE"]).write_text(json.dumps(backend.shelf.books))

raise SystemExit(replace(shelf.SERVER, open=opened).main())
"""
Line = str
Answer = Callable[[Any], Line]
"""The line that answers a question of this id."""


class StdioClient:
    """One server process and its two pipes."""

    def __init__(self, process: asyncio.subprocess.Process, revision: str) -> None:
        self._process = process
        self._revision = revision
        self._number = 0

    async def call(self, tool: str, arguments: dict[str, Any], result: Any) -> dict[str, Any]:
        """The final message of a call whose question is answered by this result."""
        if self._revision == MODERN:
            asked = (await self.request("tools/call", name=tool, arguments=arguments))["result"]
            if asked.get("resultType") != "input_required":
                return {"result": asked}
            answers = dict.fromkeys(asked["inputRequests"], result)
            return await self.request(
                "tools/call", name=tool, arguments=arguments, inputResponses=answers, requestState=asked["requestState"]
            )
        return await self.call_answering(tool, arguments, [lambda number: _line(id=number, result=result)])

    async def call_answering(self, tool: str, arguments: dict[str, Any], lines: list[Answer]) -> dict[str, Any]:
        """The older revision: the lines that are sent when the server asks."""
        number = await self._send("tools/call", name=tool, arguments=arguments)
        question = await self._read()
        assert question["method"] == "elicitation/create"
        for line in lines:
            await self.write(line(question["id"]))
        while (message := await self._read()).get("id") != number:
            pass
        return message

    async def ask_and_leave(self, tool: str, arguments: dict[str, Any]) -> None:
        """Close the pipe while the question is open, and wait for the end of the server."""
        await self._send("tools/call", name=tool, arguments=arguments)
        await self._read()
        await self.leave()

    async def leave(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await asyncio.wait_for(self._process.wait(), scaled(30))

    async def request(self, method: str, **params: Any) -> dict[str, Any]:
        number = await self._send(method, **params)
        message = await self._read()
        assert message["id"] == number
        return message

    async def write(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        await self._process.stdin.drain()

    async def _send(self, method: str, **params: Any) -> int:
        self._number += 1
        if self._revision == MODERN:
            prefix = "io.modelcontextprotocol/"
            params["_meta"] = {f"{prefix}protocolVersion": MODERN, f"{prefix}clientCapabilities": FORMS}
        await self.write(_line(id=self._number, method=method, params=params))
        return self._number

    async def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        while True:
            line = await asyncio.wait_for(self._process.stdout.readline(), scaled(30))
            assert line, "the server has ended"
            message = json.loads(line)
            if "id" in message:  # Not a notification: those of the log and of lists say nothing here.
                return dict(message)

    async def shake_hands(self) -> None:
        info = {"name": "raw", "version": "1"}
        await self.request("initialize", protocolVersion=LEGACY, capabilities=FORMS, clientInfo=info)
        await self.write(_line(method="notifications/initialized"))


def _line(**message: Any) -> str:
    return json.dumps({"jsonrpc": "2.0", **message})


@asynccontextmanager
async def stdio_client(revision: str, kept: Path, *flags: str) -> AsyncIterator[StdioClient]:
    """Connected as a client of the revision would be; `kept` holds the books once the server has ended."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, "--transport", "stdio", *flags),
        env={**os.environ, "SHELF_FILE": str(kept)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    client = StdioClient(process, revision)
    try:
        if revision == LEGACY:
            await client.shake_hands()
        yield client
    finally:
        if process.returncode is None:
            await client.leave()
