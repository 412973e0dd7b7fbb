"""Tells clients that the list of tools has changed: those that subscribed, and those with a session."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

import anyio
import mcp_types
from fastmcp import FastMCP
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from mcp.server.connection import Connection
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ToolsListChanged
from mcp.shared.exceptions import MCPError

log = logging.getLogger("kmcp.foreign")
LISTEN = "subscriptions/listen"
_PAUSE_SECONDS = 0.25
"""In which several changes become one notification."""
_SECONDS = 5.0


class _Sessions(Middleware):
    """Remembers who can be told, as long as he is there."""

    def __init__(self) -> None:
        self.connections: WeakSet[Connection] = WeakSet()

    async def on_request(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        if context.fastmcp_context is not None and context.fastmcp_context.request_context is not None:
            # There is no other way to it: a session of the framework is that of one request.
            self.connections.add(context.fastmcp_context.session._connection)
        return await call_next(context)


class _Announcer:
    def __init__(self, bus: InMemorySubscriptionBus, sessions: _Sessions) -> None:
        self._bus, self._sessions = bus, sessions
        self._task: asyncio.Task[None] | None = None

    def changed(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._tell())

    async def _tell(self) -> None:
        await asyncio.sleep(_PAUSE_SECONDS)
        self._task = None
        await self._bus.publish(ToolsListChanged())
        for connection in list(self._sessions.connections):
            # It may have gone, or stopped reading: that is no fault of the others.
            with contextlib.suppress(MCPError, anyio.ClosedResourceError, anyio.BrokenResourceError, TimeoutError):
                async with asyncio.timeout(_SECONDS):
                    await connection.send_tool_list_changed()


def announce(mcp: FastMCP[Any], listeners: list[Callable[[], None]]) -> None:
    """Have the clients of this server object hear of each change that the listeners are told of."""
    bus, sessions = InMemorySubscriptionBus(), _Sessions()
    mcp._mcp_server.add_request_handler(LISTEN, mcp_types.SubscriptionsListenRequestParams, ListenHandler(bus))
    mcp.add_middleware(sessions)
    listeners.append(_Announcer(bus, sessions).changed)
