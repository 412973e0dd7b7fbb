"""YAML documents inside a text: read as data, with only the places of hidden values replaced in the text."""

from collections.abc import Callable
from typing import Any

import yaml

MOST_NODES = 20_000
"""More than this is not a configuration that somebody pasted; it is read as text."""


class _Placed(str):
    """A scalar that knows where in the text it stands."""

    start: int
    stop: int
    style: str | None


def hide_in_yaml(text: str, walk: Callable[[Any], Any]) -> str:
    """The text with those scalars replaced that `walk` replaces; as it was when it is not YAML."""
    try:
        # A scalar of a document around this one is a `_Placed`, and the C parser takes no subclass of `str`.
        roots = list(yaml.compose_all(str(text), Loader=yaml.CSafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError):
        return text
    counter = [0]
    edits: list[tuple[int, int, str]] = []
    for root in roots:
        data = _data(root, counter, 0)
        if counter[0] > MOST_NODES or not isinstance(data, dict | list):
            return text
        _compare(data, walk(data), edits)
    for start, stop, mark in sorted(edits, reverse=True):
        text = text[:start] + mark + text[stop:]
    return text


def _data(node: Any, counter: list[int], depth: int) -> Any:
    counter[0] += 1
    if counter[0] > MOST_NODES or depth > 60:
        return None
    if isinstance(node, yaml.MappingNode):
        return {
            _placed(key): _data(value, counter, depth + 1)
            for key, value in node.value
            if isinstance(key, yaml.ScalarNode)
        }
    if isinstance(node, yaml.SequenceNode):
        return [_data(item, counter, depth + 1) for item in node.value]
    return _placed(node) if isinstance(node, yaml.ScalarNode) else None


def _placed(node: yaml.ScalarNode) -> _Placed:
    placed = _Placed(node.value)
    placed.start, placed.stop, placed.style = node.start_mark.index, node.end_mark.index, node.style
    return placed


def _compare(before: Any, after: Any, edits: list[tuple[int, int, str]]) -> None:
    if isinstance(before, _Placed):
        if isinstance(after, str) and str(before) != after:
            mark = after if before.style not in ('"', "'") else before.style + after + before.style
            # A block scalar ends behind its last line break, which stays.
            edits.append((before.start, before.stop, mark + "\n" if before.style in ("|", ">") else mark))
    elif isinstance(before, dict) and isinstance(after, dict):
        # By their order, which stays: a key may be another one now.
        for (key, item), (name, shown) in zip(before.items(), after.items(), strict=True):
            _compare(key, name, edits)
            _compare(item, shown, edits)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for one, other in zip(before, after, strict=True):
            _compare(one, other, edits)
