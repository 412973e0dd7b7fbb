"""Tells clients that the list of tools has changed: those that subscribed, and those with a session."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
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
    """Each client is told by a task of its own, so that one who stopped reading holds up no other."""

    def __init__(self, bus: InMemorySubscriptionBus, sessions: _Sessions) -> None:
        self._bus, self._sessions = bus, sessions
        self._pausing = False
        self._tasks: set[asyncio.Task[None]] = set()  # the loop itself keeps no task from being collected
        self._due: WeakSet[Connection] = WeakSet()
        self._being_told: WeakSet[Connection] = WeakSet()

    def changed(self) -> None:
        if not self._pausing:
            self._pausing = True
            self._start(self._tell())

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self) -> None:
        try:
            await asyncio.sleep(_PAUSE_SECONDS)
        finally:
            self._pausing = False  # what changes from here on is told of once more
        await self._bus.publish(ToolsListChanged())
        for connection in list(self._sessions.connections):
            self._due.add(connection)
            if connection not in self._being_told:
                self._being_told.add(connection)
                self._start(self._tell_one(connection))

    async def _tell_one(self, connection: Connection) -> None:
        try:
            while connection in self._due:  # again, where there was a change while it was told of another
                self._due.discard(connection)
                # It may have gone, or stopped reading.
                with contextlib.suppress(MCPError, anyio.ClosedResourceError, anyio.BrokenResourceError, TimeoutError):
                    async with asyncio.timeout(_SECONDS):
                        await connection.send_tool_list_changed()
        except Exception:
            log.exception("a client could not be told that the list of tools has changed")
        finally:
            self._being_told.discard(connection)


def announce(mcp: FastMCP[Any], listeners: list[Callable[[], None]]) -> None:
    """Have the clients of this server object hear of each change that the listeners are told of."""
    bus, sessions = InMemorySubscriptionBus(), _Sessions()
    mcp._mcp_server.add_request_handler(LISTEN, mcp_types.SubscriptionsListenRequestParams, ListenHandler(bus))
    mcp.add_middleware(sessions)
    listeners.append(_Announcer(bus, sessions).changed)
