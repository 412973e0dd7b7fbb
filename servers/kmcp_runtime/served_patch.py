"""JSON patches as the API server of Kubernetes applies them (evanphx/json-patch), which is less strict than RFC 6902.

An index may count from the end of a list or have a sign and leading zeros; `replace` adds a key that is absent; what is
absent from an object is null to `test` and `copy`. Whoever judges a patch before it is sent has to read it like this.
"""

import re
from collections.abc import Mapping
from typing import Any

from kmcp_runtime.json_patch import apply_operation, join_pointer, read_pointer, split_pointer

_INDEX = re.compile(r"[+-]?[0-9]{1,9}")


def apply_served(document: Any, operation: Mapping[str, Any], where: str) -> Any:
    """The document after one operation whose shape is right; failures call it `where`."""
    kind, path = operation["op"], operation["path"]
    if kind in ("copy", "move"):
        source = as_rfc(document, operation["from"])
        missing = kind == "copy" and _is_absent(document, source)
        value = None if missing else read_pointer(document, source, f"{where}: from")
        # The index of the place counts after the item was taken out.
        left = apply_operation(document, {"op": "remove", "path": source}, where) if kind == "move" else document
        return apply_operation(left, {"op": "add", "path": as_rfc(left, path, inserts=True), "value": value}, where)
    place = as_rfc(document, path, inserts=kind == "add")
    absent = kind in ("replace", "test") and _is_absent(document, place)
    if absent and kind == "test" and operation["value"] is None:
        return document
    done = "add" if absent and kind == "replace" else kind
    return apply_operation(document, {**operation, "op": done, "path": place}, where)


def as_rfc(document: Any, pointer: str, *, inserts: bool = False) -> str:
    """A pointer with each index as RFC 6901 writes it; `inserts`: its last one is a place for a new item."""
    steps = split_pointer(pointer)
    node = document
    for number, step in enumerate(steps):
        if isinstance(node, list) and _INDEX.fullmatch(step):
            index = int(step)
            steps[number] = str(index + (len(node) + (inserts and number == len(steps) - 1) if index < 0 else 0))
        node = _child(node, steps[number])
    return join_pointer(steps)


def _is_absent(document: Any, pointer: str) -> bool:
    """Whether the last key is not in an object that is there."""
    *before, last = split_pointer(pointer) or [""]
    node = document
    for step in before:
        node = _child(node, step)
    return bool(pointer) and isinstance(node, Mapping) and last not in node


def _child(node: Any, step: str) -> Any:
    if isinstance(node, Mapping):
        return node.get(step)
    return node[int(step)] if isinstance(node, list) and step.isdecimal() and int(step) < len(node) else None
