"""Waypoints: Gateways of the class `istio-waypoint`, what uses them, and whether they are programmed."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field

from kmcp_istio.client import Mesh, Object, Place
from kmcp_runtime import Rule, ToolFailure, bad_argument, did_you_mean, not_found, unavailable

GROUP = "gateway.networking.k8s.io"
CLASS = "istio-waypoint"
WAYPOINT_FOR = "istio.io/waypoint-for"
REVISION = "istio.io/rev"
USE = "istio.io/use-waypoint"
MODE = "istio.io/dataplane-mode"
USE_IN = "istio.io/use-waypoint-namespace"
_ENTRIES = "networking.istio.io"
USERS = (
    Rule("", ("namespaces", "services", "pods"), ("list",)),
    Rule(_ENTRIES, ("serviceentries", "workloadentries"), ("list",)),
)
"""What can be labelled to use a waypoint."""
_USER_KINDS = {
    "namespaces": "namespace",
    "services": "service",
    "pods": "pod",
    f"serviceentries.{_ENTRIES}": "serviceentry",
    f"workloadentries.{_ENTRIES}": "workloadentry",
}
_GATEWAY_NAME = f"{GROUP}/gateway-name"
_INSTALL = "install the standard CRDs of the Kubernetes Gateway API (standard-install.yaml of a release) first"
_PAUSE_SECONDS = 1.0


class State(BaseModel):
    """Whether one waypoint is accepted and programmed."""

    namespace: str
    name: str
    programmed: bool
    accepted: bool
    reason: str | None = None
    message: str | None = None
    addresses: list[str] = []
    deployment_ready: bool | None = Field(default=None, description="Absent when it has no Deployment yet")
    attached_routes: int = 0


@dataclass(frozen=True)
class User:
    """An object that is labelled to use a waypoint."""

    title: str
    """`namespace/shop`, `service/shop/reviews`, `pod/shop/web-1`."""
    waypoint: tuple[str, str]
    """Namespace and name."""


def manifest(
    api_version: str, namespace: str, name: str, traffic_type: str | None, revision: str | None
) -> dict[str, Any]:
    """A waypoint as a Gateway; without a traffic type it has no label for it, and istiod's default applies."""
    labels = {WAYPOINT_FOR: traffic_type, REVISION: revision}
    given = {key: value for key, value in labels.items() if value}
    return {
        "apiVersion": api_version,
        "kind": "Gateway",
        "metadata": {"name": name, "namespace": namespace, **({"labels": given} if given else {})},
        "spec": {
            "gatewayClassName": CLASS,
            # The one listener that istiod accepts for this class: HBONE on its well-known port.
            "listeners": [{"name": "mesh", "port": 15008, "protocol": "HBONE"}],
        },
    }


async def resolve_gateways(mesh: Mesh, namespace: str | None) -> Place:
    """The place of Gateways; `unavailable` where the Gateway API is not installed."""
    try:
        return await mesh.place(f"gateways.{GROUP}", namespace, all_namespaces=True)
    except ToolFailure as failure:
        if failure.code != "not_found":
            raise
        raise unavailable("the Gateway API is not installed: the cluster has no kind Gateway", _INSTALL) from None


async def list_gateways(mesh: Mesh, place: Place) -> list[Object]:
    """Every Gateway of a place, of any class, by namespace and name."""
    # Whole objects: the class is in the spec, which no selector can filter.
    found: list[Object] = (await mesh.api.get(place.kind.path(place.namespace)))["items"]
    return sorted(found, key=lambda gateway: (gateway["metadata"]["namespace"], gateway["metadata"]["name"]))


def is_waypoint(gateway: Object) -> bool:
    return bool(gateway["spec"].get("gatewayClassName") == CLASS)


def check_class(gateway: Object) -> None:
    if not is_waypoint(gateway):
        name, found = gateway["metadata"]["name"], gateway["spec"].get("gatewayClassName")
        raise bad_argument(
            f"Gateway {name} is not a waypoint: its class is {found}, not {CLASS}",
            "choose another name; istio_list_waypoints shows the waypoints",
        )


def named(found: Sequence[Object], name: str, namespace: str) -> Object:
    """The waypoint of this name; `not_found` names similar ones."""
    by_name = {gateway["metadata"]["name"]: gateway for gateway in found}
    if name in by_name:
        check_class(by_name[name])
        return by_name[name]
    near = did_you_mean(name, [each for each, gateway in by_name.items() if is_waypoint(gateway)])
    raise not_found(
        f"namespace {namespace} has no waypoint {name!r}", near or "istio_list_waypoints lists the waypoints"
    )


async def list_users(mesh: Mesh) -> list[User]:
    """What is labelled to use a waypoint: namespaces, Services, ServiceEntries, pods and WorkloadEntries."""
    found = await asyncio.gather(*(_list_labelled(mesh, kind) for kind in _USER_KINDS))
    return [
        _user(kind, each["metadata"]) for kind, items in zip(_USER_KINDS.values(), found, strict=True) for each in items
    ]


async def _list_labelled(mesh: Mesh, resource_type: str) -> list[Object]:
    try:
        return await mesh.list_labelled(resource_type, None, USE)
    except ToolFailure as failure:
        # A cluster with the Gateway API alone has no entries.
        if failure.code != "not_found":
            raise
        return []


def _user(kind: str, metadata: Mapping[str, Any]) -> User:
    name = metadata["name"]
    # A namespace is its own home.
    home = metadata.get("namespace") or name
    title = f"{kind}/{name}" if kind == "namespace" else f"{kind}/{home}/{name}"
    return User(title, used_by(home, metadata["labels"]) or (home, ""))


def used_by(home: str, labels: Mapping[str, str]) -> tuple[str, str] | None:
    """Namespace and name of the waypoint that labels name; one of another namespace is named by two labels."""
    name = labels.get(USE)
    return (labels.get(USE_IN) or home, name) if name else None


def identity(gateway: Object) -> tuple[str, str]:
    return gateway["metadata"]["namespace"], gateway["metadata"]["name"]


def is_programmed(gateway: Object) -> bool:
    return bool(_condition(gateway, "Programmed").get("status") == "True")


async def read_states(mesh: Mesh, namespace: str, name: str | None) -> list[State]:
    """The states of a namespace's waypoints, or of the one with this name."""
    found = await list_gateways(mesh, await resolve_gateways(mesh, namespace))
    wanted = [named(found, name, namespace)] if name else [each for each in found if is_waypoint(each)]
    deployments = await mesh.list_objects("deployments.apps", namespace, selector=_GATEWAY_NAME) if wanted else []
    return [_state(each, deployments) for each in wanted]


def _state(gateway: Object, deployments: Iterable[Object]) -> State:
    namespace, name = identity(gateway)
    programmed, accepted = _condition(gateway, "Programmed"), _condition(gateway, "Accepted")
    # A Gateway that is not accepted is never programmed, and only the first condition says why.
    deciding = accepted if accepted.get("status") == "False" or not programmed else programmed
    status = gateway.get("status") or {}
    own = [each for each in deployments if each["metadata"]["labels"].get(_GATEWAY_NAME) == name]
    return State(
        namespace=namespace,
        name=name,
        programmed=is_programmed(gateway),
        accepted=accepted.get("status") == "True",
        reason=deciding.get("reason"),
        message=deciding.get("message"),
        addresses=[str(each.get("value")) for each in status.get("addresses") or ()],
        deployment_ready=all(_is_ready(each) for each in own) if own else None,
        attached_routes=sum(each.get("attachedRoutes") or 0 for each in status.get("listeners") or ()),
    )


def _condition(gateway: Object, name: str) -> Mapping[str, Any]:
    conditions: list[Mapping[str, Any]] = (gateway.get("status") or {}).get("conditions") or []
    return next((each for each in conditions if each.get("type") == name), {})


def _is_ready(deployment: Object) -> bool:
    wanted = (deployment.get("spec") or {}).get("replicas", 1)
    return bool(((deployment.get("status") or {}).get("readyReplicas") or 0) >= wanted)


async def wait_until_programmed(
    mesh: Mesh, namespace: str, name: str | None, seconds: float
) -> tuple[list[State], bool]:
    """Read the states until all are programmed, for `seconds` at most; True when some were not at the end."""
    deadline = time.monotonic() + seconds
    while True:
        seen = await read_states(mesh, namespace, name)
        late = [each for each in seen if not each.programmed]
        if not late or time.monotonic() >= deadline:
            return seen, bool(late)
        reasons = ", ".join(f"{each.name}: {each.reason or 'no condition yet'}" for each in late)
        await mesh.call.progress(len(seen) - len(late), len(seen), f"waiting for {reasons}")
        await asyncio.sleep(_PAUSE_SECONDS)
