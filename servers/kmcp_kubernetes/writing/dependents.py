"""What is deleted with an object: the objects it owns, counted by kind, or the contents of a namespace or a CRD."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from kmcp_kubernetes.client import Kube, Place
from kmcp_runtime import ToolFailure
from kmcp_runtime.kube import pages
from kmcp_runtime.kube.discovery import Kind

# What objects of the built-in controllers own, directly or through others.
_OWNED: Mapping[str, tuple[str, ...]] = {
    "deployments.apps": ("replicasets.apps", "pods"),
    "replicasets.apps": ("pods",),
    "replicationcontrollers": ("pods",),
    "statefulsets.apps": ("controllerrevisions.apps", "pods"),
    "daemonsets.apps": ("controllerrevisions.apps", "pods"),
    "cronjobs.batch": ("jobs.batch", "pods"),
    "jobs.batch": ("pods",),
    "services": ("endpointslices.discovery.k8s.io",),
}
_COMMONLY_OWNED = (
    "deployments.apps",
    "statefulsets.apps",
    "daemonsets.apps",
    "replicasets.apps",
    "controllerrevisions.apps",
    "jobs.batch",
    "cronjobs.batch",
    "pods",
    "services",
    "configmaps",
    "secrets",
    "persistentvolumeclaims",
)
# Nothing is owned by these, so no list is read to find that out.
_CHILDLESS = frozenset(
    {"pods", "configmaps", "secrets", "serviceaccounts", "events", "endpointslices.discovery.k8s.io"}
)
# They come and go by themselves: an approval would fail because the plan is never the same twice.
_FLEETING = frozenset({"events", "events.events.k8s.io", "leases.coordination.k8s.io"})
_PAGE = 500


async def count_dependents(kube: Kube, place: Place, found: Mapping[str, Any], warnings: list[str]) -> dict[str, int]:
    """How many objects of each kind would be deleted with this one; what cannot be read becomes a warning."""
    if place.kind.full_name == "namespaces":
        return await _count_contents(kube, found["metadata"]["name"], warnings)
    if place.kind.full_name == "customresourcedefinitions.apiextensions.k8s.io":
        return await _count_instances(kube, found, warnings)
    kinds = await find_candidates(kube, place.kind)
    scope = place.namespace if place.kind.namespaced else None
    lists = await asyncio.gather(*(_list_all(kube, kind, scope, warnings) for kind in kinds))
    return _owned_by(
        found["metadata"]["uid"],
        [(kind.plural, item) for kind, items in zip(kinds, lists, strict=True) for item in items],
    )


async def find_candidates(kube: Kube, owner: Kind) -> list[Kind]:
    """The kinds of which an object of this kind may own some, directly or through others."""
    if owner.full_name in _CHILDLESS:
        return []
    if owner.built_in and owner.full_name not in _OWNED:
        return []
    known = _preferred(await kube.discovery.kinds())
    names = _OWNED.get(owner.full_name, _COMMONLY_OWNED)
    return [kind for kind in known if kind.full_name in names or (not owner.built_in and kind.group == owner.group)]


async def _count_contents(kube: Kube, namespace: str, warnings: list[str]) -> dict[str, int]:
    kinds = [
        kind for kind in _preferred(await kube.discovery.kinds()) if kind.namespaced and kind.full_name not in _FLEETING
    ]
    counts = await asyncio.gather(*(_count(kube, kind, namespace, warnings) for kind in kinds))
    return {kind.plural: count for kind, count in zip(kinds, counts, strict=True) if count}


async def list_contents(kube: Kube, namespace: str, warnings: list[str]) -> list[tuple[Kind, list[Mapping[str, Any]]]]:
    """The objects of a namespace by kind, their metadata alone; how far the look went becomes a warning."""
    kinds = [
        kind for kind in _preferred(await kube.discovery.kinds()) if kind.namespaced and kind.full_name not in _FLEETING
    ]
    lists = await asyncio.gather(*(_list_all(kube, kind, namespace, warnings) for kind in kinds))
    return list(zip(kinds, lists, strict=True))


async def _count_instances(kube: Kube, definition: Mapping[str, Any], warnings: list[str]) -> dict[str, int]:
    name = definition["metadata"]["name"]
    kind = next((kind for kind in await kube.discovery.kinds() if kind.full_name == name), None)
    count = await _count(kube, kind, None, warnings) if kind else 0
    return {definition["spec"]["names"]["plural"]: count} if count else {}


async def _count(kube: Kube, kind: Kind, namespace: str | None, warnings: list[str]) -> int:
    # One item is enough: without selectors the API server says how many remain (remainingItemCount).
    query = pages.Query(kind, namespace, limit=1, form="names")
    try:
        page = await pages.fetch(kube.api, query, None, {})
    except ToolFailure as failure:
        warnings.append(f"{kind.full_name} not counted: {failure.message}")
        return 0
    return page.total or 0


async def _list_all(kube: Kube, kind: Kind, namespace: str | None, warnings: list[str]) -> list[Mapping[str, Any]]:
    query = pages.Query(kind, namespace, limit=_PAGE, form="names")
    try:
        items = await pages.fetch_all(kube.api, query, pages.MOST_LOOKED_AT)
    except ToolFailure as failure:
        warnings.append(f"{kind.full_name} not counted: {failure.message}")
        return []
    if not items.complete:
        warnings.append(f"{items.limits}: dependents may be missing")
    return items


def _preferred(kinds: Iterable[Kind]) -> list[Kind]:
    """Each listable kind once."""
    by_name: dict[str, Kind] = {}
    for kind in kinds:
        if "list" in kind.verbs:
            by_name.setdefault(kind.full_name, kind)
    return [by_name[name] for name in sorted(by_name)]


def _owned_by(uid: str, candidates: list[tuple[str, Mapping[str, Any]]]) -> dict[str, int]:
    """Counts by plural of all that descends from an object."""
    children: dict[str, list[tuple[str, str]]] = {}
    for plural, item in candidates:
        for owner in item["metadata"].get("ownerReferences") or ():
            children.setdefault(owner["uid"], []).append((plural, item["metadata"]["uid"]))
    counts: Counter[str] = Counter()
    seen = {uid}
    waiting = [uid]
    while waiting:
        for plural, child in children.get(waiting.pop(), ()):
            if child not in seen:
                seen.add(child)
                waiting.append(child)
                counts[plural] += 1
    return dict(sorted(counts.items()))
