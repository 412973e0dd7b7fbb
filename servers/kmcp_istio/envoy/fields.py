"""Fields of Envoy's JSON, in either of its two spellings."""

import re
from collections.abc import Mapping
from typing import Any

_UNDERSCORE = re.compile(r"_([a-z0-9])")


def at(node: Any, *path: str) -> Any:
    """The value at a path of field names in the protocol's spelling; None where a step is absent."""
    for name in path:
        if not isinstance(node, Mapping):
            return None
        found = node.get(name)
        # Envoy prints fields as the protocol names them (dynamic_listeners), istiod in camel case.
        node = node.get(_UNDERSCORE.sub(lambda match: match[1].upper(), name)) if found is None else found
    return node


def each(node: Any, *path: str) -> list[Any]:
    """The elements of a repeated field; none where it is absent."""
    found = at(node, *path)
    return found if isinstance(found, list) else []


def text(node: Any, *path: str) -> str:
    found = at(node, *path)
    return "" if found is None else str(found)


def number(node: Any, *path: str) -> int:
    found = at(node, *path)
    # 64-bit numbers are text in the JSON form of protobuf.
    return int(found) if isinstance(found, int | float | str) and str(found).isdigit() else 0


def type_of(node: Any) -> str:
    """The type of a protobuf Any, without the URL before it."""
    return text(node, "@type").rpartition("/")[2]


def address(node: Any) -> str:
    """An address as `ip:port`, `unix://path` or `envoy://listener/endpoint`."""
    socket = at(node, "socket_address")
    if socket is not None:
        host = text(socket, "address")
        port = number(socket, "port_value")
        return f"{host}:{port}" if port else host
    if pipe := text(node, "pipe", "path"):
        return f"unix://{pipe}"
    internal = at(node, "envoy_internal_address")
    if internal is not None:
        return f"envoy://{text(internal, 'server_listener_name')}/{text(internal, 'endpoint_id')}"
    return "unknown"
