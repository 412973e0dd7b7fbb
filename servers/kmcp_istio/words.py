"""Words of arguments that several tools of this server take."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator

from kmcp_istio.pods import WORKLOADS
from kmcp_runtime.arguments import Word, check_name

_LABEL_VALUE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_NEXT = re.compile(r"[\s,]+")


def check_revision(value: str | None) -> str | None:
    """A revision is the value of a label, and part of a selector."""
    if value is not None and not _LABEL_VALUE.fullmatch(value):
        raise ValueError(f"{value!r} is no revision: a name such as default or 1-31-0")
    return value


def check_waypoint(name: str) -> str:
    if name == "none":
        raise ValueError("'none' is reserved: as a value of istio.io/use-waypoint it means no waypoint")
    return check_name(name)


def each(given: Any) -> Any:
    """One text as a list: older callers send the elements separated by spaces or commas."""
    return [part for part in _NEXT.split(given.strip()) if part] if isinstance(given, str) else given


def check_pod(value: str) -> str:
    """`name`, `name.namespace`, or a workload whose pod is meant."""
    prefix, slash, name = value.rpartition("/")
    if slash and prefix not in ("pod", *WORKLOADS):
        raise ValueError(f"{value!r}: before the slash stands pod, {', '.join(WORKLOADS)}")
    check_name(name)
    return value


Revision = Annotated[str | None, AfterValidator(check_revision), Word("Istio revision")]
TrafficType = Annotated[Literal["service", "workload", "all", "none"] | None, Word("What goes through it")]
WaypointName = Annotated[str, AfterValidator(check_waypoint), Word("Waypoint")]
WaypointNames = Annotated[
    list[Annotated[str, AfterValidator(check_waypoint)]] | None, BeforeValidator(each), Word("Waypoints")
]
PodName = Annotated[str, AfterValidator(check_pod), Word("Pod, pod.namespace or deployment/x")]
NodeName = Annotated[str | None, AfterValidator(lambda name: name and check_name(name)), Word("Node")]
