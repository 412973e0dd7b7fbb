"""The cluster as this server's tools see it, with its OpenAPI schemas and a web client."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kmcp_kubernetes.openapi import OpenApi
from kmcp_kubernetes.settings import KubernetesSettings
from kmcp_runtime import Backend, Call
from kmcp_runtime.kube.cluster import Cluster, Place
from kmcp_runtime.kube.clusters import Clusters
from kmcp_runtime.web import Web

__all__ = ["Kube", "KubernetesBackend", "Place", "open_backend"]


@dataclass
class Kube(Cluster):
    """One cluster for one call."""

    openapi: OpenApi
    web: Web
    settings: KubernetesSettings


class KubernetesBackend(Backend):
    """The clusters of the kubeconfig."""

    def __init__(self, settings: KubernetesSettings, web: Web | None = None) -> None:
        self.settings = settings
        self._clusters = Clusters(settings)
        self._web = web or Web()

    def provide(self, call: Call) -> Mapping[type, Any]:
        cluster = self._clusters.cluster(call)
        # For each connection, not for each call: the parsed documents are what is worth keeping.
        openapi = cluster.api.kept(OpenApi)
        return {Kube: Kube(**vars(cluster), openapi=openapi, web=self._web, settings=self.settings)}

    async def ready(self) -> None:
        await self._clusters.ready()

    async def close(self) -> None:
        await self._clusters.close()
        await self._web.close()


def open_backend(settings: KubernetesSettings, web: Web | None = None) -> KubernetesBackend:
    return KubernetesBackend(settings, web)
