"""One cluster as tools see it: kinds are resolved, namespaces defaulted, absent objects explained."""

import asyncio
from collections.abc import Mapping
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
from kmcp_runtime.looks import Looked
from kmcp_runtime.worker import run_in_thread

_PAGE = 500
# Metadata alone, so a page can be larger.
_PAGE_OF_NAMES = 1_000
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
    call: Call

    @property
    def discovery(self) -> Discovery:
        return self.api.kept(Discovery)

    @property
    def contexts(self) -> Contexts:
        return self.api.contexts

    @property
    def context(self) -> ContextInfo:
        return self.api.context

    def namespace(self, given: str | None) -> str:
        """The namespace that a caller means: the one given, else the context's own, for every tool alike."""
        return given or self.context.namespace

    async def place(self, resource_type: str, namespace: str | None, all_namespaces: bool = False) -> Place:
        """The kind and namespace that a caller means; a namespace for a cluster-scoped kind is refused."""
        return self.scoped(await self.discovery.resolve(resource_type), namespace, all_namespaces)

    async def places(self, resource_type: str, namespace: str | None, all_namespaces: bool = False) -> list[Place]:
        """`place` for each of several kinds (`pods,services`, `all`), of which some may have no namespace."""
        kinds = await self.discovery.resolve_each(resource_type)
        several = len(kinds) > 1
        return [
            self.scoped(kind, None if several and not kind.namespaced else namespace, all_namespaces) for kind in kinds
        ]

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
    ) -> Looked[objects.Object]:
        """The objects of a built-in type, whole; where there are more than a call looks at, the answer says so."""
        kind = await self.discovery.resolve(resource_type)
        return await pages.look(self.api, pages.Query(kind, namespace, selector, field_selector, _PAGE, form="objects"))

    async def place_of(self, api_version: str, kind: str, namespace: str | None) -> Place:
        """Where an object of a manifest is; `namespace` counts only for kinds that have one."""
        found = await self.discovery.find_kind(api_version, kind)
        return Place(found, namespace if found.namespaced else None)

    async def sample_objects(
        self, resource_type: str, namespace: str | None, count: int, *, selector: str | None = None
    ) -> list[objects.Object]:
        """The first objects of a built-in type, whole: where all are alike. Nothing is absent that is not in it."""
        kind = await self.discovery.resolve(resource_type)
        query = pages.Query(kind, namespace, selector, limit=count, form="objects")
        return (await pages.fetch(self.api, query, None, {})).items

    async def explain_absence(self, place: Place, name: str, failure: StatusFailure) -> ToolFailure:
        """Why an object is not there, as far as this identity may look."""
        if not failure.status:
            # The kind itself is gone: reading the kinds anew says so, or finds the version that is served now.
            await self.discovery.resolve(place.kind.full_name)
            return failure
        if place.namespace and await self.namespace_is_missing(place.namespace):
            return await self.explain_missing_namespace(place.namespace)
        # A few more requests, but only after a failure: the usual mistakes are a typo and the wrong namespace.
        around, elsewhere = await asyncio.gather(self._list_around(place), self._find_elsewhere(place, name))
        hints = []
        pods = workloads.pods_named_after(name, around) if place.kind.full_name == "pods" else []
        if pods:
            hints.append(f"{name} is a workload with the {'pods' if len(pods) > 1 else 'pod'} {quoted_list(pods)}")
        if elsewhere:
            others = "" if elsewhere.complete else " and others"
            hints.append(f"namespace {quoted_list(elsewhere)}{others} has an object of that name")
        near = await run_in_thread(_suggest, name, around.of_each(_name))
        if near and not pods:
            hints.append(near)
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
        around = await self._list_around(Place(await self.discovery.resolve("namespaces"), None))
        near = await run_in_thread(_suggest, namespace, around.of_each(_name))
        hint = near or by_tool("objects", "resource_type=namespaces lists them")
        return not_found(f"namespace {namespace!r} does not exist", hint, backend=BACKEND)

    async def _list_around(self, place: Place) -> Looked[Any]:
        """The metadata of neighbours."""
        query = pages.Query(place.kind, place.namespace, limit=_PAGE_OF_NAMES, form="names")
        return await self._look_if_permitted(query, pages.MOST_LOOKED_AT)

    async def _find_elsewhere(self, place: Place, name: str) -> Looked[str]:
        if not place.namespace:
            return Looked()
        # Every kind can be selected by metadata.name.
        query = pages.Query(place.kind, None, field_selector=f"metadata.name={name}", limit=_ELSEWHERE, form="names")
        found = await self._look_if_permitted(query, _ELSEWHERE)
        return found.of_each(lambda item: str(item["metadata"]["namespace"]))

    async def _look_if_permitted(self, query: pages.Query, most: int) -> Looked[Any]:
        try:
            return await pages.fetch_all(self.api, query, most)
        except ToolFailure:
            # The hint is left out when this identity may not list; the failure itself is still reported.
            return Looked()


def _name(item: Mapping[str, Any]) -> str:
    return str(item["metadata"]["name"])


def _suggest(name: str, known: Looked[str]) -> str | None:
    """The names nearest to one that does not exist, and how far was looked; None when there is nothing to say."""
    near = nearest(name, known)
    if near:
        return known.absence(f"did you mean {quoted_list(near)}?")
    return known.absence("no similar name was found") if not known.complete else None
