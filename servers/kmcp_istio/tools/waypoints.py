"""Listing, drafting and checking waypoints."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

from kmcp_istio.ambient import waypoint_gateways
from kmcp_istio.arguments import Revision, TrafficType, WaypointName
from kmcp_istio.client import Mesh
from kmcp_runtime import (
    AllNamespaces,
    Effect,
    Manifest,
    Namespace,
    OptionalNamespace,
    Page,
    Result,
    Rule,
    TimeoutSeconds,
    tool,
)

_GATEWAYS = Rule(waypoint_gateways.GROUP, ("gateways",), ("list",))


class Waypoint(BaseModel):
    """One waypoint and what uses it."""

    namespace: str
    name: str
    revision: str | None = Field(default=None, description="Absent: the default revision")
    traffic_type: str | None = Field(default=None, description="Absent: istiod's default, service")
    programmed: bool
    enrolled: list[str] = Field(description="Namespaces, Services, ServiceEntries and workloads labelled to use it")


class Waypoints(Page[Waypoint]):
    """Waypoints by namespace and name."""


@tool(Effect.READ, needs=(_GATEWAYS, *waypoint_gateways.USERS))
async def istio_list_waypoints(
    mesh: Mesh, namespace: OptionalNamespace = None, all_namespaces: AllNamespaces = True
) -> Waypoints:
    """List waypoints, whether they are programmed, and what is labelled to use them."""
    place = await waypoint_gateways.resolve_gateways(
        mesh, namespace or (None if all_namespaces else mesh.context.namespace)
    )
    found = [each for each in await waypoint_gateways.list_gateways(mesh, place) if waypoint_gateways.is_waypoint(each)]
    users = await waypoint_gateways.list_users(mesh) if found else []
    return Waypoints(
        items=[_row(each, users) for each in found],
        total=len(found),
        hint=None if found else await _explain_empty(mesh, place.namespace),
    )


def _row(gateway: Any, users: list[waypoint_gateways.User]) -> Waypoint:
    namespace, name = identity = waypoint_gateways.identity(gateway)
    labels = gateway["metadata"].get("labels") or {}
    return Waypoint(
        namespace=namespace,
        name=name,
        revision=labels.get(waypoint_gateways.REVISION),
        traffic_type=labels.get(waypoint_gateways.WAYPOINT_FOR),
        programmed=waypoint_gateways.is_programmed(gateway),
        enrolled=[user.title for user in users if user.waypoint == identity],
    )


async def _explain_empty(mesh: Mesh, namespace: str | None) -> str:
    if namespace and await mesh.namespace_is_missing(namespace):
        raise await mesh.explain_missing_namespace(namespace)
    where = f"Namespace {namespace} has" if namespace else "The cluster has"
    return f"{where} no waypoint; istio_apply_waypoint creates one."


class Draft(Result):
    """A waypoint as it would be applied."""

    yaml: Manifest


@tool(Effect.READ)
async def istio_generate_waypoint(
    namespace: Namespace,
    name: WaypointName = "waypoint",
    traffic_type: TrafficType = None,
    revision: Revision = None,
) -> Draft:
    """Draft a waypoint's manifest to review or keep; istio_apply_waypoint applies it."""
    drafted = waypoint_gateways.manifest(f"{waypoint_gateways.GROUP}/v1", namespace, name, traffic_type, revision)
    return Draft(yaml=Manifest(drafted))


class WaypointStates(Page[waypoint_gateways.State]):
    """The state of a namespace's waypoints."""

    timed_out: bool | None = Field(default=None, description="True when some were not programmed in time")


@tool(
    Effect.READ,
    needs=(_GATEWAYS, Rule("apps", ("deployments",), ("list",))),
    why="istiod is real, and programs the waypoint; no Envoy could be had to run it",
)
async def istio_waypoint_status(
    mesh: Mesh,
    namespace: Namespace,
    name: WaypointName | None = None,
    wait: Annotated[bool, "Until programmed"] = False,
    timeout_seconds: TimeoutSeconds = 90,
) -> WaypointStates:
    """Show whether a namespace's waypoints are accepted and programmed, and if not why."""
    seen, late = await waypoint_gateways.wait_until_programmed(mesh, namespace, name, timeout_seconds if wait else 0)
    return WaypointStates(
        items=seen,
        total=len(seen),
        timed_out=(late and wait) or None,
        hint=None if seen else await _explain_empty(mesh, namespace),
    )
