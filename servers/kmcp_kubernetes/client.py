"""The cluster as tools see it: kinds resolved, namespaces defaulted, absences explained."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from kmcp_kubernetes.openapi import OpenApi
from kmcp_kubernetes.settings import KubernetesSettings
from kmcp_runtime.call import Call
from kmcp_runtime.errors import ToolFailure, bad_argument, nearest, not_found
from kmcp_runtime.instance import Backend
from kmcp_runtime.kube import config, objects, pages
from kmcp_runtime.kube.api import KubeApi, Limits
from kmcp_runtime.kube.config import ContextInfo, Contexts
from kmcp_runtime.kube.discovery import Discovery, Kind
from kmcp_runtime.kube.failures import BACKEND, StatusFailure
from kmcp_runtime.settings import listed
from kmcp_runtime.web import Web

_NEIGHBOURS = 500
_ELSEWHERE = 5


@dataclass(frozen=True)
class Place:
    """A kind and where its objects are; `namespace` is None for cluster-scoped kinds and for all namespaces."""

    kind: Kind
    namespace: str | None
    defaulted: bool = False
    """True when the caller named no namespace and the context's default was taken."""


@dataclass
class Kube:
    """One cluster for one call."""

    api: KubeApi
    discovery: Discovery
    openapi: OpenApi
    web: Web
    contexts: Contexts
    context: ContextInfo
    settings: KubernetesSettings
    call: Call

    async def place(self, resource_type: str, namespace: str | None, all_namespaces: bool = False) -> Place:
        """Where objects of a type are. A namespace for a cluster-scoped kind is refused."""
        return self.scoped(await self.discovery.resolve(resource_type), namespace, all_namespaces)

    def scoped(self, kind: Kind, namespace: str | None, all_namespaces: bool = False) -> Place:
        if not kind.namespaced:
            if namespace:
                raise bad_argument(f"{kind.kind} is cluster-scoped, it has no namespace", "leave namespace out")
            return Place(kind, None)
        if namespace or all_namespaces:
            return Place(kind, namespace)
        return Place(kind, self.context.namespace, defaulted=True)

    async def read(self, place: Place, name: str, subresource: str | None = None) -> objects.Object:
        """The object; an absent one is answered with near names and the namespaces that do have it."""
        try:
            return await objects.read(self.api, place.kind, name, place.namespace, subresource)
        except StatusFailure as failure:
            if failure.http_status == 404:
                raise await self.absent(place, name, failure) from None
            raise

    async def read_kind(self, resource_type: str, name: str, namespace: str | None) -> objects.Object:
        """`read` for a built-in type whose name needs no checking."""
        return await self.read(await self.place(resource_type, namespace), name)

    async def listed(
        self, resource_type: str, namespace: str | None, *, selector: str | None = None,
        field_selector: str | None = None, limit: int = 500,
    ) -> list[objects.Object]:  # fmt: skip
        """The first objects of a built-in type, whole, in one request."""
        kind = await self.discovery.resolve(resource_type)
        query = pages.Query(kind, namespace, selector, field_selector, limit, "objects")
        return (await pages.fetch(self.api, query, None, {})).items

    async def absent(self, place: Place, name: str, failure: StatusFailure) -> ToolFailure:
        """Why an object is not there, as far as this identity may look."""
        if place.namespace and await self.namespace_is_missing(place.namespace):
            return await self.missing_namespace(place.namespace)
        near, elsewhere = await asyncio.gather(self._near_names(place, name), self._elsewhere(place, name))
        hints = []
        if elsewhere:
            hints.append(f"namespace {', '.join(elsewhere)} has one of that name")
        if near:
            hints.append(f"did you mean {', '.join(near)}?")
        message = failure.message
        if place.namespace and place.namespace not in message:
            message += f" (in namespace {place.namespace})"
        return not_found(message, "; ".join(hints) or f"k8s_get_resources lists {place.kind.plural}", backend=BACKEND)

    async def namespace_is_missing(self, namespace: str) -> bool:
        """True only when the API server says so; an identity that may not ask does not know."""
        try:
            await self.api.get(f"/api/v1/namespaces/{namespace}")
        except StatusFailure as failure:
            return failure.http_status == 404
        return False

    async def missing_namespace(self, namespace: str) -> ToolFailure:
        names = await self._names(Place(await self.discovery.resolve("namespaces"), None))
        near = nearest(namespace, names)
        hint = f"did you mean {', '.join(near)}?" if near else "k8s_get_resources resource_type=namespaces lists them"
        return not_found(f"namespace {namespace!r} does not exist", hint, backend=BACKEND)

    async def _near_names(self, place: Place, name: str) -> list[str]:
        return nearest(name, await self._names(place))

    async def _names(self, place: Place) -> list[str]:
        query = pages.Query(place.kind, place.namespace, limit=_NEIGHBOURS, form="names")
        return [item["metadata"]["name"] for item in await self._permitted(query)]

    async def _elsewhere(self, place: Place, name: str) -> list[str]:
        if not place.namespace:
            return []
        query = pages.Query(place.kind, None, field_selector=f"metadata.name={name}", limit=_ELSEWHERE, form="names")
        return [item["metadata"]["namespace"] for item in await self._permitted(query)]

    async def _permitted(self, query: pages.Query) -> list[Any]:
        try:
            return (await pages.fetch(self.api, query, None, {})).items
        except ToolFailure:  # A hint that this identity may not have; the failure that it would explain is reported.
            return []


@dataclass
class _Cluster:
    api: KubeApi
    discovery: Discovery
    openapi: OpenApi


class KubernetesBackend(Backend):
    """The contexts of the kubeconfig, read again when the file changes; each cluster is connected at first use."""

    def __init__(self, settings: KubernetesSettings, web: Web | None = None) -> None:
        self.settings = settings
        self._web = web or Web()
        self._contexts: Contexts | None = None
        self._stamp: object = None
        self._clusters: dict[str, _Cluster] = {}
        self._retired: list[KubeApi] = []

    def provide(self, call: Call) -> Mapping[type, Any]:
        return {Kube: self.cluster(call)}

    def cluster(self, call: Call) -> Kube:
        contexts = self.contexts()
        context = contexts.named(call.arguments.get("context"))
        found = self._clusters.get(context.name)
        if found is None:
            api = KubeApi(contexts, context, Limits())
            found = self._clusters[context.name] = _Cluster(api, Discovery(api), OpenApi(api))
        return Kube(
            found.api, found.discovery, found.openapi, self._web, contexts, context, self.settings, call
        )  # fmt: skip

    def contexts(self) -> Contexts:
        stamp = _stamp(config.kubeconfig_path(self.settings.kubeconfig))
        if self._contexts is None or stamp != self._stamp:
            self._contexts, self._stamp = allowed(self.settings), stamp
            self._retired += [cluster.api for cluster in self._clusters.values()]
            self._clusters = {}
        return self._contexts

    async def ready(self) -> None:
        contexts = self.contexts()
        kube = self.cluster(Call("ready", "readyz", "readyz", {}, 5.0))
        version = await kube.api.get("/version")
        if not isinstance(version, dict) or "gitVersion" not in version:
            raise not_found(f"{contexts.named(None).server} is no Kubernetes API server")

    async def close(self) -> None:
        for api in [*self._retired, *(cluster.api for cluster in self._clusters.values())]:
            await api.close()
        await self._web.close()


@asynccontextmanager
async def open_backend(settings: KubernetesSettings, web: Web | None = None) -> AsyncIterator[KubernetesBackend]:
    backend = KubernetesBackend(settings, web)
    try:
        yield backend
    finally:
        await backend.close()


def allowed(settings: KubernetesSettings) -> Contexts:
    """The configured contexts, narrowed to those this server may use."""
    contexts = config.load_contexts(settings.kubeconfig)
    names = listed(settings.contexts)
    if not names:
        return contexts
    kept = tuple(contexts.named(name) for name in names)
    return replace(contexts, all=kept, current=kept[0].name)


def _stamp(path: str) -> object:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return path, found.st_mtime_ns, found.st_size
