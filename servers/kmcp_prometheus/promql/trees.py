"""What is in an expression: its selectors, functions and ranges, whoever parsed it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kmcp_prometheus.promql.matching import Matcher
from kmcp_prometheus.promql.selectors import NAME

Node = dict[str, Any]
_SELECTORS = ("vectorSelector", "matrixSelector")
_UNIVERSAL = frozenset({".*", ".+", "^.*$", "^.+$", "(.*)", "(.+)"})


@dataclass(frozen=True)
class Selector:
    """Series that an expression reads."""

    metric: str
    """Empty when no single name is given."""
    matchers: tuple[Matcher, ...]
    """Without the one of the name, where there is a single name."""
    range_milliseconds: int | None

    def takes_everything(self) -> bool:
        return not self.metric and all(_is_universal(matcher) for matcher in self.matchers)


def walk(node: Any) -> Iterator[Node]:
    """The node and everything below it."""
    if isinstance(node, dict):
        if "type" in node and isinstance(node["type"], str) and node["type"] not in ("=", "!=", "=~", "!~"):
            yield node
        for child in node.values():
            yield from walk(child)
    elif isinstance(node, list):
        for child in node:
            yield from walk(child)


def selectors(tree: Node) -> list[Selector]:
    """In the order of the expression, each once."""
    return list(dict.fromkeys(_selector(node) for node in walk(tree) if node["type"] in _SELECTORS))


def _selector(node: Node) -> Selector:
    matchers = [_Frozen(matcher) for matcher in node.get("matchers") or ()]
    named = next((matcher for matcher in matchers if matcher["name"] == NAME and matcher["type"] == "="), None)
    metric = str(named["value"]) if named else ""
    kept = tuple(matcher for matcher in matchers if matcher is not named)
    return Selector(metric, kept, node.get("range") if node["type"] == "matrixSelector" else None)


class _Frozen(dict[str, Any]):
    """A matcher that can be compared with others in a set."""

    def __hash__(self) -> int:  # type: ignore[override]  # nothing changes it
        return hash((self["name"], self["type"], self["value"]))


def _is_universal(matcher: Matcher) -> bool:
    if matcher["type"] == "=~":
        return matcher["value"] in _UNIVERSAL
    return matcher["type"] in ("!=", "!~") and matcher["value"] in ("", "^$")
