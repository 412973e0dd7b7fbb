"""Fields of JSON documents, as agents and the API server leave them out when they are empty."""

from collections.abc import Mapping
from typing import Any


def part(content: Mapping[str, Any], *path: str) -> dict[str, Any]:
    """An object inside of an answer, empty where any step to it is absent."""
    node: Any = content
    for name in path:
        node = (node or {}).get(name)
    return dict(node or {})
