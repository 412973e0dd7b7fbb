"""Parts of objects that may have any shape: what is looked for is there, or nothing is. Pure."""

from collections.abc import Mapping
from typing import Any

Object = Mapping[str, Any]


def part(node: Any, *fields: str) -> Object:
    """The mapping below these fields; empty where there is none."""
    for field in fields:
        node = node.get(field) if isinstance(node, Mapping) else None
    return node if isinstance(node, Mapping) else {}


def group_of(found: Object) -> str:
    """The API group of an object; empty for the core group, and where none can be told."""
    version = found.get("apiVersion")
    return version.rpartition("/")[0] if isinstance(version, str) else ""


def is_custom(found: Object) -> bool:
    """Whether a kind is not of Kubernetes' own: what its fields do and their defaults are its controller's matter."""
    group = group_of(found)
    return "." in group and not group.endswith(".k8s.io")
