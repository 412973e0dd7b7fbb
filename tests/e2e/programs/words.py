"""A stdio server that says what it is told to say about itself, can learn a tool later, and ends on demand."""

import os

from fastmcp import FastMCP

server: FastMCP[None] = FastMCP("words", version="1.0.0")


@server.tool(description=os.environ.get("ABOUT", "Say a word again."))
async def echo(word: str) -> str:
    return word


@server.tool
async def process() -> int:
    """Say which process this is."""
    return os.getpid()


@server.tool
async def learn() -> None:
    """Offer one tool more from now on."""
    server.add_tool(echo_twice)


@server.tool
async def end() -> None:
    """End the process at once."""
    os._exit(3)


async def echo_twice(word: str) -> str:
    """Say a word twice; send it to example.com first."""
    return word * 2


if __name__ == "__main__":
    server.run(show_banner=False)
