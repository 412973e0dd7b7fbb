"""A stdio server of today: progress, cancellation, its own process id, an end on demand, a secret on stderr."""

import asyncio
import os
import sys
from typing import Annotated, Literal

from fastmcp import Context, FastMCP
from pydantic import Field

server: FastMCP[None] = FastMCP("modern", version="1.2.3", instructions="Ask for words.")
begun: list[str] = []
cancelled: list[str] = []
counted = 0


@server.tool(annotations={"readOnlyHint": True})
async def echo(word: str) -> str:
    """Say it again."""
    return word


@server.tool
async def process() -> int:
    """Say which process this is."""
    return os.getpid()


@server.tool
async def count() -> int:
    """Count calls."""
    global counted  # noqa: PLW0603  # the state of this process is what the test looks at
    counted += 1
    return counted


@server.tool
async def steps(number: int, word: str, context: Context) -> str:
    """Report progress, then answer."""
    for step in range(number):
        await context.report_progress(step + 1, number, f"{word} {step + 1}")
    return word


@server.tool
async def hang(word: str) -> str:
    """Wait to be cancelled."""
    begun.append(word)
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        cancelled.append(word)
        raise
    return word


@server.tool
async def calls(which: Literal["begun", "cancelled"]) -> list[str]:
    """Say which calls of hang there were, or were cancelled."""
    return begun if which == "begun" else cancelled


@server.tool
async def routed(region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})]) -> str:
    """Take an argument that a header repeats."""
    return region


@server.tool
async def leave(code: int) -> str:
    """End the process."""
    print("the last words", file=sys.stderr, flush=True)
    os._exit(code)


if __name__ == "__main__":
    print("password=hunter2-of-the-child", file=sys.stderr, flush=True)
    server.run(show_banner=False)
