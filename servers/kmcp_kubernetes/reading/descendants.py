"""An object and what descends from it by owner references, each with its health."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, Field

from kmcp_kubernetes.client import Kube, Place
from kmcp_kubernetes.writing.dependents import find_candidates
from kmcp_runtime import ToolFailure
from kmcp_runtime.kube import workloads
from kmcp_runtime.kube.selectors import selector_of

Object = Mapping[str, Any]
Health = Literal["healthy", "progressing", "degraded", "suspended"]
_OF_NAMESPACES = (
    "deployments.apps",
    "statefulsets.apps",
    "daemonsets.apps",
    "replicasets.apps",
    "jobs.batch",
    "cronjobs.batch",
    "pods",
    "services",
    "persistentvolumeclaims",
)
"""What a namespace is shown to hold: what runs, how it is reached, and where it stores."""
_SELECTED = frozenset({"deployments.apps", "replicasets.apps", "statefulsets.apps", "daemonsets.apps"})
"""Whatever descends from these has the labels of their selectors: a controller makes or adopts nothing else."""
_CONDITIONS = ("Ready", "Available", "Established", "Programmed", "Healthy")


class Node(BaseModel):
    """An object of the tree; its owner is the nearest one before it with a lesser level."""

    level: int = Field(description="0 for the root")
    kind: str
    name: str
    health: Health | None = Field(default=None, description="Absent where a kind has none that is known")
    reason: str | None = None


async def read_tree(kube: Kube, place: Place, root: Object, warnings: list[str]) -> list[Node]:
    """The tree, parents first, siblings by kind and name; a kind that cannot be listed becomes a warning."""
    of_namespace = place.kind.full_name == "namespaces"
    names = _OF_NAMESPACES if of_namespace else [kind.full_name for kind in await find_candidates(kube, place.kind)]
    scope = str(root["metadata"]["name"]) if of_namespace else place.namespace
    selector = selector_of(root.get("spec") or {}) if place.kind.full_name in _SELECTED else None
    lists = await asyncio.gather(*(_list(kube, name, scope, selector, warnings) for name in names))
    objects = [each for found in lists for each in found]
    known = {str(each["metadata"]["uid"]) for each in objects}
    children: dict[str, list[Object]] = defaultdict(list)
    own = str(root["metadata"]["uid"])
    for each in objects:
        owners = [str(owner.get("uid")) for owner in each["metadata"].get("ownerReferences") or ()]
        # Of a namespace the tops are its children: what nothing that is shown owns.
        for owner in [own] if of_namespace and not known & set(owners) else owners:
            children[owner].append(each)
    return list(_walk({**root, "kind": place.kind.kind}, children))


def health_of(found: Object) -> tuple[Health | None, str | None]:
    """How an object is, and why where it is not well; `kind` is in it."""
    kind, spec = str(found.get("kind")), found.get("spec") or {}
    if found["metadata"].get("deletionTimestamp"):
        return "progressing", "is being deleted"
    if kind in ("Job", "CronJob") and spec.get("suspend"):
        return "suspended", None
    if kind == "Pod":
        return _pod_health(found)
    if kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"):
        return _workload_health(found)
    if kind == "Job" and (failed := workloads.condition(found, "Failed")).get("status") == "True":
        return "degraded", str(failed.get("message") or failed.get("reason") or "") or None
    if kind in workloads.READINESS_KINDS:
        lacking = workloads.unready(found)
        return ("progressing", lacking) if lacking else ("healthy", None)
    return _by_condition(found)


def _workload_health(found: Object) -> tuple[Health, str | None]:
    seen = workloads.progress(found)
    if seen.done:
        return "healthy", "scaled to 0" if not seen.counts.desired else None
    if seen.stuck_reason == "paused":
        return "suspended", seen.message
    return ("degraded", seen.stuck_reason) if seen.stuck_reason else ("progressing", seen.message)


def _pod_health(found: Object) -> tuple[Health, str | None]:
    waits = list(workloads.waits_of(found))
    phase = str((found.get("status") or {}).get("phase") or "Pending")
    if phase != "Succeeded" and waits:
        return "degraded", waits[0].summary
    if phase == "Failed":
        return "degraded", str((found.get("status") or {}).get("reason") or phase)
    lacking = workloads.unready(found)
    return ("progressing", lacking) if lacking else ("healthy", None)


def _by_condition(found: Object) -> tuple[Health | None, str | None]:
    """Of kinds that are not built in: the conditions that such kinds usually report."""
    seen = [
        each for name in _CONDITIONS if (each := workloads.condition(found, name)).get("status") in ("True", "False")
    ]
    bad = next((each for each in seen if each["status"] == "False"), None)
    if bad:
        return "degraded", str(bad.get("message") or bad.get("reason") or f"{bad['type']} is False")
    return ("healthy", None) if seen else (None, None)


async def _list(
    kube: Kube, name: str, scope: str | None, selector: str | None, warnings: list[str]
) -> Sequence[Object]:
    try:
        kind = await kube.discovery.resolve(name)
        found = await kube.list_objects(
            name, scope if kind.namespaced else None, selector=selector if kind.built_in else None
        )
    except ToolFailure as failure:
        warnings.append(f"{name} not listed: {failure.message}")
        return ()
    # Objects of a list do not say of which kind they are.
    return [{**each, "kind": kind.kind} for each in found]


def _walk(root: Object, children: Mapping[str, Sequence[Object]]) -> Iterator[Node]:
    seen: set[str] = set()
    waiting = [(0, root)]
    while waiting:
        level, found = waiting.pop()
        uid = str(found["metadata"]["uid"])
        if uid in seen:  # it has two owners, or owns itself by a circle
            continue
        seen.add(uid)
        health, reason = health_of(found)
        yield Node(level=level, kind=found["kind"], name=found["metadata"]["name"], health=health, reason=reason)
        below = sorted(children.get(uid, ()), key=lambda each: (each["kind"], each["metadata"]["name"]), reverse=True)
        waiting += [(level + 1, each) for each in below]
