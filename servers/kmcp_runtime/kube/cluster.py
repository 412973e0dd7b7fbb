"""One cluster as tools see it: kinds are resolved, namespaces defaulted, absent objects explained."""

import asyncio
from dataclasses import dataclass
from typing import Any

from kmcp_runtime.call import Call
from kmcp_runtime.errors import ToolFailure, bad_argument, nearest, not_found, quoted_list
from kmcp_runtime.hints import by_tool
from kmcp_runtime.kube import objects, pages, workloads
from kmcp_runtime.kube.api import JSON, KubeApi, Query
from kmcp_runtime.kube.config import ContextInfo, Contexts
from kmcp_runtime.kube.discovery import Discovery, Kind
from kmcp_runtime.kube.failures import BACKEND, StatusFailure

_NEIGHBOURS = 500
_ELSEWHERE = 5


@dataclass(frozen=True)
class Place:
    """A kind and where its objects are; `namespace` is None for cluster-scoped kinds and for all namespaces."""

    kind: Kind
    namespace: str | None
    defaulted: bool = False
    """True when the caller gave no namespace and the context's default is used."""


@dataclass
class Cluster:
    """One cluster for one call."""

    api: KubeApi
    discovery: Discovery
    contexts: Contexts
    context: ContextInfo
    call: Call

    def namespace(self, given: str | None) -> str:
        """The namespace that a caller means: the one given, else the context's own, for every tool alike."""
        return given or self.context.namespace

    async def place(self, resource_type: str, namespace: str | None, all_namespaces: bool = False) -> Place:
        """The kind and namespace that a caller means; a namespace for a cluster-scoped kind is refused."""
        return self.scoped(await self.discovery.resolve(resource_type), namespace, all_namespaces)

    def scoped(self, kind: Kind, namespace: str | None, all_namespaces: bool = False) -> Place:
        if not kind.namespaced:
            if namespace:
                raise bad_argument(f"{kind.kind} is cluster-scoped and has no namespace", "leave out namespace")
            return Place(kind, None)
        if namespace or all_namespaces:
            return Place(kind, namespace)
        return Place(kind, self.namespace(None), defaulted=True)

    async def read(
        self, place: Place, name: str, subresource: str | None = None, query: Query = (), accept: str = JSON
    ) -> objects.Object:
        """The object; if it is absent, the failure has similar names and the namespaces that have it."""
        try:
            found: objects.Object = await self.api.get(
                place.kind.path(place.namespace, name, subresource), query, accept
            )
        except StatusFailure as failure:
            if failure.http_status == 404:
                raise await self.explain_absence(place, name, failure) from None
            raise
        return found

    async def read_kind(self, resource_type: str, name: str, namespace: str | None) -> objects.Object:
        """`read` for a built-in type whose name needs no checking."""
        return await self.read(await self.place(resource_type, namespace), name)

    async def list_objects(
        self,
        resource_type: str,
        namespace: str | None,
        *,
        selector: str | None = None,
        field_selector: str | None = None,
        limit: int = 500,
    ) -> list[objects.Object]:
        """The first objects of a built-in type, whole, in one request."""
        kind = await self.discovery.resolve(resource_type)
        query = pages.Query(kind, namespace, selector, field_selector, limit, "objects")
        return (await pages.fetch(self.api, query, None, {})).items

    async def explain_absence(self, place: Place, name: str, failure: StatusFailure) -> ToolFailure:
        """Why an object is not there, as far as this identity may look."""
        if not failure.status:
            # The kind itself is gone: reading the kinds anew says so, or finds the version that is served now.
            await self.discovery.resolve(place.kind.full_name)
            return failure
        if place.namespace and await self.namespace_is_missing(place.namespace):
            return await self.explain_missing_namespace(place.namespace)
        # Two more requests, but only after a failure: the usual mistakes are a typo and the wrong namespace.
        around, elsewhere = await asyncio.gather(self._list_around(place), self._find_elsewhere(place, name))
        near = nearest(name, [item["metadata"]["name"] for item in around])
        hints = []
        pods = workloads.pods_named_after(name, around) if place.kind.full_name == "pods" else []
        if pods:
            hints.append(f"{name} is a workload with the {'pods' if len(pods) > 1 else 'pod'} {quoted_list(pods)}")
            near = []
        if elsewhere:
            hints.append(f"namespace {quoted_list(elsewhere)} has an object of that name")
        if near:
            hints.append(f"did you mean {quoted_list(near)}?")
        message = failure.message
        if place.namespace and place.namespace not in message:
            message += f" (in namespace {place.namespace})"
        return not_found(message, "; ".join(hints) or by_tool("objects", f"lists {place.kind.plural}"), backend=BACKEND)

    async def namespace_is_missing(self, namespace: str) -> bool:
        """True only when the API server says so; an identity that may not ask does not know."""
        try:
            await self.api.get(f"/api/v1/namespaces/{namespace}")
        except StatusFailure as failure:
            # 403 leaves it open: the namespace may exist.
            return failure.http_status == 404
        return False

    async def explain_missing_namespace(self, namespace: str) -> ToolFailure:
        names = await self._list_names(Place(await self.discovery.resolve("namespaces"), None))
        near = nearest(namespace, names)
        hint = (
            f"did you mean {quoted_list(near)}?" if near else by_tool("objects", "resource_type=namespaces lists them")
        )
        return not_found(f"namespace {namespace!r} does not exist", hint, backend=BACKEND)

    async def _list_names(self, place: Place) -> list[str]:
        return [item["metadata"]["name"] for item in await self._list_around(place)]

    async def _list_around(self, place: Place) -> list[Any]:
        """The metadata of neighbours."""
        query = pages.Query(place.kind, place.namespace, limit=_NEIGHBOURS, form="names")
        return await self._list_if_permitted(query)

    async def _find_elsewhere(self, place: Place, name: str) -> list[str]:
        if not place.namespace:
            return []
        # Every kind can be selected by metadata.name.
        query = pages.Query(place.kind, None, field_selector=f"metadata.name={name}", limit=_ELSEWHERE, form="names")
        return [item["metadata"]["namespace"] for item in await self._list_if_permitted(query)]

    async def _list_if_permitted(self, query: pages.Query) -> list[Any]:
        try:
            return (await pages.fetch(self.api, query, None, {})).items
        except ToolFailure:
            # The hint is left out when this identity may not list; the failure itself is still reported.
            return []
