"""Writes the live catalog to its ConfigMaps, and reads it back."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Container, Mapping
from typing import Any, Protocol

from kmcp_controller.telemetry.metrics import Metrics
from kmcp_runtime.errors import ToolFailure

from .configmaps import (
    LABEL,
    LARGEST,
    NAME,
    InconsistentError,
    config_map,
    is_too_large,
    publication,
    read,
    shard_names,
)
from .door_servers import CONFIG_MAP, KEY, DoorServers, Found
from .live_document import LiveDocument
from .live_server import place

Object = dict[str, Any]
_LOG = logging.getLogger(__name__)
_PINS = "vouched"
_ATTEMPTS = 3  # at reading one document: it takes that many publications meanwhile to use them up


class ConfigMaps(Protocol):
    """What of `cluster.Cluster` is needed here."""

    async def read(self, kind: str, namespace: str, name: str) -> Object | None: ...
    async def list_objects(self, kind: str, namespace: str | None, selector: str = "") -> list[Object]: ...
    async def apply(self, manifest: Mapping[str, Any], *, force: bool) -> Object: ...
    async def delete(self, found: Mapping[str, Any]) -> None: ...
    async def read_owners(self, namespace: str, deployment: str) -> list[Object]: ...


class Publisher:
    """One process publishes (`run`), the others show what it published (`follow`).

    What is published goes away with `deployment`, the controller's own.
    """

    def __init__(
        self,
        live: LiveDocument,
        cluster: ConfigMaps,
        namespace: str,
        metrics: Metrics,
        *,
        deployment: str = "",
        debounce: float = 2.0,
        interval: float = 10.0,
        largest: int = LARGEST,
    ) -> None:
        self._live, self._cluster, self._namespace, self._metrics = live, cluster, namespace, metrics
        self._deployment = deployment
        self._debounce, self._interval, self._largest = debounce, interval, largest
        self.is_own: Callable[[Mapping[str, Any]], bool] = lambda server: True
        """Whether a server of the document is one of the suite: a door need not be told of it."""
        self.is_trusted: Callable[[Mapping[str, Any]], bool] = lambda server: False
        """Whether what the author of a server has pinned counts at the door: a tenant vouches for nothing."""
        self.own_names: Callable[[], Container[str]] = tuple
        """What servers of the suite are called behind the door: a foreign one is called otherwise."""
        self._door, self._behind_door = DoorServers(largest // 2), ""
        self._published: object = None  # state of what was read or written last

    async def restore(self) -> None:
        """Once at the start, before any server is updated."""
        try:
            document = await self.load()
        except InconsistentError as error:
            _LOG.warning("the published catalog is not restored: %s", error)
            return
        if document:
            self._live.restore(document)
            written = await self._cluster.list_objects("ConfigMap", self._namespace, f"{LABEL} in (index,shard)")
            # An earlier version wrote larger objects: they are written anew, although nothing in them has changed.
            if not any(is_too_large(each, self._largest) for each in written):
                self._published = _state(document)

    async def run(self) -> None:
        """Publish what changed, until cancelled; a write that fails is repeated."""
        while True:
            await self._live.changed.wait()
            await asyncio.sleep(self._debounce)  # a rollout of many servers is one publication, not one for each
            self._live.changed.clear()
            try:
                await self.publish()
            except ToolFailure as failure:
                self._metrics.catalog_publishes.labels("configmap", "failed").inc()
                _LOG.warning("the catalog was not published: %s", failure)
                self._live.changed.set()
            await asyncio.sleep(self._interval - self._debounce)

    async def publish(self) -> bool:
        """Write the document if it lists other tools or another readiness than the published one; whether it did."""
        document = self._live.document()
        if _state(document) == self._published:
            return False
        index = await self._cluster.read("ConfigMap", self._namespace, NAME)
        # Packing takes a second where there are hundreds of servers.
        found = await asyncio.to_thread(publication, document, self._namespace, index, self._largest)
        owners = await self._cluster.read_owners(self._namespace, self._deployment)
        # The index last: until it is written, readers of the old one find all that it names.
        for each in (*found.shards, found.index):
            each["metadata"]["ownerReferences"] = owners
            await self._cluster.apply(each, force=True)
        await self._tell_door(document, owners)
        self._published = _state(document)
        self._metrics.catalog_publishes.labels("configmap", "ok").inc()
        self._metrics.catalog_size.labels("configmap").set(found.size)
        named = {each["metadata"]["name"] for each in found.shards}
        for each in await self._cluster.list_objects("ConfigMap", self._namespace, f"{LABEL}=shard"):
            if each["metadata"]["name"] not in named:
                await self._cluster.delete(each)
        return True

    async def _tell_door(self, document: Mapping[str, Any], owners: list[Object]) -> None:
        """Which foreign servers there are, for a door that mounts this ConfigMap. One that is away now stays."""
        foreign = (each for each in document["servers"] if each["tools"] and not self.is_own(each))
        found = [
            Found(each["namespace"], each["name"], each["url"], each["tools"], self._pinned(each)) for each in foreign
        ]
        text = self._door.document(found, self.own_names())
        if text == self._behind_door:
            return
        written = config_map(CONFIG_MAP, self._namespace, "door", {KEY: text})
        written["metadata"]["ownerReferences"] = owners
        await self._cluster.apply(written, force=True)
        self._behind_door = text
        if self._door.left_out:
            _LOG.warning("not behind the door, for want of room or for the address: %s", ", ".join(self._door.left_out))

    def _pinned(self, described: Mapping[str, Any]) -> Mapping[str, str]:
        # An earlier version published none.
        return described.get(_PINS, {}) if self.is_trusted(described) else {}

    async def follow(self) -> None:
        """Show what another process publishes, until cancelled."""
        self._behind_door = ""  # which the other one writes from now on
        while True:
            with contextlib.suppress(ToolFailure, InconsistentError):  # what was shown before stays until the next look
                document = await self.load()
                if document and _state(document) != self._published:
                    self._live.follow(document)
                    self._published = _state(document)
            await asyncio.sleep(self._interval)

    async def load(self) -> dict[str, Any] | None:
        """The published document, whole and of one moment; None where there is none."""
        for attempt in range(_ATTEMPTS):
            index = await self._cluster.read("ConfigMap", self._namespace, NAME)
            if index is None:
                return None
            names = shard_names(index)
            shards = await asyncio.gather(*(self._cluster.read("ConfigMap", self._namespace, each) for each in names))
            try:
                return await asyncio.to_thread(read, index, [shard for shard in shards if shard])
            except InconsistentError:
                if attempt == _ATTEMPTS - 1:
                    raise
        return None


def _state(document: Mapping[str, Any]) -> object:
    """What makes it worth publishing: its hash, in which readiness is not, and who is ready."""
    return document["hash"], [
        (*place(server), server["ready"], server["reason"], server.get(_PINS)) for server in document["servers"]
    ]
