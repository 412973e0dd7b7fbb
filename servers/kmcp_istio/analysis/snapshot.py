"""The objects that our checks look at, read once for all of them."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kmcp_istio.client import Mesh, Object
from kmcp_runtime import ToolFailure, unavailable
from kmcp_runtime.kube import pages
from kmcp_runtime.looks import Looked

NETWORKING = "networking.istio.io"
_BUILT_IN = {"namespaces": "Namespace", "services": "Service", "pods": "Pod"}
_OWN = {
    "virtualservices": "VirtualService",
    "destinationrules": "DestinationRule",
    "gateways": "Gateway",
    "serviceentries": "ServiceEntry",
}
_SYSTEM = ("kube-system", "kube-public", "kube-node-lease", "local-path-storage")
"""Namespaces that istioctl leaves out, with their Services and pods (pkg/kube/inject, IgnoredNamespaces)."""
_PAGE = 500


@dataclass
class Snapshot:
    """Every object of each kind; `cut` names the kinds of which only the first 5,000 were read."""

    istio_namespace: str
    found: Mapping[str, Sequence[Object]]
    cut: list[str] = field(default_factory=list)

    @property
    def kinds(self) -> Iterable[tuple[str, str]]:
        """The plural and the kind of each."""
        return (_BUILT_IN | _OWN).items()

    def has_all(self, *kinds: str) -> bool:
        """Whether what is not among these kinds is not there."""
        return not set(kinds) & set(self.cut)

    def of(self, kind: str) -> Sequence[Object]:
        return self.found[kind]


async def take_snapshot(mesh: Mesh) -> Snapshot:
    names = (*_BUILT_IN, *(f"{plural}.{NETWORKING}" for plural in _OWN))
    listed = await asyncio.gather(*(_list_all(mesh, name) for name in names))
    by_kind = dict(zip((*_BUILT_IN, *_OWN), listed, strict=True))
    cut = [kind for kind, found in by_kind.items() if not found.complete]
    return Snapshot(mesh.settings.istio_namespace, by_kind, cut)


async def _list_all(mesh: Mesh, resource_type: str) -> Looked[Object]:
    """The objects of a kind."""
    try:
        kind = await mesh.discovery.resolve(resource_type)
    except ToolFailure as failure:
        # An API server that does not know one of these kinds has no Istio.
        if failure.code != "not_found":
            raise
        raise unavailable(
            f"Istio is not installed: the cluster has no kind {resource_type}", "istio_install_istio installs it"
        ) from None
    query = pages.Query(kind, field_selector=_outside_system(resource_type), limit=_PAGE, form="objects")
    # All checks hold every object at once, so a very large mesh is cut and reported as cut.
    return await pages.fetch_all(mesh.api, query, pages.MOST_LOOKED_AT)


def _outside_system(resource_type: str) -> str | None:
    if resource_type not in _BUILT_IN:
        return None
    field = "metadata.name" if resource_type == "namespaces" else "metadata.namespace"
    return ",".join(f"{field}!={name}" for name in _SYSTEM)


def identity(found: Object) -> tuple[str, str]:
    """Namespace and name."""
    return found["metadata"].get("namespace", ""), found["metadata"]["name"]


def labels(found: Object) -> Mapping[str, str]:
    return found["metadata"].get("labels") or {}


def spec(found: Object) -> Mapping[str, Any]:
    return found.get("spec") or {}


def selects(selector: Mapping[str, str], marked: Mapping[str, str]) -> bool:
    return all(marked.get(key) == value for key, value in selector.items())
