"""How many of a custom kind run: the field that its definition names, whatever it is called."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from kmcp_runtime.errors import ToolFailure
from kmcp_runtime.kube.losses import COUNTS, in_words, is_number, pairs
from kmcp_runtime.kube.parts import Object, group_of, is_custom

if TYPE_CHECKING:
    from kmcp_runtime.kube.api import KubeApi

_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_KNOWN = frozenset({"argoproj.io"})
"""Groups whose counts have the names of `COUNTS`: no look at their definitions."""


async def of_change(api: "KubeApi", plural: str, before: Object, after: Object) -> list[str]:
    """In words, which count becomes 0 or goes; of counts with common names `losses` tells."""
    group, version = group_of(before), str(before.get("apiVersion")).rpartition("/")[2]
    if not is_custom(before) or group in _KNOWN or before.get("spec") == after.get("spec"):
        return []
    try:
        definition = await api.read_unjudged(f"{_DEFINITIONS}/{plural}.{group}")
    except ToolFailure as failure:
        # Served by an aggregated API server, or not to be seen.
        return list(_any_number(before, after, failure.message))
    found = []
    for path in _paths(definition, version):
        old, new = _at(before, path), _at(after, path)
        if path[-1] not in COUNTS and _stops(old, new):
            found.append(f"scales {in_words(before)} from {old} to {new or 0} ({'.'.join(path)})")
    return found


def _any_number(before: Object, after: Object, fault: str) -> Iterator[str]:
    for path, new, old in pairs(after.get("spec"), before.get("spec"), ("spec",)):
        if path[-1] not in COUNTS and is_number(old) and _stops(old, new):
            said = f"sets {'.'.join(path)} of {in_words(before)} from {old} to {new or 'nothing'}"
            yield f"{said}; whether that stops it cannot be seen: {fault}"


def _stops(old: Any, new: Any) -> bool:
    if is_number(new):
        return bool(new == 0 and old != 0)
    return bool(is_number(old) and old > 0)


def _paths(definition: Object, version: str) -> Iterator[list[str]]:
    for each in (definition.get("spec") or {}).get("versions") or ():
        scale = (each.get("subresources") or {}).get("scale") or {}
        if each.get("name") == version and scale.get("specReplicasPath"):
            yield str(scale["specReplicasPath"]).removeprefix(".").split(".")


def _at(found: Any, path: list[str]) -> Any:
    for field in path:
        found = found.get(field) if isinstance(found, Mapping) else None
    return found
