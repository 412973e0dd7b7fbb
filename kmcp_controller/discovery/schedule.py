"""Asks ready servers for their tools and remembers the answer, for the status and the live catalog.

A server is asked when it turns ready, when its pods change, and every five minutes; eight at a time. Nothing is ever
called.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from kmcp_controller import status
from kmcp_controller.catalog.current import CurrentCatalog, References
from kmcp_controller.catalog.live_document import LiveDocument
from kmcp_controller.catalog.live_server import LiveServer, live_tools
from kmcp_controller.cluster.client import Cluster
from kmcp_controller.cluster.events import Notice
from kmcp_controller.cluster.store import Key
from kmcp_controller.reconcile.listener import Findings, Seen
from kmcp_controller.spec import MCPServer, Platform
from kmcp_controller.spec.catalog_entry import is_the_entrys_own
from kmcp_controller.spec.model import OURS
from kmcp_runtime.catalog import Drift

from .collisions import Collisions
from .credentials import ask_server
from .first_sights import FirstSights
from .gates import Gatekeeper
from .mcp_client import DiscoveryError
from .pins import Pin, Reference, first_sight, pin_mode, reference, tools_hash, vouched, wants_first_sight

log = logging.getLogger("kmcp.discovery")
DISABLED = OURS + "discovery"
FAILURES_THAT_COUNT = 3  # one lost answer must not take the tools of a server out of the catalog
_HELD_SECONDS = 5.0  # between looks at pods that wait for their gate


@dataclass
class _Known:
    """What was heard of one server."""

    discovery: status.Discovery = field(default_factory=lambda: status.Discovery("Pending", "not asked yet"))
    listing: status.Listing | None = None
    drift: Drift | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    template: str = ""
    asked_at: float | None = None
    due: float = 0.0
    against: Reference | None = None
    failures: int = 0
    task: asyncio.Task[None] | None = None
    uid: str = ""
    shared: list[str] = field(default_factory=list)


class DiscoverySchedule:
    """`observed` is the reconciler's listener; `requeue` asks for a pass over a server that has news."""

    def __init__(
        self,
        live: LiveDocument,
        cluster: Cluster,
        catalog: References | None,
        platform: Platform,
        pins: FirstSights,
        requeue: Callable[[Key], None],
        *,
        interval: float = 300.0,
        at_once: int = 8,
        pin: Pin = "warn",
        enabled: bool = True,
    ) -> None:
        self._live, self._cluster, self._pins, self._requeue = live, cluster, pins, requeue
        self._catalog: References = CurrentCatalog() if catalog is None else catalog
        self._platform, self._interval, self._pin, self._enabled = platform, interval, pin, enabled
        self._slots = asyncio.Semaphore(at_once)
        self._gates = Gatekeeper(cluster, self._ask, self._compare, requeue, interval)
        self._collisions = Collisions()
        self._known: dict[Key, _Known] = {}
        self._forgetting: list[asyncio.Task[None]] = []

    def observed(self, key: Key, seen: Seen | None) -> Findings | None:
        """What is known of a server's tools now; starts asking when it is time to."""
        if seen is None:
            self._forget(key)
            return None
        known = self._known.setdefault(key, _Known())
        if known.uid and known.uid != seen.server.uid:  # made anew: nothing that is known is of this one
            self._forget(key)
            known = self._known.setdefault(key, _Known())
        known.uid = seen.server.uid
        against = reference(seen.server, self._catalog, self._platform, self._pins.data)
        if known.listing is not None and against != known.against:
            # What it was compared with is not what its manifest names now. Once: it may not answer.
            known.against, known.due = against, 0.0
        if not self._enabled or seen.server.annotations.get(DISABLED) == "disabled":
            found = replace(known.discovery, reason="Disabled")
        elif seen.ready.status != "True":
            found = replace(known.discovery, reason="NotReady")
        else:
            self._ask_if_due(key, known, seen)
            found = known.discovery
        held = self._gates.look(key, seen.server) if seen.server.blocks else None
        drift = held.drift if held else known.drift
        shared = self._collisions.of(key)
        self._list(known, seen, found, drift, shared, against)
        notices = [Notice("Warning", "ToolNameCollision", text) for text in shared if text not in known.shared]
        known.shared = shared
        waiting = seen.server.blocks and seen.ready.status != "True"
        return Findings(
            found, drift, held.hash if held else "", known.fields, notices, _HELD_SECONDS if waiting else self._interval
        )

    def reported(self, key: Key, conditions: list[dict[str, Any]]) -> None:
        """The catalog shows the same conditions as the status."""
        self._live.report(key, conditions)

    def ask_again(self) -> None:
        """Every server, at once: what they are compared with has changed."""
        for key, known in self._known.items():
            known.due = 0.0  # where one is asked just now, once more after that
            self._requeue(key)

    async def stop(self) -> None:
        await self._gates.stop()
        tasks = [known.task for known in self._known.values() if known.task] + self._forgetting
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ask_if_due(self, key: Key, known: _Known, seen: Seen) -> None:
        if known.task is not None:
            return
        if seen.template != known.template or time.monotonic() >= known.due:
            known.template = seen.template  # new pods may have other tools: they are asked at once
            created = seen.source["metadata"]["creationTimestamp"]
            known.task = asyncio.create_task(self._discover(key, known, seen.server, created))

    async def _ask(self, server: MCPServer, url: str) -> status.Listing:
        return await ask_server(self._cluster, server, url, self._platform)

    async def _discover(self, key: Key, known: _Known, server: MCPServer, created: str) -> None:
        started = time.monotonic()
        known.due = math.inf
        try:
            async with self._slots:
                listing = await self._ask(server, server.url)
            await self._learn(known, server, listing)
            for each in self._collisions.learn(key, created, (str(tool.get("name")) for tool in listing.tools)):
                self._requeue(each)
        except DiscoveryError as error:
            self._failed(known, error.reason, str(error))
        except Exception as error:
            # No answer may leave the status as it was: the log has what this program did not expect.
            log.exception("asking %s/%s failed", *key)
            self._failed(known, "ListFailed", f"the answer could not be used ({type(error).__name__})")
        finally:
            known.task = None
            if known.due:
                known.due = time.monotonic() + self._interval
            self._cluster.metrics.discovery_duration.observe(time.monotonic() - started)
        self._cluster.metrics.discoveries.labels(known.discovery.reason).inc()
        self._requeue(key)

    def _failed(self, known: _Known, reason: str, text: str) -> None:
        known.failures += 1
        if known.listing is None or known.failures >= FAILURES_THAT_COUNT:
            known.discovery = status.Discovery(reason, text)

    async def _learn(self, known: _Known, server: MCPServer, listing: status.Listing) -> None:
        known.listing, known.failures, known.asked_at = listing, 0, time.time()
        hashed, info = tools_hash(listing), listing.server_info
        about = f"{info.get('name', '')} {info.get('version', '')}".strip()
        text = f"{len(listing.tools)} tools; {hashed}; {listing.protocol_version}; {about}; {server.url}"
        text = "; ".join([text, *listing.missing])
        known.discovery = status.Discovery("Discovered", text)
        tokens = sum(tool["tokens"] for tool in live_tools(listing.tools, None))
        said = {name: info[name] for name in ("name", "version") if name in info}
        known.fields = {
            "tools": {"count": len(listing.tools), "hash": hashed, "tokens": tokens},
            "serverInfo": {**said, "protocolVersion": listing.protocol_version},
        }
        known.drift = await self._compare(server, listing)
        known.against = reference(server, self._catalog, self._platform, self._pins.data)

    async def _compare(self, server: MCPServer, listing: status.Listing) -> Drift | None:
        found = reference(server, self._catalog, self._platform, self._pins.data)
        if wants_first_sight(server, found):
            await self._pins.keep(server.uid, first_sight(listing))
            found = reference(server, self._catalog, self._platform, self._pins.data)
        return found.compare(listing) if found else None

    def _list(
        self,
        known: _Known,
        seen: Seen,
        found: status.Discovery,
        drift: Drift | None,
        problems: list[str],
        against: Reference | None,
    ) -> None:
        server = seen.server
        entry = against.entry_name if against else None
        conditions = list((seen.source.get("status") or {}).get("conditions") or ())
        self._live.update(
            LiveServer(
                server.namespace,
                server.name,
                server.url,
                server.transport,
                seen.image,
                conditions,
                server.uid,
                seen.adapter,
                entry if is_the_entrys_own(server, entry, self._platform) else None,
                seen.entry,
                known.listing,
                stale=found.reason != "Discovered",
                pin=pin_mode(server, against, self._pin),
                drift=drift,
                vouched=vouched(against, known.listing),
                problems=[*problems, *(known.listing.missing if known.listing else ())],
                asked_at=known.asked_at,
            )
        )

    def _forget(self, key: Key) -> None:
        known = self._known.pop(key, None)
        if known is not None and known.task is not None:
            known.task.cancel()
        if known is not None and known.uid in self._pins.data:
            self._forgetting.append(asyncio.create_task(self._pins.forget(known.uid)))
            self._forgetting = [task for task in self._forgetting if not task.done()]
        self._gates.forget(key)
        # Whoever shared a tool's name with it has one warning less.
        for each in self._collisions.forget(key):
            self._requeue(each)
        self._live.remove(*key)
