"""Fields of JSON documents, as agents and the API server leave them out when they are empty."""

from collections.abc import Mapping
from typing import Any


def part(content: Mapping[str, Any], *path: str) -> dict[str, Any]:
    """The object at a path in a document; empty where a step to it is absent."""
    # Go leaves empty fields out of its JSON, so every step may be absent.
    node: Any = content
    for name in path:
        node = (node or {}).get(name)
    return dict(node or {})
