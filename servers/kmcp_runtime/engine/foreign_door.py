"""The foreign servers behind the door of a process: those of a file, which is read again when it changes."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import mcp_types
from fastmcp import FastMCP
from fastmcp.server.providers import Provider
from fastmcp.tools import Tool
from fastmcp.utilities.components import FastMCPComponent
from fastmcp.utilities.versions import VersionSpec

from kmcp_runtime.engine import door, foreign_news
from kmcp_runtime.engine.configured import ConfiguredServer, is_offered, load_all
from kmcp_runtime.engine.dispatch import SuiteTool
from kmcp_runtime.engine.foreign_server import ForeignServer
from kmcp_runtime.engine.together import Together
from kmcp_runtime.foreign.servers_file import FileError, ForeignEntry, read_servers
from kmcp_runtime.settings import SettingsError
from kmcp_runtime.stamps import stamp_of
from kmcp_runtime.worker import run_in_thread

log = logging.getLogger("kmcp.foreign")
SETTING = "--door-servers / KMCP_DOOR_SERVERS"
LIST_SECONDS = 30
"""How long a client may take a list with foreign tools for fresh."""
_LOOK_SECONDS = 1.0
_LOOKS_UNTIL_GONE = 5
_DOOR = (door.SEARCH, door.CALL)


class ForeignServers:
    """Refuses to start with a file that has a fault; while running, such a one changes nothing."""

    def __init__(self, path: Path, own: Sequence[ConfiguredServer]) -> None:
        """Errors: `SettingsError`. A file that is not there yet is an empty one: a controller may write it later."""
        self.path = path
        self.servers: dict[str, ForeignServer] = {}
        self.listeners: list[Callable[[], None]] = []
        self._own = own
        self._taken = frozenset(_DOOR).union(*(instance.names for instance in own))
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._users = 0
        self._watching: asyncio.Task[None] | None = None
        self._stamp = stamp_of(path)
        try:
            self._entries = self._read()
        except FileError as error:
            raise SettingsError(f"{SETTING}: {error}") from None

    def _read(self) -> Mapping[str, ForeignEntry]:
        if self._stamp is None:
            log.warning(
                "%s: %s is not there, so there are no foreign servers; it will be read once it exists",
                SETTING,
                self.path,
            )
            return {}
        found = read_servers(self.path)
        taken = {instance.name for instance in self._own} & found.keys()
        if taken:
            raise FileError(f"{self.path}: {min(taken)} is the name of a server of this process; give another one")
        return found

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["ForeignServers"]:
        """Keep every server; several applications of a process may share this."""
        if self._users == 0:
            await self._apply(self._entries)
            self._watching = asyncio.create_task(self._watch())
        self._users += 1
        try:
            yield self
        finally:
            self._users -= 1
            if self._users == 0:
                await self._close()

    async def _close(self) -> None:
        tasks = [*self._tasks.values(), *self._leaving, *([self._watching] if self._watching else [])]
        servers = list(self.servers.values())
        # Before anything is waited for: somebody may open them again meanwhile.
        self._tasks, self._watching = {}, None
        self.servers.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(server.close() for server in servers))

    async def _watch(self) -> None:
        missed = 0
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            found = stamp_of(self.path)
            missed = missed + 1 if found is None else 0
            # Whoever replaces a file may take the old one away first.
            if found == self._stamp or 0 < missed < _LOOKS_UNTIL_GONE:
                continue
            # Before it is read: once for each change of the file, so that one which stays broken is reported once.
            self._stamp = found
            try:
                self._entries = await run_in_thread(self._read)
                await self._apply(self._entries)
            except FileError as error:
                log.error("the foreign servers stay as they are: %s", error)
            except Exception:
                # A fault of ours: it must not be silent, and the next change of the file counts all the same.
                log.exception("the foreign servers of %s cannot be taken over", self.path)

    async def _apply(self, entries: Mapping[str, ForeignEntry]) -> None:
        for name, server in list(self.servers.items()):
            entry = entries.get(name)
            if entry == server.entry:
                continue
            if entry is not None and entry.url == server.entry.url:
                successor = self._server(entry)
                await successor.take_over(server)  # before it takes the place, so that its tools never go
                self._put_in_place_of(server, successor)
            else:
                self._put_in_place_of(server, None)
        for name, entry in entries.items():
            if name not in self.servers:
                self._keep(self._server(entry))

    def _server(self, entry: ForeignEntry) -> ForeignServer:
        return ForeignServer(entry, self._own[0].process, self._taken, self._changed)

    def _keep(self, server: ForeignServer) -> None:
        self.servers[server.name] = server
        self._tasks[server.name] = asyncio.create_task(server.keep())

    def _put_in_place_of(self, server: ForeignServer, successor: ForeignServer | None) -> None:
        task = asyncio.create_task(_let_go(self.servers.pop(server.name), self._tasks.pop(server.name)))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
        if successor is not None:
            self._keep(successor)
        self._changed()

    def _changed(self) -> None:
        for listener in list(self.listeners):
            listener()


async def _let_go(server: ForeignServer, keeping: asyncio.Task[None]) -> None:
    """Of a server that is not offered any longer, or as another one: its calls under way go on to their end."""
    keeping.cancel()
    try:
        await asyncio.gather(keeping, return_exceptions=True)
        await server.idle()
    finally:
        await server.close()


class ForeignTools(Provider):
    """Their tools, as the framework asks for them."""

    def __init__(self, foreign: ForeignServers) -> None:
        super().__init__()
        self._foreign = foreign

    def find(self, name: str) -> Tool | None:
        servers = self._foreign.servers.values()
        return next((server.listed[name] for server in servers if name in server.listed), None)

    async def _list_tools(self) -> Sequence[Tool]:
        servers = list(self._foreign.servers.values())
        return [tool for server in servers for tool in (await server.refreshed()).values()]

    async def _get_tool(self, name: str, version: VersionSpec | None = None) -> Tool | None:
        return self.find(name)


class OwnTools(Provider):
    """Our own tools, as the framework asks for them; each is made when it is first wanted."""

    def __init__(self, instances: Sequence[ConfiguredServer]) -> None:
        super().__init__()
        self._instances = instances
        self._made: dict[str, SuiteTool] = {}

    def find(self, name: str) -> SuiteTool | None:
        """None, too, for a tool whose server is not loaded yet."""
        if name not in self._made:
            having = (each for each in self._instances if each.is_loaded and name in each.tools)
            instance = next(having, None)
            if instance is None:
                return None
            self._made[name] = SuiteTool.of(instance.tools[name], instance)
        return self._made[name]

    async def _list_tools(self) -> Sequence[Tool]:
        await load_all(self._instances)
        # The schemas of many tools take longer than others should wait.
        return await run_in_thread(self._all)

    async def get_tasks(self) -> Sequence[FastMCPComponent]:
        """None runs in the background; to find out, the framework would make them all at its start."""
        return ()

    def _all(self) -> list[Tool]:
        found = (self.find(name) for instance in self._instances for name in instance.tools)
        return [tool for tool in found if tool is not None]

    async def _get_tool(self, name: str, version: VersionSpec | None = None) -> Tool | None:
        return self.find(name) if await is_offered(name, self._instances) else None


class Offer:
    """The tools of a server object: our own, which stay as they are, and those of foreign servers."""

    def __init__(self, instances: Sequence[ConfiguredServer], foreign: ForeignServers | None) -> None:
        self._instances, self._foreign = instances, foreign
        self._own = OwnTools(instances)
        self._door = {tool.name: tool for tool in door.tools()}
        self._outside = ForeignTools(foreign) if foreign else None

    def has(self, name: str) -> bool:
        """Whether there is such a tool, offered or not."""
        if name in self._door or any(name in instance.names for instance in self._instances):
            return True
        return self._outside is not None and self._outside.find(name) is not None

    def find(self, name: str) -> Tool | None:
        """The tool, where it is at hand: those of a server that is not loaded yet are not."""
        own = self._door.get(name) or self._own.find(name)
        return own or (self._outside.find(name) if self._outside else None)

    def put_into(self, mcp: FastMCP[Any]) -> None:
        mcp.add_provider(self._own)
        for tool in self._door.values():
            mcp.add_tool(tool)
        if self._foreign and self._outside:
            mcp.add_provider(self._outside)
            foreign_news.announce(mcp, self._foreign.listeners)

    def declare(self, capabilities: mcp_types.ServerCapabilities) -> None:
        """Say that the list may change, where it may."""
        if self._foreign and capabilities.tools is not None:
            capabilities.tools.list_changed = True


def together(own: Sequence[ConfiguredServer], foreign: ForeignServers | None) -> Sequence[ConfiguredServer]:
    """Every server of the process, at each moment."""
    return Together(own, foreign.servers) if foreign else own


def behind(own: Sequence[ConfiguredServer]) -> ForeignServers | None:
    """The foreign servers of this process; None where none are configured."""
    path = own[0].runtime.door_servers
    return ForeignServers(Path(path), own) if path else None
