"""JSON-like objects that an answer shows in parts: cut between their leaves, so that no key is lost between two pages.

What belongs here: objects as lists of leaves and back, and the field that holds one. What does not: how many leaves fit
(`bound`), and which path a caller may write (`helm.values`).
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from kmcp_runtime.output.results import Rendered

Path = tuple[str | int, ...]
Leaf = tuple[Path, Any]
_SPECIAL = re.compile(r"[\\.\[\]=,{}\s]")


def leaves(node: Any, path: Path = ()) -> Iterator[Leaf]:
    """Everything that holds nothing else, in its order: texts, numbers, null, and empty objects and lists."""
    if isinstance(node, Mapping) and node:
        for key, value in node.items():
            yield from leaves(value, (*path, key))
    elif isinstance(node, list) and node:
        for index, value in enumerate(node):
            yield from leaves(value, (*path, index))
    else:
        yield path, node


def built(found: Iterable[Leaf]) -> Any:
    """The object of some leaves that follow each other; items of a list that are left out leave no gap."""
    tables = _Table()
    for path, value in found:
        if not path:
            return value
        node = tables
        for step in path[:-1]:
            node = node.setdefault(step, _Table())
        node[path[-1]] = value
    return _plain(tables)


class Tree(Rendered):
    """A field that holds an object: redacted as a whole, then what is below a path and follows the first leaves.

    The objects around a path stay, since their keys say what a value is.
    """

    def __init__(self, content: Mapping[str, Any], path: Sequence[str | int] = (), skipped: int = 0) -> None:
        self.content, self.path, self.skipped = content, tuple(path), skipped

    def render(self, redact: Callable[..., Any]) -> Any:
        return built(self.rest(redact)) if self.content else {}

    def rest(self, redact: Callable[..., Any]) -> list[Leaf]:
        below = (leaf for leaf in leaves(redact(dict(self.content))) if leaf[0][: len(self.path)] == self.path)
        return list(below)[self.skipped :]

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "object", "additionalProperties": True}


class Beginning(Rendered):
    """The path of the first value that a tree shows: the page before it may have ended within an item of a list."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree

    def render(self, redact: Callable[..., Any]) -> str:
        found = self.tree.rest(redact)
        return written(found[0][0]) if found else ""


def written(path: Path) -> str:
    """A path as `--set` takes it: `image.tag`, `servers[0].port`, `a\\.b`."""
    steps = (f"[{step}]" if isinstance(step, int) else "." + _SPECIAL.sub(r"\\\g<0>", step) for step in path)
    return "".join(steps).removeprefix(".")


class _Table(dict[str | int, Any]):
    """An object or a list that is being put together; another mapping is a leaf."""


def _plain(node: Any) -> Any:
    if not isinstance(node, _Table):
        return node
    values = [_plain(value) for value in node.values()]
    # Only a list has numbers for keys: those of JSON objects are texts.
    if node and all(isinstance(key, int) for key in node):
        return values
    return dict(zip(node, values, strict=True))
