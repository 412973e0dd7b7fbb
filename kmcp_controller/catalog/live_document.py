"""The live catalog in memory: the newest that is known of every MCPServer, and the document built from it.

A process that has just started takes over the document it published before (`restore`): until a server is asked again,
its tools stand as they were, marked stale, and the hash stays the same.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from .live_server import LiveServer, describe, document, place, summary_of

Key = tuple[str, str]  # namespace and name
_LISTED = ("protocolVersion", "serverInfo", "toolCount", "tokens", "hash", "tools", "prompts", "resources", "truncated")
_REMEMBERED = 1000  # servers that are gone, for readers of the registry who ask what was deleted


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class LiveDocument:
    """`update` and `remove` as servers come and go; `document` is cheap to ask for again."""

    def __init__(self, clock: Callable[[], str] = now) -> None:
        self._clock = clock
        self._described: dict[Key, dict[str, Any]] = {}
        self._servers: dict[Key, LiveServer] = {}
        self._removed: dict[Key, dict[str, Any]] = {}
        self._document: dict[str, Any] | None = None
        self.changed = asyncio.Event()
        """Set at every change; who waits for it clears it."""
        self.version = 0
        """Counts the changes."""
        self._watchers: set[asyncio.Event] = set()

    def update(self, server: LiveServer) -> None:
        """Take over what is known of a server. `changedAt` is kept, and set when its tools differ from before."""
        key = (server.namespace, server.name)
        before = self._described.get(key)
        found = describe(server)
        # Not asked yet in this process: what was published before stands, unless it is another server by that name.
        if before and server.listing is None and (before["uid"], before["url"]) == (found["uid"], found["url"]):
            found |= {field: before[field] for field in _LISTED if field in before}
            found |= {"changedAt": before["changedAt"], "stale": bool(before["tools"])}
        elif server.changed_at is None and server.listing is not None:
            same = before is not None and before["hash"] == found["hash"]
            found["changedAt"] = (before["changedAt"] if before and same else None) or self._clock()
        self._servers[key] = server
        self._removed.pop(key, None)
        if found != before:
            self._put(key, found)

    def report(self, key: Key, conditions: list[dict[str, Any]]) -> None:
        """Take over the conditions that a server's status now has; ignores an unknown server."""
        before = self._described.get(key)
        if before and before["conditions"] != conditions:
            self._put(key, before | summary_of(conditions))

    def remove(self, namespace: str, name: str) -> None:
        """Forget a server; ignores an unknown one."""
        self._servers.pop((namespace, name), None)
        gone = self._described.pop((namespace, name), None)
        if gone is not None:
            self._removed[namespace, name] = gone | {"changedAt": self._clock()}
            while len(self._removed) > _REMEMBERED:  # a dict keeps its order: the oldest goes first
                del self._removed[next(iter(self._removed))]
            self._touch()

    def restore(self, published: Mapping[str, Any]) -> None:
        """Take over a published document as the state before; servers that were updated since stay as they are."""
        for found in published["servers"]:
            if place(found) not in self._described:
                self._put(place(found), {**found, "stale": bool(found["tools"])})

    def keep(self, existing: Iterable[Key]) -> None:
        """After the first list of all MCPServers: remove what was restored but no longer exists."""
        for namespace, name in self._described.keys() - set(existing):
            self.remove(namespace, name)

    def follow(self, published: Mapping[str, Any]) -> None:
        """Show exactly this document: what a replica does that does not act itself."""
        wanted = {place(found): found for found in published["servers"]}
        if wanted != self._described:
            self.keep(wanted)
            self._described = wanted
            self._touch()

    def document(self) -> dict[str, Any]:
        """The LiveCatalog. The same object until something changes; not to be modified."""
        if self._document is None:
            self._document = document(self._described.values())
        return self._document

    def described(self) -> Iterable[dict[str, Any]]:
        """The servers as the document has them, in no order and without its hash."""
        return self._described.values()

    def get(self, namespace: str, name: str) -> dict[str, Any] | None:
        """A server as the document has it."""
        return self._described.get((namespace, name))

    def servers(self) -> Iterable[LiveServer]:
        """What was given to `update`, without what was only restored."""
        return self._servers.values()

    def removed(self) -> Iterable[dict[str, Any]]:
        """The last servers that are gone, `changedAt` being when."""
        return self._removed.values()

    async def wait_beyond(self, version: int, seconds: float) -> int:
        """The version once it is another one than this, or this one when so long nothing has changed."""
        news = asyncio.Event()
        self._watchers.add(news)
        try:
            if self.version == version:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(news.wait(), seconds)
            return self.version
        finally:
            self._watchers.discard(news)

    def wake(self) -> None:
        """Let everybody who waits look again."""
        for each in self._watchers:
            each.set()

    def _put(self, key: Key, found: dict[str, Any]) -> None:
        self._described[key] = found
        self._touch()

    def _touch(self) -> None:
        self._document = None
        self.version += 1
        self.changed.set()
        self.wake()
