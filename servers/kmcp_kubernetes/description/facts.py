"""What a description is made of, and how related objects are read: what may not be read becomes a warning."""

import asyncio
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from kmcp_kubernetes.client import Kube, Place
from kmcp_runtime import ToolFailure
from kmcp_runtime.kube import objects
from kmcp_runtime.kube.objects import Object
from kmcp_runtime.kube.workloads import condition
from kmcp_runtime.looks import Looked

Found = TypeVar("Found")
Detail = dict[str, Any]


@dataclass
class Facts:
    """`details` depend on the kind; `related` are other objects, each with its kind and name."""

    details: Detail
    related: list[Detail] = field(default_factory=list)


@dataclass
class Look:
    """One object and the reading of what belongs to it; what cannot be read becomes a warning."""

    kube: Kube
    place: Place
    found: Object
    warnings: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return str(self.found["metadata"]["name"])

    @property
    def uid(self) -> str:
        return str(self.found["metadata"]["uid"])

    @property
    def spec(self) -> Detail:
        return self.found.get("spec") or {}

    @property
    def status(self) -> Detail:
        return self.found.get("status") or {}

    async def list_objects(
        self,
        resource_type: str,
        namespace: str | None,
        *,
        selector: str | None = None,
        field_selector: str | None = None,
    ) -> Looked[Object]:
        try:
            return await self.kube.list_objects(
                resource_type, namespace, selector=selector, field_selector=field_selector
            )
        except ToolFailure as failure:
            # Rights differ by kind: a description with a gap is worth more than none.
            self.warnings.append(f"{resource_type} not read: {failure.message}")
            return Looked(of=resource_type, limits="they could not be read")

    async def state_of(self, resource_type: str, name: str, namespace: str | None = None) -> str | None:
        """None where the object exists, else `missing`, or why that is not known; by default in this one's place."""
        kind = await self.kube.discovery.resolve(resource_type)
        try:
            found = await objects.find(self.kube.api, kind, name, namespace or self.place.namespace)
        except ToolFailure as failure:
            return f"unknown: {failure.message}"
        return None if found else "missing"

    async def try_reading(self, what: str, reading: Coroutine[Any, Any, Found]) -> Found | None:
        try:
            return await reading
        except ToolFailure as failure:
            self.warnings.append(f"{what} not read: {failure.message}")
            return None

    async def list_owned(self, resource_type: str, selector: str | None) -> list[Object]:
        """Objects whose controller this one is."""
        candidates = await self.list_objects(resource_type, self.place.namespace, selector=selector)
        # By owner, not by labels: a selector may also match what another workload owns.
        return [item for item in candidates if self.uid in owners(item)]

    async def list_autoscalers(self) -> list[Detail]:
        """Autoscalers that change this object's replicas."""
        kind = self.place.kind.kind
        # No field selector reaches scaleTargetRef, so every autoscaler of the namespace is read.
        found = await self.list_objects("horizontalpodautoscalers.autoscaling", self.place.namespace)
        targets = [(item, (item.get("spec") or {}).get("scaleTargetRef") or {}) for item in found]
        return [
            {"kind": "HorizontalPodAutoscaler", "name": item["metadata"]["name"], "state": autoscaling(item)}
            for item, target in targets
            if target.get("name") == self.name and target.get("kind") == kind
        ]


def owners(item: Mapping[str, Any]) -> set[str]:
    return {owner["uid"] for owner in item["metadata"].get("ownerReferences") or ()}


def autoscaling(item: Mapping[str, Any]) -> str:
    spec, status = item.get("spec") or {}, item.get("status") or {}
    # The API's default for minReplicas is 1.
    bounds = f"{spec.get('minReplicas', 1)} to {spec.get('maxReplicas')}"
    # Without a metric that is known the controller writes 0, which it does not want.
    active, able = condition(item, "ScalingActive"), condition(item, "AbleToScale")
    wants = status.get("desiredReplicas", 0)
    if active.get("status") != "True" and not wants:
        # Of a target that it cannot scale it reads no metrics at all.
        why = active.get("reason") or (able.get("reason") if able.get("status") == "False" else None)
        wants = f"unknown ({why or 'its metrics have not been read yet'})"
    return f"{bounds} replicas, now {status.get('currentReplicas', 0)}, wants {wants}"


def without_none(detail: Mapping[str, Any]) -> Detail:
    # 0 and False stay: they are facts.
    return {key: value for key, value in detail.items() if value not in (None, {}, [])}


async def gather_details(*readings: Coroutine[Any, Any, list[Detail]]) -> list[Detail]:
    """The related objects of several reads, made at the same time."""
    return [item for items in await asyncio.gather(*readings) for item in items]


def pairs(mapping: Mapping[str, Any] | None) -> str | None:
    """`a=1, b=2`."""
    return ", ".join(f"{key}={value}" for key, value in (mapping or {}).items()) or None


def some(items: Iterable[Detail], most: int = 20) -> list[Detail]:
    """The first of many, and how many more there are."""
    whole = list(items)
    if len(whole) <= most:
        return whole
    return [*whole[:most], {"kind": whole[0].get("kind", ""), "name": f"… and {len(whole) - most} more"}]
