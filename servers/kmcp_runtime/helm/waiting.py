"""Following a release while helm waits for it: progress for the client, and what was not ready for the failure."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kmcp_runtime.errors import ToolFailure
from kmcp_runtime.helm import payload
from kmcp_runtime.helm.readiness import list_unready
from kmcp_runtime.helm.releases import PENDING, Releases
from kmcp_runtime.kube.cluster import Cluster

# Each look reads every workload of the release; helm itself polls every 2 s.
_EVERY_SECONDS = 3.0
_MOST_SHOWN = 5


class Waiting:
    """One wait: what was not ready when it was last looked at."""

    def __init__(self, cluster: Cluster, releases: Releases, namespace: str, name: str) -> None:
        self._cluster, self._releases = cluster, releases
        self._namespace, self._name = namespace, name
        self._manifest, self._revision = "", 0
        self.not_ready: list[str] = []

    @asynccontextmanager
    async def watch(self) -> AsyncIterator[None]:
        """Watch the cluster while the context is open; a `timed_out` is completed with what was not ready."""
        task = asyncio.create_task(self._follow())
        try:
            yield
        except ToolFailure as failure:
            if failure.code == "timed_out":
                raise self._with_unready(failure) from None
            raise
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            with contextlib.suppress(ToolFailure, payload.Undecodable):  # helm itself reports what is wrong
                if await self._look():
                    await self._cluster.call.step(f"waiting: {self._in_words()}")

    async def _look(self) -> bool:
        """Whether there is something to wait for: a revision under way with an object that is not ready."""
        head = await self._releases.read_head(self._namespace, self._name)
        if head.status not in PENDING or self._revision not in (0, head.revision):
            return False  # Another revision than the one waited for: atomic makes one when it rolls back.
        if not self._revision:
            self._manifest, self._revision = (await self._releases.read(head)).manifest, head.revision
        self.not_ready = await list_unready(self._cluster, self._namespace, self._manifest)
        return bool(self.not_ready)

    def _in_words(self) -> str:
        shown = "; ".join(self.not_ready[:_MOST_SHOWN])
        return f"{shown}; …" if len(self.not_ready) > _MOST_SHOWN else shown

    def _with_unready(self, failure: ToolFailure) -> ToolFailure:
        if not self.not_ready:
            return failure
        return ToolFailure(
            failure.code,
            f"{failure.message}; not ready: {self._in_words()}",
            failure.hint,
            backend=failure.backend,
            details={"not_ready": self.not_ready},
        )
