"""Arguments that several tools of this server take."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator

from kmcp_istio.pods import WORKLOADS
from kmcp_runtime import check_name

_LABEL_VALUE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_NEXT = re.compile(r"[\s,]+")
_PATH = re.compile(r"[A-Za-z](?:[\w/-]|\\\.|\.(?=[\w\\])|\[-?\d+\])*")
_REFUSED = {
    "profile": "use the argument profile",
    "revision": "use the argument revision",
    "installPackagePath": "it would read files of this server",
}


def check_revision(value: str | None) -> str | None:
    """Refuse what cannot be a revision, which is a label value."""
    # It becomes part of a selector and of a command line, so nothing else may get through.
    if value is not None and not _LABEL_VALUE.fullmatch(value):
        raise ValueError(f"{value!r} is not a valid revision; give a name such as default or 1-31-0")
    return value


def check_waypoint(name: str) -> str:
    # istioctl refuses it too (istioctl/pkg/waypoint): the label value none switches waypoints off.
    if name == "none":
        raise ValueError("'none' is reserved: as a value of istio.io/use-waypoint it means no waypoint")
    return check_name(name)


def each(given: Any) -> Any:
    """A list from a text with spaces or commas between the elements, as older callers send it."""
    return [part for part in _NEXT.split(given.strip()) if part] if isinstance(given, str) else given


def check_pod(value: str) -> str:
    """`name`, `name.namespace`, or `deployment/name` for a pod of that workload."""
    prefix, slash, name = value.rpartition("/")
    if slash and prefix not in ("pod", *WORKLOADS):
        raise ValueError(f"{value!r}: the part before the slash must be pod or one of {', '.join(WORKLOADS)}")
    check_name(name)
    return value


def read_settings(given: Any) -> Any:
    """`path=value` pairs, which older callers send as one text; numbers and booleans become text."""
    if isinstance(given, str):
        pairs = [part.partition("=") for part in each(given)]
        if not all(separator for _, separator, _ in pairs):
            raise ValueError(f"{given!r} is not path=value; give an object of paths and values")
        given = {key: value for key, _, value in pairs}
    if not isinstance(given, dict):
        return given
    return {key: _written(value) for key, value in given.items()}


def _written(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def check_settings(given: dict[str, str] | None) -> dict[str, str] | None:
    for key, value in (given or {}).items():
        # The path stands before the = of a --set flag; a comma or an = in it would make a second setting.
        if not _PATH.fullmatch(key):
            raise ValueError(f"{key!r} is not the path of a setting; give one such as values.pilot.traceSampling")
        if key.partition(".")[0] in _REFUSED:
            raise ValueError(f"{key!r}: {_REFUSED[key.partition('.')[0]]}")
        if not value.isprintable():
            raise ValueError(f"{key}: the value contains a control character")
    return given


Revision = Annotated[str | None, AfterValidator(check_revision), "Istio revision"]
TrafficType = Annotated[Literal["service", "workload", "all", "none"] | None, "Traffic that it handles"]
WaypointName = Annotated[str, AfterValidator(check_waypoint), "Waypoint"]
WaypointNames = Annotated[
    list[Annotated[str, AfterValidator(check_waypoint)]] | None, BeforeValidator(each), "Waypoints"
]
PodName = Annotated[str, AfterValidator(check_pod), "Pod, pod.namespace or deployment/x"]
NodeName = Annotated[str | None, AfterValidator(lambda name: name and check_name(name)), "Node"]
Profile = Annotated[
    Literal[
        "default",
        "ambient",
        "demo",
        "minimal",
        "empty",
        "openshift",
        "openshift-ambient",
        "preview",
        "remote",
        "stable",
    ],
    "Profile",
]
SetValues = Annotated[
    dict[str, str] | None,
    BeforeValidator(read_settings),
    AfterValidator(check_settings),
    "Paths of settings to values",
]
Kinds = Annotated[list[str] | None, BeforeValidator(each), "Only these kinds"]
