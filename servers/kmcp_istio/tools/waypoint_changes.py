"""Creating, updating and deleting waypoints."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from kmcp_istio.ambient import waypoint_gateways
from kmcp_istio.arguments import Revision, TrafficType, WaypointName, WaypointNames
from kmcp_istio.client import Mesh, Object, Place
from kmcp_runtime import (
    Diff,
    DryRun,
    Effect,
    Namespace,
    Page,
    Result,
    Rule,
    TimeoutSeconds,
    bad_argument,
    conflict,
    live_state,
    tool,
)
from kmcp_runtime.kube import objects
from kmcp_runtime.kube.deletion import delete_as_bound
from kmcp_runtime.kube.failures import BACKEND, StatusFailure

FIELD_MANAGER = "kmcp-istio"
_AMBIENT = "ambient"


class AppliedWaypoint(Result):
    """What happened to the waypoint and to its namespace's label."""

    name: str
    namespace: str
    result: Literal["created", "configured", "unchanged"]
    changed: bool
    programmed: bool
    enrolled: bool = Field(description="Whether the namespace is labelled to use it")
    diff: Diff | None = Field(default=None, description="Unified diff of the Gateway and the namespace's labels")
    timed_out: bool | None = Field(default=None, description="True when it was not programmed in time")
    dry_run: bool | None = Field(default=None, description="True when nothing was changed")


@tool(
    Effect.WRITE,
    worst=Effect.DESTROY,
    needs=(
        Rule(waypoint_gateways.GROUP, ("gateways",), ("get", "list", "create", "patch")),
        Rule("apps", ("deployments",), ("list",)),
        Rule("", ("namespaces",), ("get", "patch")),
    ),
    idempotent=True,
)
async def istio_apply_waypoint(
    mesh: Mesh,
    namespace: Namespace,
    name: WaypointName = "waypoint",
    traffic_type: TrafficType = None,
    revision: Revision = None,
    enroll_namespace: Annotated[bool, "Label the namespace to use it"] = False,
    overwrite: Annotated[bool, "Replace what others have set"] = False,
    wait: Annotated[bool, "Until programmed"] = False,
    timeout_seconds: TimeoutSeconds = 90,
    dry_run: DryRun = False,
) -> AppliedWaypoint:
    """Create or update a namespace's waypoint, and let the namespace use it."""
    place = await waypoint_gateways.resolve_gateways(mesh, namespace)
    home = await mesh.read_kind("namespaces", namespace, None)
    labels = dict(home["metadata"].get("labels") or {})
    if enroll_namespace:
        _check_enrolment(namespace, name, labels, overwrite)
    before = await _read_existing(mesh, place, name)
    wanted = waypoint_gateways.manifest(place.kind.api_version, namespace, name, traffic_type, revision)
    after = await _apply(mesh, place, wanted, overwrite, dry_run)
    labelled = await _enroll(mesh, namespace, name, labels, dry_run) if enroll_namespace else labels
    programmed = waypoint_gateways.is_programmed(after)
    if wait and not dry_run:
        (state,), _ = await waypoint_gateways.wait_until_programmed(mesh, namespace, name, timeout_seconds)
        programmed = state.programmed
    diff = Diff(_written(before, labels), _written(after, labelled))
    return AppliedWaypoint(
        name=name,
        namespace=namespace,
        result=_result(before, diff),
        changed=diff.changed,
        programmed=programmed,
        enrolled=waypoint_gateways.used_by(namespace, labelled) == (namespace, name),
        diff=diff if diff.changed else None,
        timed_out=(wait and not dry_run and not programmed) or None,
        dry_run=dry_run or None,
        warnings=_warnings(namespace, labels),
    )


def _check_enrolment(namespace: str, name: str, labels: Mapping[str, str], overwrite: bool) -> None:
    present, home = labels.get(waypoint_gateways.USE), labels.get(waypoint_gateways.USE_IN)
    if overwrite or (present in (None, name) and home in (None, namespace)):
        return
    where = f" of namespace {home!r}" if home not in (None, namespace) else ""
    raise conflict(
        f"namespace {namespace} already uses waypoint {present or 'of any name'!r}{where}; nothing was changed",
        "overwrite=true replaces it; or omit enroll_namespace",
    )


async def _read_existing(mesh: Mesh, place: Place, name: str) -> Object | None:
    found = await objects.find(mesh.api, place.kind, name, place.namespace)
    if found is not None:
        waypoint_gateways.check_class(found)
    return found


async def _apply(mesh: Mesh, place: Place, wanted: Object, force: bool, dry_run: bool) -> Object:
    try:
        return await objects.patch(
            mesh.api,
            place.kind,
            wanted["metadata"]["name"],
            place.namespace,
            wanted,
            "apply",
            dry_run=dry_run,
            force=force,
            field_manager=FIELD_MANAGER,
        )
    except StatusFailure as failure:
        # Under server-side apply a conflict names the managers that own the fields.
        if failure.http_status != 409:
            raise
        raise conflict(failure.message, "overwrite=true takes over these fields", backend=BACKEND) from None


async def _enroll(mesh: Mesh, namespace: str, name: str, labels: dict[str, str], dry_run: bool) -> dict[str, str]:
    """The namespace's labels, with the one that sends its traffic through the waypoint."""
    if waypoint_gateways.used_by(namespace, labels) == (namespace, name):
        return labels
    kind = await mesh.discovery.resolve("namespaces")
    # The second label would send the traffic to a waypoint of another namespace.
    elsewhere = {waypoint_gateways.USE_IN: None} if waypoint_gateways.USE_IN in labels else {}
    body = {"metadata": {"labels": {waypoint_gateways.USE: name, **elsewhere}}}
    after = await objects.patch(
        mesh.api, kind, namespace, None, body, "merge", dry_run=dry_run, field_manager=FIELD_MANAGER
    )
    return dict(after["metadata"]["labels"])


def _written(gateway: Object | None, labels: Mapping[str, str]) -> Any:
    """What the diff compares: the Gateway without what controllers write, and the namespace's labels."""
    # Controllers write the status at any moment, and the caller has not changed that.
    slim = objects.comparable(gateway) if gateway else {}
    return {**{key: value for key, value in slim.items() if key != "status"}, "namespace labels": dict(labels)}


def _result(before: Object | None, diff: Diff) -> Literal["created", "configured", "unchanged"]:
    if before is None:
        return "created"
    return "configured" if diff.changed else "unchanged"


def _warnings(namespace: str, labels: Mapping[str, str]) -> list[str] | None:
    if labels.get(waypoint_gateways.MODE) == _AMBIENT:
        return None
    return [
        f"namespace {namespace} is not in the ambient mesh (no label {waypoint_gateways.MODE}={_AMBIENT}): "
        "only pods and Services with a label of their own will use the waypoint"
    ]


class Deletion(BaseModel):
    """What happened to one waypoint."""

    name: str
    result: Literal["deleted", "not_found"]


class DeletedWaypoints(Page[Deletion]):
    """What was deleted, and what still refers to it."""

    namespace: str
    changed: bool
    dangling: list[str] = Field(description="Objects that are still labelled to use a deleted waypoint")
    dry_run: bool | None = Field(default=None, description="True when nothing was changed")


@tool(
    Effect.DESTROY,
    needs=(
        Rule(waypoint_gateways.GROUP, ("gateways",), ("list", "delete")),
        *waypoint_gateways.USERS,
    ),
    idempotent=True,
)
async def istio_delete_waypoint(
    mesh: Mesh,
    namespace: Namespace,
    names: WaypointNames = None,
    all: Annotated[bool, "All in the namespace"] = False,
    dry_run: DryRun = False,
) -> DeletedWaypoints:
    """Delete waypoints by name, or all of a namespace; lists what still refers to them."""
    if bool(names) == all:
        raise bad_argument("give either names or all=true", "istio_list_waypoints lists the names")
    place = await waypoint_gateways.resolve_gateways(mesh, namespace)
    present = {each["metadata"]["name"]: each for each in await waypoint_gateways.list_gateways(mesh, place)}
    chosen = names or [name for name, each in present.items() if waypoint_gateways.is_waypoint(each)]
    found = [present[name] for name in dict.fromkeys(chosen) if name in present]
    for each in found:
        waypoint_gateways.check_class(each)
        objects.bind(place.kind, each)
    live_state.bind(f"waypoints of {namespace}", sorted(each["metadata"]["name"] for each in found))
    # Read before deleting: a label that still names a deleted waypoint sends traffic nowhere.
    users = await waypoint_gateways.list_users(mesh) if found else []
    gone = [each["metadata"]["name"] for each in found if await _delete(mesh, place, each, dry_run)]
    dangling = [user.title for user in users if user.waypoint in {(namespace, name) for name in gone}]
    return DeletedWaypoints(
        items=[Deletion(name=name, result="deleted" if name in gone else "not_found") for name in chosen],
        namespace=namespace,
        changed=bool(gone),
        dangling=dangling,
        dry_run=dry_run or None,
        hint=_after_deletion(namespace, chosen, dangling),
    )


async def _delete(mesh: Mesh, place: Place, gateway: Object, dry_run: bool) -> bool:
    """Delete a Gateway; False when it was already gone."""
    name, namespace = gateway["metadata"]["name"], gateway["metadata"]["namespace"]

    async def reread() -> Object:
        return waypoint_gateways.named(await waypoint_gateways.list_gateways(mesh, place), name, namespace)

    try:
        await delete_as_bound(mesh.api, place.kind, gateway, reread, dry_run=dry_run)
    except StatusFailure as failure:
        if failure.http_status == 404:
            return False
        raise
    return True


def _after_deletion(namespace: str, chosen: list[str], dangling: list[str]) -> str | None:
    if not chosen:
        return f"Namespace {namespace} has no waypoint."
    if dangling:
        return (
            f"Objects listed as dangling have no working waypoint any more: remove their label {waypoint_gateways.USE}."
        )
    return None
