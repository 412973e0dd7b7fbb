"""One of several controllers writes: the holder of a Lease. 15 s long, renewed every 5 s, given up after 10 s."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from kmcp_runtime.errors import ToolFailure
from kmcp_runtime.kube.failures import StatusFailure

from .client import Cluster

NAME = "kmcp-controller"
_SECONDS, _RENEW, _GIVE_UP, _LOOK = 15, 5.0, 10.0, 1.0


class Lease:
    """`deployment` is the controller's own: an uninstall takes the Lease along."""

    def __init__(
        self, cluster: Cluster, namespace: str, identity: str, deployment: str, held: Callable[[bool], None]
    ) -> None:
        self._deployment = deployment
        self._cluster, self._namespace, self._identity, self._report = cluster, namespace, identity, held
        self._observed: tuple[str, float] = ("", 0.0)
        self.held = False

    async def run(self) -> None:
        """Hold it or wait for it until cancelled; what is held then is released."""
        renewed = 0.0
        try:
            while True:
                now = asyncio.get_running_loop().time()
                # No attempt may last beyond the end of the lease: another one may take it then.
                limit = min(_RENEW, renewed + _GIVE_UP - now) if self.held else _RENEW
                try:
                    async with asyncio.timeout(limit):
                        mine = await self._acquire(now)
                    renewed = now if mine else renewed
                    pause = _RENEW if mine else _LOOK
                except (ToolFailure, TimeoutError):  # the API server is away: the lease is mine until it runs out
                    left = renewed + _GIVE_UP - asyncio.get_running_loop().time()
                    mine = self.held and left > 0
                    pause = min(_LOOK, left) if mine else _LOOK
                self._set(mine)
                await asyncio.sleep(pause)
        finally:
            await asyncio.shield(self._release())  # also when cancelled: the next one then need not wait 15 s

    def _set(self, mine: bool) -> None:
        if mine != self.held:
            self.held = mine
            self._report(mine)

    async def _acquire(self, now: float) -> bool:
        found = await self._cluster.read("Lease", self._namespace, NAME)
        try:
            if found is None:
                owners = await self._cluster.read_owners(self._namespace, self._deployment)
                metadata = {"name": NAME, "namespace": self._namespace, "ownerReferences": owners}
                await self._cluster.create(self._body(metadata, 0))
                return True
            if not self._free(found, now):
                return False
            transitions = found["spec"].get("leaseTransitions") or 0
            await self._cluster.replace(self._body(found["metadata"], transitions, found))
        except StatusFailure as failure:
            if failure.http_status == 409:  # another replica was faster
                return False
            raise
        return True

    def _free(self, found: Mapping[str, Any], now: float) -> bool:
        """Mine, nobody's, or unchanged for its whole length by my own clock: clocks of machines differ."""
        holder, version = found["spec"].get("holderIdentity"), found["metadata"]["resourceVersion"]
        if holder in (None, "", self._identity):
            return True
        if self._observed[0] != version:
            self._observed = (version, now)
        return now - self._observed[1] > (found["spec"].get("leaseDurationSeconds") or _SECONDS)

    def _body(
        self, metadata: Mapping[str, Any], transitions: int, found: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        stamp = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        same = found is not None and found["spec"].get("holderIdentity") == self._identity
        spec = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": _SECONDS,
            "acquireTime": found["spec"]["acquireTime"] if found and same else stamp,
            "renewTime": stamp,
            "leaseTransitions": transitions + (0 if same or found is None else 1),
        }
        return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": dict(metadata), "spec": spec}

    async def _release(self) -> None:
        if not self.held:
            return
        self._set(False)
        found = await self._cluster.read("Lease", self._namespace, NAME)
        if found and found["spec"].get("holderIdentity") == self._identity:
            await self._cluster.replace({**found, "spec": {**found["spec"], "holderIdentity": ""}})
