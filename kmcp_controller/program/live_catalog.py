"""The live catalog of a controller in the cluster: who acts asks and publishes, the other replicas follow."""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial

from kmcp_controller.catalog.current import References
from kmcp_controller.catalog.live_document import LiveDocument
from kmcp_controller.catalog.publisher import Publisher
from kmcp_controller.cluster.client import Cluster
from kmcp_controller.cluster.queue import Urgency
from kmcp_controller.cluster.store import Key
from kmcp_controller.discovery.first_sights import FirstSights
from kmcp_controller.discovery.pins import Pin
from kmcp_controller.discovery.remotes import RemoteServers
from kmcp_controller.discovery.schedule import DiscoverySchedule
from kmcp_controller.reconcile.listener import Findings, Seen
from kmcp_controller.spec import Platform, is_suite_image
from kmcp_runtime import redaction
from kmcp_runtime.catalog import short_name
from kmcp_runtime.errors import ToolFailure

from .controller import Controller

_PAUSE = 30.0  # seconds between looks at namespaces that could not be read
_LOG = logging.getLogger("kmcp.controller")


class LiveCatalog:
    """Made beside a controller; from then on its passes ask for tools and its lease decides who publishes."""

    def __init__(
        self,
        controller: Controller,
        cluster: Cluster,
        namespace: str,
        catalog: References | None,
        platform: Platform,
        *,
        debounce: float = 2.0,
        interval: float = 10.0,
        ask_interval: float = 300.0,
        pin: Pin = "warn",
        discovery: bool = True,
        trusted: Sequence[str] | None = (),
    ) -> None:
        self.live = LiveDocument()
        self.metrics = cluster.metrics
        self.metrics.show(self.live)
        deployment = controller.place.deployment
        self._pins = FirstSights(cluster, namespace, deployment)
        self._publisher = Publisher(
            self.live, cluster, namespace, self.metrics, deployment=deployment, debounce=debounce, interval=interval
        )
        self._publisher.is_own = lambda described: is_suite_image(described["image"], platform)
        self._publisher.is_trusted = lambda described: trusted is None or described["namespace"] in trusted
        self._publisher.own_names = partial(_own_names, catalog)
        of_all = (self.live, cluster, catalog, platform, self._pins)
        schedule = partial(DiscoverySchedule, *of_all, interval=ask_interval, pin=pin, enabled=discovery)
        self._schedule = schedule(self._requeue)
        self._remotes = RemoteServers(cluster, self.live, self._observe_remote, trusted, controller.store.servers)
        # Their answers are news for no pass: a schedule of their own.
        self._elsewhere = schedule(self._remotes.requeue)
        self._queue, self._store, self._controller = controller.queue, controller.store, controller
        self._task: asyncio.Task[None] | None = None
        # The reconciler knows no discovery: it has two places for a listener, which are filled here.
        controller.reconciler.on_observed = self._schedule.observed
        controller.reconciler.on_reported = self._schedule.reported
        controller.companion = self

    def compare_again(self) -> None:
        """The catalog is another one."""
        self._schedule.ask_again()
        self._elsewhere.ask_again()

    def _observe_remote(self, key: Key, seen: Seen | None) -> Findings | None:
        return self._elsewhere.observed(key, seen)

    async def start(self) -> None:
        """After the first list: what was published before stands until each server is asked again, or is gone as the
        first look of `RemoteServers` shows."""
        await self._pins.load()
        await self._publisher.restore()

    def lead(self, held: bool) -> None:
        if self._task:
            self._task.cancel()
        self._task = asyncio.create_task(self._act() if held else self._publisher.follow())

    async def _act(self) -> None:
        await self._remotes.look()
        await asyncio.gather(self._publisher.run(), self._drop_pins(), self._remotes.run())

    async def _drop_pins(self) -> None:
        """Those of servers that went while nobody acted; tried until it is done."""
        while True:
            try:
                if (
                    self._remotes.listed and not self._controller.unreadable
                ):  # a server that cannot be seen now may still be there
                    here = {each["metadata"]["uid"] for each in self._store.of_kind("MCPServer")}
                    await self._pins.retain(here | self._remotes.uids)
                    return
            except ToolFailure as failure:
                _LOG.warning("pins of servers that are gone were not removed: %s", redaction.text(failure.message))
            await asyncio.sleep(_PAUSE)

    def _requeue(self, key: Key) -> None:
        self._queue.add(key, Urgency.RESYNC, 0)

    async def stop(self) -> None:
        await self._schedule.stop()
        await self._elsewhere.stop()
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


def _own_names(catalog: References | None) -> frozenset[str]:
    """What the servers that the suite itself brings are called behind the door."""
    entries = catalog.servers.items() if catalog else ()
    return frozenset(short_name(name) for name, entry in entries if entry.origin is None)
