"""Measurements of the metrics API, compared with the limits of containers and the capacity of nodes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field

from kmcp_kubernetes.client import Kube
from kmcp_runtime import ToolFailure, unavailable
from kmcp_runtime.kube import pages, pod_resources
from kmcp_runtime.kube.discovery import Kind
from kmcp_runtime.kube.failures import StatusFailure
from kmcp_runtime.kube.quantities import millicores, whole_bytes

# Found by discovery: metrics-server is an aggregated API that a cluster may lack.
METRICS_GROUP = "metrics.k8s.io"
_PAGE = 500
_MEASURES = {"cpu": millicores, "memory": whole_bytes}


class Usage(BaseModel):
    """What a pod or node uses now."""

    name: str
    namespace: str | None = None
    cpu_millicores: int
    memory_bytes: int
    cpu_percent: int | None = None
    memory_percent: int | None = None
    percent_of: str | None = Field(default=None, description="limit, request or allocatable")


async def read_measurements(kube: Kube, resource_type: str, namespace: str | None, selector: str | None) -> list[Usage]:
    """Every measurement, unsorted; `unavailable` without a metrics server."""
    found = next((kind for kind in await kube.discovery.kinds() if _measures(kind, resource_type)), None)
    if found is None:
        raise unavailable(
            "the metrics server is not installed: the cluster has no API group metrics.k8s.io", "install metrics-server"
        )
    query = [("labelSelector", selector)] if selector else []
    try:
        answer = await kube.api.get(found.path(namespace), query)
    except StatusFailure as failure:
        # The selector is the only part of this request that can be malformed.
        if failure.http_status == 400 and selector:
            raise pages.malformed(failure, selector, None) from None
        raise
    return [_usage(item) for item in answer.get("items") or ()]


def _measures(kind: Kind, resource_type: str) -> bool:
    return kind.group == METRICS_GROUP and kind.plural == resource_type


def _usage(item: Mapping[str, Any]) -> Usage:
    parts = (
        [container["usage"] for container in item["containers"]] if "containers" in item else [item.get("usage") or {}]
    )
    return Usage(
        name=item["metadata"]["name"],
        namespace=item["metadata"].get("namespace"),
        cpu_millicores=sum(millicores(part.get("cpu", 0)) for part in parts),
        memory_bytes=sum(whole_bytes(part.get("memory", 0)) for part in parts),
    )


async def add_percentages(
    kube: Kube, resource_type: str, namespace: str | None, selector: str | None, items: Sequence[Usage]
) -> tuple[list[Usage], str | None]:
    """The items with percentages, and a warning when these could not be computed."""
    wanted = {(item.namespace, item.name): item for item in items}
    try:
        for found in await _read_objects(kube, resource_type, namespace, selector) if wanted else ():
            key = (found["metadata"].get("namespace"), found["metadata"]["name"])
            if key in wanted:
                wanted[key] = _with_percentages(wanted[key], found)
    except ToolFailure as failure:
        return list(wanted.values()), f"no percentages: {failure.message}"
    return list(wanted.values()), None


async def _read_objects(kube: Kube, resource_type: str, namespace: str | None, selector: str | None) -> list[Any]:
    """Pods or nodes with what they may use; in a huge cluster the first 5,000."""
    query = pages.Query(await kube.discovery.resolve(resource_type), namespace, selector, None, _PAGE, "objects")
    return await pages.look(kube.api, query)


def _with_percentages(item: Usage, found: Mapping[str, Any]) -> Usage:
    for word, bounds in _bounds(found):
        cpu, memory = bounds.get("cpu"), bounds.get("memory")
        if cpu or memory:
            return item.model_copy(
                update={
                    "cpu_percent": round(100 * item.cpu_millicores / cpu) if cpu else None,
                    "memory_percent": round(100 * item.memory_bytes / memory) if memory else None,
                    "percent_of": word,
                }
            )
    return item


def _bounds(found: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, int | None]]]:
    """Amounts by resource that the usage can be compared with, the strictest first."""
    allocatable = (found.get("status") or {}).get("allocatable")
    # Allocatable, not capacity: the node's system keeps the difference.
    if allocatable:
        yield "allocatable", {name: measure(allocatable.get(name, 0)) for name, measure in _MEASURES.items()}
        return
    # A limit bounds what a container can use, a request only guides the scheduler.
    for word in ("limits", "requests"):
        yield word.removesuffix("s"), {name: _of_all(found, word, name) for name in _MEASURES}


def _of_all(pod: Mapping[str, Any], word: str, name: str) -> int | None:
    """The sum over the containers that run; None when one of them has none, so that there is no bound."""
    found = pod_resources.bound(pod, word, name)
    return None if found is None else _MEASURES[name](found)
