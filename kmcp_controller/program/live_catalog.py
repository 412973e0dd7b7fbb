"""The live catalog of a controller in the cluster: who acts asks and publishes, the other replicas follow."""

import asyncio

from kmcp_controller.catalog.live_document import Live
from kmcp_controller.catalog.publisher import Pins, Publisher
from kmcp_controller.cluster.client import Cluster
from kmcp_controller.cluster.queue import Urgency
from kmcp_controller.cluster.store import Key
from kmcp_controller.discovery.pins import Pin
from kmcp_controller.discovery.schedule import Asker
from kmcp_controller.spec import Platform
from kmcp_runtime.catalog import Catalog

from .controller import Controller


class Catalogue:
    """Made beside a controller; from then on its passes ask for tools and its lease decides who publishes."""

    def __init__(
        self,
        controller: Controller,
        cluster: Cluster,
        namespace: str,
        catalog: Catalog | None,
        platform: Platform,
        *,
        debounce: float = 2.0,
        interval: float = 10.0,
        ask_interval: float = 300.0,
        pin: Pin = "warn",
        discovery: bool = True,
    ) -> None:
        self.live = Live()
        self.metrics = cluster.metrics
        self.metrics.show(self.live)
        deployment = controller.place.deployment
        self._pins = Pins(cluster, namespace, deployment)
        self._publisher = Publisher(
            self.live, cluster, namespace, self.metrics, deployment=deployment, debounce=debounce, interval=interval
        )
        self._asker = Asker(
            self.live,
            cluster,
            catalog,
            platform,
            self._pins,
            self._again,
            interval=ask_interval,
            pin=pin,
            enabled=discovery,
        )
        self._queue, self._store = controller.queue, controller.store
        self._task: asyncio.Task[None] | None = None
        controller.reconciler.on_observed = self._asker.observed
        controller.reconciler.on_reported = self._asker.reported
        controller.companion = self

    async def start(self) -> None:
        """After the first list: what was published before stands until each server is asked again."""
        await self._pins.load()
        await self._publisher.restore()
        self.live.keep(self._store.servers())

    def lead(self, held: bool) -> None:
        if self._task:
            self._task.cancel()
        self._task = asyncio.create_task(self._publisher.run() if held else self._publisher.follow())

    def _again(self, key: Key) -> None:
        self._queue.add(key, Urgency.RESYNC, 0)

    async def stop(self) -> None:
        await self._asker.stop()
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
