"""What was seen first of each server that is pinned without a reference: kept in ConfigMaps, by UID.

One ConfigMap as long as it stays small, then further ones beside it: no server's first sight may be what keeps those of
the others from being written.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any

from kmcp_controller.catalog.configmaps import LABEL, LARGEST
from kmcp_controller.catalog.publisher import ConfigMaps

NAME = "kmcp-catalog-pins"  # of the first ConfigMap; the others are <NAME>-<n>
_ROLE = "pins"


class FirstSights:
    """The ConfigMaps of first sights: `data` by UID of the MCPServer. They go away with `deployment`."""

    def __init__(self, cluster: ConfigMaps, namespace: str, deployment: str = "", largest: int = LARGEST) -> None:
        self._cluster, self._namespace, self._deployment, self._largest = cluster, namespace, deployment, largest
        self.data: dict[str, str] = {}
        self._written: dict[str, dict[str, str]] = {}  # as they are in the cluster, by name
        self._turn = asyncio.Lock()  # a write depends on the one before

    async def load(self) -> None:
        async with self._turn:
            await self._read()

    async def keep(self, uid: str, seen: str) -> None:
        """Written before it counts: a restart must not see a first sight twice, and what is there stays."""
        async with self._turn:
            await self._read()
            if uid not in self.data:
                await self._write({**self.data, uid: seen})

    async def forget(self, uid: str) -> None:
        async with self._turn:
            await self._read()
            if uid in self.data:
                await self._write({key: value for key, value in self.data.items() if key != uid})

    async def retain(self, uids: Collection[str]) -> None:
        """Keep those alone; one that was made anew has another UID, and is another server."""
        async with self._turn:
            await self._read()
            kept = {key: value for key, value in self.data.items() if key in uids}
            if kept != self.data:
                await self._write(kept)

    async def _read(self) -> None:
        """Before each write: the replica that acted before this one may have seen further servers."""
        # The first one had no label in earlier versions.
        first = await self._cluster.read("ConfigMap", self._namespace, NAME)
        more = await self._cluster.list_objects("ConfigMap", self._namespace, f"{LABEL}={_ROLE}")
        found = {each["metadata"]["name"]: each for each in (*more, *([first] if first else ()))}
        self._written = {name: dict(each.get("data") or {}) for name, each in sorted(found.items())}
        self.data = {uid: seen for data in self._written.values() for uid, seen in data.items()}

    async def _write(self, data: dict[str, str]) -> None:
        wanted = arrange(data, self._written, self._largest)
        owners = await self._cluster.read_owners(self._namespace, self._deployment)
        for name, content in wanted.items():
            if content != self._written.get(name):
                await self._cluster.apply(self._object(name, content, owners), force=True)
                self._written[name] = content
        self.data = data

    def _object(self, name: str, content: dict[str, str], owners: list[dict[str, Any]]) -> dict[str, Any]:
        labels = {"app.kubernetes.io/managed-by": "kmcp", LABEL: _ROLE}
        metadata = {"name": name, "namespace": self._namespace, "labels": labels, "ownerReferences": owners}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": content}


def arrange(
    data: Mapping[str, str], written: Mapping[str, Mapping[str, str]], largest: int
) -> dict[str, dict[str, str]]:
    """Which ConfigMap holds what: each where it is, if there is room, else in the first one that has some.

    Those that get empty stay, without content. One value alone may be larger than `largest`; no two together are.
    """
    found: dict[str, dict[str, str]] = {name: {} for name in (NAME, *written)}
    sizes: dict[str, int] = defaultdict(int)
    at = {uid: name for name, content in written.items() for uid in content}
    # Those that stay come first: a new one must not take the room of one that is there.
    for uid in sorted(data, key=lambda uid: uid not in at):
        size = len(uid) + len(data[uid])
        names = [*([at[uid]] if uid in at else ()), *found, f"{NAME}-{len(found)}"]
        name = next(each for each in names if not sizes[each] or sizes[each] + size <= largest)
        found.setdefault(name, {})[uid] = data[uid]
        sizes[name] += size
    return found
