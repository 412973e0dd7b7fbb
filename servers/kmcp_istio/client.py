"""The cluster as this server's tools see it, with Helm for the charts."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from kmcp_istio.settings import IstioSettings
from kmcp_runtime import Backend, Call, ToolFailure
from kmcp_runtime.helm import client as door
from kmcp_runtime.helm.client import Helm
from kmcp_runtime.kube import pages
from kmcp_runtime.kube.cluster import Cluster, Place
from kmcp_runtime.kube.clusters import Clusters
from kmcp_runtime.looks import Looked

__all__ = ["Mesh", "MeshBackend", "Place", "open_backend"]
_PAGE = 500
Object = Mapping[str, Any]


@dataclass
class Mesh(Cluster):
    """One cluster, for one tool call."""

    settings: IstioSettings
    helm: Helm

    async def list_labelled(self, resource_type: str, namespace: str | None, selector: str) -> Looked[Object]:
        """The metadata of the objects that a selector matches; `namespace` None means all namespaces."""
        kind = await self.discovery.resolve(resource_type)
        # form="names" makes the API server leave out spec and status: pods of a large mesh are megabytes.
        return await pages.look(self.api, pages.Query(kind, namespace, selector, limit=_PAGE, form="names"))

    async def read_if_permitted(self, resource_type: str, name: str) -> Object | None:
        """A cluster-scoped object for a hint; None where it is missing or this identity may not read it."""
        try:
            return await self.read_kind(resource_type, name, None)
        except ToolFailure:
            return None


class MeshBackend(Backend):
    """The clusters of the kubeconfig, for as long as the server runs."""

    def __init__(self, settings: IstioSettings, helm: Helm) -> None:
        self.settings = settings
        self.clusters = Clusters(settings)
        self._helm = helm

    def provide(self, call: Call) -> Mapping[type, Any]:
        return {Mesh: Mesh(**vars(self.clusters.cluster(call)), settings=self.settings, helm=self._helm)}

    async def ready(self) -> None:
        await self.clusters.ready()

    async def close(self) -> None:
        await self.clusters.close()


@asynccontextmanager
async def open_backend(settings: IstioSettings) -> AsyncIterator[MeshBackend]:
    with door.opened(settings) as helm:
        async with MeshBackend(settings, helm) as backend:
            yield backend
