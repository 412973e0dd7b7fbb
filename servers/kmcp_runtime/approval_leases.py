"""Used approval tokens as Leases of the cluster: an object of a given name can be created once, whoever tries.

Replicas that share a key share this place, so a token works once whatever the number of replicas. It is loaded only
where `KMCP_APPROVAL_LEDGER=lease`.
"""

import asyncio
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from kmcp_runtime.engine.sealing import Sealed
from kmcp_runtime.engine.single_use import UsedTokens
from kmcp_runtime.errors import ToolFailure, unavailable
from kmcp_runtime.kube import config
from kmcp_runtime.kube.failures import StatusFailure
from kmcp_runtime.own_cluster import TIMEOUTS, Object, OwnCluster, own_contexts
from kmcp_runtime.web import Timeouts

log = logging.getLogger("kmcp.approval")
LABEL = "kmcp-suite/approval"
EXPIRES = "kmcp-suite/expires"
"""Annotation: when the token ends by itself, so that its Lease says nothing any more."""
KEPT_SECONDS = 3600
"""Longer than clocks of replicas may differ: one that is behind must still find a token's Lease."""
_LISTED, _SWEPT = 100, 20
_SWEEP_SECONDS = 5.0


class UsedInCluster(UsedTokens):
    """Notes each use as a Lease in one namespace; whoever notes one also removes some that have ended."""

    def __init__(
        self,
        contexts: config.Contexts,
        namespace: str = "",
        clock: Callable[[], float] = time.time,
        timeouts: Timeouts = TIMEOUTS,
    ) -> None:
        self._contexts = contexts
        self._namespace = namespace or contexts.named(None).namespace
        self._clock = clock
        self._timeouts = timeouts

    async def take(self, token: Sealed) -> str | None:
        """Errors: `unavailable` when the use cannot be noted; the token must not be used then."""
        try:
            async with self._opened() as leases:
                if not await leases.create(_lease(token, self._clock())):
                    return "the approval token has been used"
                await self._sweep(leases)
        except ToolFailure as failure:
            raise self._unnoted(failure) from None
        return None

    def _unnoted(self, failure: ToolFailure) -> ToolFailure:
        hint = "once the API server of this server's own cluster answers, call again without approval"
        if isinstance(failure, StatusFailure) and failure.http_status == 403:
            hint = f"grant this server create, list and delete on leases.coordination.k8s.io in {self._namespace}"
        return unavailable(f"the use of the approval cannot be recorded: {failure.message}; nothing was changed", hint)

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator["_Leases"]:
        # For this use alone: they are rare, and nothing has to be kept open or renewed in between.
        async with aclosing(await OwnCluster.open(self._contexts, self._timeouts)) as cluster:
            yield _Leases(cluster, self._namespace)

    async def _sweep(self, leases: "_Leases") -> None:
        """Remove some Leases of tokens that have ended: more than the one that was made, so they never pile up."""
        try:
            async with asyncio.timeout(_SWEEP_SECONDS):
                ended = [
                    found["metadata"]["name"] for found in await leases.list_used() if _ended(found, self._clock())
                ]
                await asyncio.gather(*(leases.remove(name) for name in ended[:_SWEPT]))
        except (ToolFailure, TimeoutError) as failure:
            # The use is noted: what is left over takes room and decides nothing.
            log.warning("Leases of approvals that have ended are left over in %s: %s", self._namespace, failure)


@dataclass(frozen=True)
class _Leases:
    """The Leases of one namespace. Errors: `StatusFailure` where the API server refuses, `unavailable` and the like."""

    cluster: OwnCluster
    namespace: str

    async def create(self, lease: Object) -> bool:
        """False when there is one of that name."""
        try:
            made = await self._send("POST", json=lease)
        except StatusFailure as failure:
            if failure.reason == "AlreadyExists":
                return False
            raise
        # What stands before an API server may answer anything with success.
        if (made.get("metadata") or {}).get("name") != lease["metadata"]["name"]:
            raise unavailable(f"{self.cluster.context.server} does not answer like a Kubernetes API server")
        return True

    async def list_used(self) -> list[Object]:
        found = await self._send("GET", params={"labelSelector": f"{LABEL}=used", "limit": str(_LISTED)})
        return list(found.get("items") or ())

    async def remove(self, name: str) -> None:
        try:
            await self._send("DELETE", f"/{name}")
        except StatusFailure as failure:
            if failure.http_status != 404:  # Another replica removes them too.
                raise

    async def _send(self, method: str, name: str = "", **request: Any) -> Object:
        path = f"/apis/coordination.k8s.io/v1/namespaces/{quote(self.namespace, safe='')}/leases{name}"
        return await self.cluster.send(method, path, **request)


def _lease(token: Sealed, now: float) -> Object:
    metadata = {
        "name": f"kmcp-used-{token.identity}",
        "labels": {LABEL: "used", "app.kubernetes.io/managed-by": "kmcp-suite"},
        "annotations": {EXPIRES: _stamp(token.expires), "kmcp-suite/tool": token.tool},
    }
    spec = {"holderIdentity": socket.gethostname(), "acquireTime": _stamp(now)}
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}


def _ended(lease: Object, now: float) -> bool:
    text = (lease["metadata"].get("annotations") or {}).get(EXPIRES, "")
    try:
        return datetime.fromisoformat(text).timestamp() + KEPT_SECONDS < now
    except ValueError:
        return False  # Not written by us.


def open_ledger(namespace: str) -> UsedInCluster:
    """The ledger in `namespace`, or in this server's own one; a `SettingsError` where there is no cluster."""
    return UsedInCluster(own_contexts("--approval-ledger / KMCP_APPROVAL_LEDGER"), namespace)


def _stamp(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
