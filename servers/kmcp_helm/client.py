"""Helm and the cluster as this server's tools see them."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kmcp_runtime import Backend, Call
from kmcp_runtime.helm import client as door
from kmcp_runtime.helm.client import Helm
from kmcp_runtime.helm.releases import Releases
from kmcp_runtime.helm.settings import HelmSettings
from kmcp_runtime.kube.cluster import Cluster
from kmcp_runtime.kube.clusters import Clusters

__all__ = ["Client", "HelmBackend", "open_backend"]


@dataclass
class Client:
    """Helm for one call. The cluster is connected when it is needed: repositories and charts need none."""

    helm: Helm
    call: Call
    clusters: Clusters

    @cached_property
    def cluster(self) -> Cluster:
        return self.clusters.cluster(self.call)

    @cached_property
    def releases(self) -> Releases:
        return self.helm.releases(self.cluster)


class HelmBackend(Backend):
    """The clusters of the kubeconfig, and the helm binary."""

    def __init__(self, helm: Helm, clusters: Clusters) -> None:
        self.helm = helm
        self._clusters = clusters

    def provide(self, call: Call) -> Mapping[type, Any]:
        return {Client: Client(self.helm, call, self._clusters)}

    async def ready(self) -> None:
        await self._clusters.ready()
        # Without a helm binary the server is not ready, although releases could still be read.
        await self.helm.binary.read_major(Call("ready", "readyz", "readyz", {}, 5.0))

    async def close(self) -> None:
        await self._clusters.close()


@asynccontextmanager
async def open_backend(settings: HelmSettings) -> AsyncIterator[HelmBackend]:
    with door.opened(settings) as helm:
        async with HelmBackend(helm, Clusters(settings)) as backend:
            yield backend
