"""What of a release is not ready yet, and why: the states of its workloads, as the cluster has them."""

import asyncio
from collections.abc import Mapping
from typing import Any

from kmcp_runtime.errors import ToolFailure
from kmcp_runtime.helm import manifests
from kmcp_runtime.helm.manifests import Part
from kmcp_runtime.kube import objects, workloads
from kmcp_runtime.kube.cluster import Cluster
from kmcp_runtime.kube.selectors import selector_of

# Pods of one template wait for the same reasons.
_MOST_PODS = 20
_LONGEST = 300
Object = Mapping[str, Any]


async def list_unready(cluster: Cluster, namespace: str, manifest: str) -> list[str]:
    """One sentence for each workload that is not ready; those that this identity may not read are left out."""
    found = [part for part in manifests.objects(manifest) if part.kind in workloads.READINESS_KINDS]
    sentences = await asyncio.gather(*(_read_state(cluster, namespace, part) for part in found))
    return [sentence for sentence in sentences if sentence]


async def _read_state(cluster: Cluster, namespace: str, part: Part) -> str:
    where = part.namespace or namespace
    try:
        kind = await cluster.discovery.resolve(part.kind)
        live = await objects.read(cluster.api, kind, part.name, where)
        # The kind of the manifest: an object that was read alone may come without its own.
        state = workloads.unready({**live, "kind": part.kind})
        if not state:
            return ""
        cause = await _read_cause(cluster, part.kind, live, where)
    except ToolFailure as failure:
        return f"{part.kind} {part.name}: does not exist" if failure.code == "not_found" else ""
    return f"{part.kind} {part.name}: {state}{f'; {cause}' if cause else ''}"[:_LONGEST]


async def _read_cause(cluster: Cluster, kind: str, live: Object, namespace: str) -> str:
    """Why the first pod that waits does so; empty when none does."""
    if kind == "Pod":
        return next((str(wait) for wait in workloads.waits_of(live)), "")
    selector = selector_of(live.get("spec") or {}) if kind in workloads.POD_OWNERS else None
    if not selector:
        return ""
    pods = await cluster.sample_objects("pods", namespace, _MOST_PODS, selector=selector)
    return next((f"pod {wait.pod}: {wait}" for wait in workloads.waits(pods)), "")
