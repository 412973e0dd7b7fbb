"""What of a release is not ready yet, and why: the states of its workloads, as the cluster has them."""

import asyncio
from collections.abc import Mapping
from typing import Any

from kmcp_runtime.errors import ToolFailure
from kmcp_runtime.helm import manifests
from kmcp_runtime.helm.manifests import Part
from kmcp_runtime.kube import objects
from kmcp_runtime.kube.cluster import Cluster

_SELECTING = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job")
_KINDS = (*_SELECTING, "Pod", "PersistentVolumeClaim")
_MOST_PODS = 20
_LONGEST = 300
Object = Mapping[str, Any]


async def unready(cluster: Cluster, namespace: str, manifest: str) -> list[str]:
    """One sentence for each workload that is not ready; those that this identity may not read are left out."""
    found = [part for part in manifests.objects(manifest) if part.kind in _KINDS]
    sentences = await asyncio.gather(*(_state(cluster, namespace, part) for part in found))
    return [sentence for sentence in sentences if sentence]


async def _state(cluster: Cluster, namespace: str, part: Part) -> str:
    where = part.namespace or namespace
    try:
        kind = await cluster.discovery.resolve(part.kind)
        live = await objects.read(cluster.api, kind, part.name, where)
        state = _fault(part.kind, live)
        if not state:
            return ""
        cause = await _cause(cluster, part.kind, live, where)
    except ToolFailure as failure:
        return f"{part.kind} {part.name}: does not exist" if failure.code == "not_found" else ""
    return f"{part.kind} {part.name}: {state}{f'; {cause}' if cause else ''}"[:_LONGEST]


def _fault(kind: str, live: Object) -> str:
    """What is missing; empty when it is ready."""
    spec, status = live.get("spec") or {}, live.get("status") or {}
    if kind == "PersistentVolumeClaim":
        return "" if status.get("phase") == "Bound" else f"{status.get('phase', 'Pending')}, not bound"
    if kind == "Pod":
        return "" if _is_ready(status) else f"{status.get('phase', 'Pending')}, not ready"
    if kind == "Job":
        wanted = spec.get("completions") or 1
        done = status.get("succeeded") or 0
        return "" if done >= wanted else f"{done} of {wanted} completions, {status.get('failed') or 0} failed"
    return _replicas(kind, live)


def _replicas(kind: str, live: Object) -> str:
    spec, status = live.get("spec") or {}, live.get("status") or {}
    if kind == "DaemonSet":
        wanted, ready = status.get("desiredNumberScheduled") or 0, status.get("numberReady") or 0
        updated = status.get("updatedNumberScheduled") or 0
    else:
        wanted, ready = spec.get("replicas", 1), status.get("readyReplicas") or 0
        updated = status.get("updatedReplicas", ready) if kind != "ReplicaSet" else ready
    if status.get("observedGeneration", 0) < live["metadata"].get("generation", 0):
        return "its controller has not seen it yet"
    if ready >= wanted and updated >= wanted:
        return ""
    return f"{ready} of {wanted} pods ready" if ready < wanted else f"{updated} of {wanted} pods updated"


def _is_ready(status: Object) -> bool:
    conditions = {condition["type"]: condition["status"] for condition in status.get("conditions") or ()}
    return conditions.get("Ready") == "True" or status.get("phase") == "Succeeded"


async def _cause(cluster: Cluster, kind: str, live: Object, namespace: str) -> str:
    if kind == "Pod":
        return _pod_cause(live)
    labels = ((live.get("spec") or {}).get("selector") or {}).get("matchLabels") if kind in _SELECTING else None
    if not labels:
        return ""
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    pods = await cluster.listed("pods", namespace, selector=selector, limit=_MOST_PODS)
    causes = [f"pod {pod['metadata']['name']}: {cause}" for pod in pods if (cause := _pod_cause(pod))]
    return causes[0] if causes else ""


def _pod_cause(pod: Object) -> str:
    status = pod.get("status") or {}
    for container in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") not in (None, "PodInitializing", "ContainerCreating"):
            return ": ".join(part for part in (waiting["reason"], waiting.get("message")) if part)
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return f"not scheduled: {condition.get('message') or condition.get('reason')}"
    return ""
