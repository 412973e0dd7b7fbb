"""A person who is asked and says yes, and what others do while that person thinks."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastmcp import Client
from fastmcp.client.elicitation import ElicitResult

from kmcp_runtime import Server, Settings
from kmcp_runtime.engine.assembly import assemble
from tests.mcp import ToolCaller
from tests.patience import patient


@asynccontextmanager
async def yes_after(
    server: Server, settings: Settings, meanwhile: Callable[[], Awaitable[object]]
) -> AsyncIterator[ToolCaller]:
    """A client that says yes once `meanwhile` is done.

    It speaks the revision in which the call itself waits for the person: only what the plan bound is compared then.
    """

    async def answer(message: str, response_type: Any, params: Any, context: Any) -> ElicitResult[Any]:
        await meanwhile()
        return ElicitResult(action="accept", content={"ok": True})

    async with Client(assemble(server, settings, patient()), elicitation_handler=answer, mode="legacy") as client:
        yield ToolCaller(client)


async def refused_as_changed(caller: ToolCaller, tool: str, **arguments: Any) -> None:
    """A4: the call ends before anything is sent, because what the plan found is another thing by now."""
    error = await caller.fails(tool, **arguments)
    assert error["code"] == "conflict"
    assert "has changed since the plan was made; nothing was destroyed" in error["message"]
