"""Whether a new release may take the objects that are there already, for one that helm cannot rehearse.

Helm rehearses a chart only where the kinds that it needs are installed. As its `existingResourceConflict`: each object
must not exist yet, or say by a label and two annotations that it belongs to this release.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from kmcp_runtime.errors import ToolFailure, conflict
from kmcp_runtime.helm import faults, manifests
from kmcp_runtime.helm.manifests import Part
from kmcp_runtime.kube import objects
from kmcp_runtime.kube.cluster import Cluster

_MANAGED = "app.kubernetes.io/managed-by"
_HELM = "Helm"
_NAME, _NAMESPACE = "meta.helm.sh/release-name", "meta.helm.sh/release-namespace"
_AT_ONCE = 8
_MOST_SHOWN = 5


async def check(cluster: Cluster, namespace: str, name: str, manifest: str) -> None:
    """Refuse a new release with objects of somebody else; `conflict` names them.

    What this identity may not read, and kinds that the cluster does not have yet, are left to helm.
    """
    slots = asyncio.Semaphore(_AT_ONCE)

    async def fault(part: Part) -> str | None:
        async with slots:
            live = await _find(cluster, part, namespace)
        return None if live is None else _fault(part, live, namespace, name)

    found = [each for each in await asyncio.gather(*map(fault, manifests.objects(manifest))) if each]
    if found:
        more = f"; and {len(found) - _MOST_SHOWN} more" if len(found) > _MOST_SHOWN else ""
        raise conflict(
            f"release {name} cannot take over what is there: {'; '.join(found[:_MOST_SHOWN])}{more}",
            faults.OWNERSHIP,
            backend=faults.BACKEND,
        )


async def _find(cluster: Cluster, part: Part, namespace: str) -> Mapping[str, Any] | None:
    try:
        place = await cluster.place_of(part.api_version, part.kind, part.namespace or namespace)
        return await objects.find(cluster.api, place.kind, part.name, place.namespace)
    except ToolFailure as failure:
        if failure.code not in ("not_found", "forbidden"):
            raise
        return None


def _fault(part: Part, live: Mapping[str, Any], namespace: str, name: str) -> str | None:
    metadata = live.get("metadata") or {}
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    owner = (annotations.get(_NAMESPACE), annotations.get(_NAME))
    if labels.get(_MANAGED) == _HELM and owner == (namespace, name):
        return None
    where = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    whose = f"belongs to release {owner[0]}/{owner[1]}" if owner[1] else "belongs to no release"
    return f"{part.kind} {where}{part.name} exists and {whose}"
