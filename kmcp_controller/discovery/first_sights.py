"""What was seen first of each server that is pinned without a reference: kept in a ConfigMap, by UID."""

import asyncio
from collections.abc import Collection

from kmcp_controller.catalog.publisher import ConfigMaps

NAME = "kmcp-catalog-pins"  # of the ConfigMap


class FirstSights:
    """The ConfigMap of first sights: `data` by UID of the MCPServer. It goes away with `deployment`."""

    def __init__(self, cluster: ConfigMaps, namespace: str, deployment: str = "") -> None:
        self._cluster, self._namespace, self._deployment = cluster, namespace, deployment
        self.data: dict[str, str] = {}
        self._turn = asyncio.Lock()  # each write holds all of them

    async def load(self) -> None:
        found = await self._cluster.read("ConfigMap", self._namespace, NAME)
        self.data = dict((found or {}).get("data") or {})

    async def keep(self, uid: str, seen: str) -> None:
        """Written before it counts: a restart must not see a first sight twice."""
        async with self._turn:
            await self._write({**self.data, uid: seen})

    async def forget(self, uid: str) -> None:
        async with self._turn:
            if uid in self.data:
                await self._write({key: value for key, value in self.data.items() if key != uid})

    async def retain(self, uids: Collection[str]) -> None:
        """Keep those alone; one that was made anew has another UID, and is another server."""
        async with self._turn:
            kept = {key: value for key, value in self.data.items() if key in uids}
            if kept != self.data:
                await self._write(kept)

    async def _write(self, data: dict[str, str]) -> None:
        owners = await self._cluster.read_owners(self._namespace, self._deployment)
        metadata = {
            "name": NAME,
            "namespace": self._namespace,
            "labels": {"app.kubernetes.io/managed-by": "kmcp"},
            "ownerReferences": owners,
        }
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
        await self._cluster.apply(body, force=True)
        self.data = data
