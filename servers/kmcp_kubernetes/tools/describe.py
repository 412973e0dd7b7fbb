"""Describing one object: its state, what happened to it, and what belongs to it."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from kmcp_kubernetes.arguments import ResourceName, ResourceType
from kmcp_kubernetes.client import Kube
from kmcp_kubernetes.description import describe
from kmcp_kubernetes.description.facts import Detail, Look
from kmcp_kubernetes.reading import event_scan as happenings
from kmcp_runtime import Effect, OptionalNamespace, Result, Rule, durations, tool
from kmcp_runtime.kube.objects import slim

_EVENTS = 20
_LONGEST_ANNOTATION = 200
_HEARTBEAT = "lastHeartbeatTime"
_CONDITION = ("type", "status", "reason", "message", "lastTransitionTime")


class OwnEvent(BaseModel):
    """An event of the object that is described: which one that is stands above, once."""

    model_config = ConfigDict(from_attributes=True)

    last_seen: str
    type: str
    reason: str
    count: int
    source: str
    message: str


class Description(Result):
    """An object with its surroundings."""

    kind: str
    api_version: str
    name: str
    namespace: str | None = None
    summary: dict[str, Any] = Field(description="Labels, annotations, owner, age")
    conditions: list[dict[str, str]]
    details: dict[str, Any] = Field(description="What matters for this kind")
    events: list[OwnEvent] = Field(description="Newest first")
    related: list[dict[str, Any]]
    truncated: bool = False


@tool(Effect.READ, needs=(Rule("*", ("*",), ("get", "list")),), shows="object")
async def k8s_describe_resource(
    kube: Kube,
    resource_type: ResourceType,
    resource_name: ResourceName,
    namespace: OptionalNamespace = None,
) -> Description:
    """Explain one object: state, conditions, related objects and its events; start here to debug."""
    place = await kube.place(resource_type, namespace)
    found = await kube.read(place, resource_name)
    look = Look(kube, place, found)
    facts, happened = await asyncio.gather(describe(look), _read_events(look))
    return Description(
        kind=place.kind.kind,
        api_version=place.kind.api_version,
        name=resource_name,
        namespace=place.namespace,
        summary=_summary(found),
        conditions=_conditions(found),
        details=facts.details,
        events=[OwnEvent.model_validate(event) for event in happened],
        related=facts.related,
        warnings=look.warnings,
    )


async def _read_events(look: Look) -> list[happenings.Event]:
    # In events about nodes the kubelet puts the name where the uid belongs.
    by_name = look.place.kind.kind == "Node"
    selector = (
        happenings.selector(involvedObject_kind="Node", involvedObject_name=look.name)
        if by_name
        else happenings.selector(involvedObject_uid=look.uid)
    )
    namespace = None if by_name else look.place.namespace
    scan = await look.try_reading(
        "events", happenings.scan_events(look.kube.api, look.kube.discovery, namespace, selector)
    )
    if scan and not scan.complete:
        look.warnings.append(f"only {happenings.MOST_SCANNED:,} events were read; newer ones may be missing")
    return scan.events[:_EVENTS] if scan else []


def _summary(found: Mapping[str, Any]) -> Detail:
    metadata = slim(found)["metadata"]
    owners = [f"{owner['kind']}/{owner['name']}" for owner in metadata.get("ownerReferences") or ()]
    given = {
        "labels": metadata.get("labels"),
        "annotations": {key: _cut(value) for key, value in (metadata.get("annotations") or {}).items()},
        "owner": ", ".join(owners),
        "created": metadata.get("creationTimestamp"),
        "age": _age(metadata),
        "terminating_since": metadata.get("deletionTimestamp"),
        "grace_period_seconds": metadata.get("deletionGracePeriodSeconds"),
        "finalizers": metadata.get("finalizers"),
        "generation": metadata.get("generation"),
        "resource_version": metadata.get("resourceVersion"),
    }
    return {key: value for key, value in given.items() if value}


def _conditions(found: Mapping[str, Any]) -> list[dict[str, str]]:
    status = found.get("status")
    conditions = status.get("conditions") if isinstance(status, dict) else None
    return [
        # The last heartbeat says when the node was last heard of; since when the condition is Unknown says nothing.
        {key: str(each[key]) for key in _CONDITION if each.get(key)}
        | ({_HEARTBEAT: str(each[_HEARTBEAT])} if each.get("status") == "Unknown" and each.get(_HEARTBEAT) else {})
        for each in conditions or ()
        if isinstance(each, dict)
    ]


def _cut(value: str) -> str:
    return value if len(value) <= _LONGEST_ANNOTATION else value[:_LONGEST_ANNOTATION] + "…"


def _age(metadata: Mapping[str, Any]) -> str | None:
    created = metadata.get("creationTimestamp")
    if not created:
        return None
    return durations.age((datetime.now(UTC) - happenings.moment(created)).total_seconds())
