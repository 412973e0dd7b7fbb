"""Paths into objects as kubectl's custom columns take them (JSONPath of client-go), with braces or without.

Beyond kubectl, a list on the way is walked through: `spec.containers.image` has the images of all containers.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from kmcp_runtime import bad_argument

_STEP = re.compile(
    r"""\['(?P<quoted>[^']*)'\] | \["(?P<double>[^"]*)"\] | \[(?P<index>-?\d{1,9})\] | (?P<all>\[\*?\]|\.?\*(?=[.\[]|$))
    | \[(?P<first>-?\d{0,9}):(?P<end>-?\d{0,9})\]
    | \[\?\(\s*@(?P<of>(?:\.(?:\\.|[\w/-])+)*)\s*
      (?:(?P<operator>[!=]=)\s*(?:'(?P<text>[^']*)'|"(?P<words>[^"]*)"|(?P<literal>[\w.-]+))\s*)?\)\]
    | (?P<deep>\.\.+)(?=[^.\[\]]) | \.?(?P<name>(?:\\.|[^.\[\]{}\\*])+) | \.+""",
    re.VERBOSE,
)
"""One step: a key, an index, a slice, all items, those that a condition holds for, any depth, or a name with `\\.`."""


class _Every(Enum):
    ITEMS = "*"
    DEPTHS = ".."


@dataclass(frozen=True)
class _Condition:
    """`?(@.type=="Ready")`, `?(@.a!=1)`, or `?(@.a)` for what has the field."""

    of: "Sequence[Step]"
    equal: bool = True
    value: Any = None
    """None: whatever there is."""

    def holds(self, item: Any) -> bool:
        found = value_at(item, self.of)
        if self.value is None:
            return found is not None
        # As in Go, true is not 1.
        return found is not None and ((type(found), found) == (type(self.value), self.value)) is self.equal


Step = str | int | slice | _Every | _Condition


def steps_of(path: str) -> list[Step]:
    """`{.metadata.labels.a\\.b}`, `['a.b']`, `[0]`, `[0:2]`, `[*]`, `.*`, `..name`, `[?(@.type=="Ready")]`."""
    text = path.strip().removeprefix("{").removesuffix("}").strip().removeprefix("$")
    found: list[Step] = []
    position = 0
    while position < len(text):
        step = _STEP.match(text, position)
        if step is None:
            raise _refusal(path)
        position = step.end()
        found += _step(step, path)
    # Each looks through the whole object again.
    if found.count(_Every.DEPTHS) > 1:
        raise _refusal(path)
    return found


def _step(found: re.Match[str], path: str) -> Iterator[Step]:
    if found["index"] is not None:
        yield int(found["index"])
    elif found["name"] is not None:
        yield re.sub(r"\\(.)", r"\1", found["name"])
    elif found["all"] is not None or found["deep"] is not None:
        yield _Every.DEPTHS if found["deep"] else _Every.ITEMS
    elif found["first"] is not None:
        yield slice(*(int(number) if number else None for number in (found["first"], found["end"])))
    elif found["of"] is not None:
        yield _condition(found, path)
    elif found["quoted"] is not None or found["double"] is not None:
        yield (found["quoted"] or found["double"] or "").replace("\\.", ".")


def _condition(found: re.Match[str], path: str) -> _Condition:
    of = steps_of(found["of"])
    if found["operator"] is None:
        return _Condition(of)
    value: Any = found["text"] if found["text"] is not None else found["words"]
    if found["literal"] is not None:
        try:
            value = json.loads(found["literal"])
        except ValueError:
            raise _refusal(path) from None
    return _Condition(of, found["operator"] == "==", value)


def _refusal(path: str) -> Exception:
    return bad_argument(
        f"fields: {path!r} is not a path",
        "write .metadata.name, .spec.containers[0].image, .metadata.labels['a.b'] or "
        '.status.conditions[?(@.type=="Ready")].status',
    )


def value_at(node: Any, steps: Sequence[Step]) -> Any:
    """The value at a path, a list where it leads to several; None when there is none."""
    if not steps:
        return node
    step, rest = steps[0], steps[1:]
    if isinstance(step, int):
        inside = isinstance(node, list) and -len(node) <= step < len(node)
        return value_at(node[step], rest) if inside else None
    if isinstance(step, slice):
        return value_at(node[step], rest) if isinstance(node, list) else None
    if isinstance(step, _Condition):
        return value_at([item for item in _items(node) if step.holds(item)], rest)
    if step is _Every.ITEMS:
        return value_at(_items(node), rest)
    if step is _Every.DEPTHS:
        return _present(value_at(each, rest) for each in _within(node))
    if isinstance(node, list):
        return _present(value_at(item, steps) for item in node)
    return value_at(node.get(step), rest) if isinstance(node, Mapping) else None


def _present(values: Iterator[Any]) -> list[Any]:
    return [value for value in values if value is not None]


def _items(node: Any) -> list[Any]:
    if isinstance(node, Mapping):
        return list(node.values())
    return node if isinstance(node, list) else []


def _within(node: Any) -> Iterator[Any]:
    """Every object in it, from the outside."""
    if isinstance(node, Mapping):
        yield node
    for item in _items(node):
        yield from _within(item)
