"""What is in an expression: its selectors, functions and ranges, whoever parsed it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kmcp_prometheus.promql.functions import EXPERIMENTAL
from kmcp_prometheus.promql.matching import Matcher
from kmcp_prometheus.promql.selectors import NAME

Node = dict[str, Any]
_SELECTORS = ("vectorSelector", "matrixSelector")
_PARTS = ("param", "expr", "lhs", "rhs", "args")
"""Where a node holds others, in the order of the text."""
_CALCULATED = ("rangeExpr", "stepExpr", "offsetExpr")
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


def walk(tree: Node) -> Iterator[Node]:
    """The node and everything below it, in the order of the text; durations and matchers are not among them."""
    # A stack of its own: long chains of operators are deeper than Python's.
    waiting: list[Any] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting += [node[key] for key in reversed(_PARTS) if node.get(key) is not None]
        elif isinstance(node, list):
            waiting += reversed(node)


def depth(tree: Node) -> int:
    """How many levels of nodes there are."""
    deepest, waiting = 0, [(tree, 1)]
    while waiting:
        node, level = waiting.pop()
        deepest = max(deepest, level)
        parts = [part for key in _PARTS for part in _listed(node.get(key))]
        waiting += [(part, level + 1) for part in parts]
    return deepest


def features(tree: Node) -> list[str]:
    """The feature flags of Prometheus without which it refuses an expression."""
    nodes = list(walk(tree))
    used = {
        "promql-experimental-functions": any(_name(node) in EXPERIMENTAL for node in nodes),
        "promql-duration-expr": any(node.get(key) for node in nodes for key in _CALCULATED),
        "promql-extended-range-selectors": any(node.get("anchored") or node.get("smoothed") for node in nodes),
        "promql-binop-fill-modifiers": any(_is_filled(node) for node in nodes),
    }
    return [flag for flag, is_used in used.items() if is_used]


def _listed(found: Any) -> list[Node]:
    return found if isinstance(found, list) else [] if found is None else [found]


def _name(node: Node) -> str:
    return str(node["func"]["name"] if node["type"] == "call" else node.get("op", ""))


def _is_filled(node: Node) -> bool:
    values = (node.get("matching") or {}).get("fillValues") or {}
    return any(value is not None for value in values.values())


def selectors(tree: Node) -> list[Selector]:
    """In the order of the expression, each once."""
    return list(dict.fromkeys(_selector(node) for node in walk(tree) if node["type"] in _SELECTORS))


def _selector(node: Node) -> Selector:
    matchers = [_Frozen(matcher) for matcher in node.get("matchers") or ()]
    named = next((matcher for matcher in matchers if matcher["name"] == NAME and matcher["type"] == "="), None)
    metric = str(named["value"]) if named else ""
    kept = tuple(matcher for matcher in matchers if matcher is not named)
    return Selector(metric, kept, node.get("range") if node["type"] == "matrixSelector" else None)


# Matchers stay dictionaries, the form in which the backend sends them.
class _Frozen(dict[str, Any]):
    """A matcher that can be compared with others in a set."""

    def __hash__(self) -> int:  # type: ignore[override]  # nothing changes it
        return hash((self["name"], self["type"], self["value"]))


def _is_universal(matcher: Matcher) -> bool:
    # Spellings of "anything", not a proof: the aim is to stop the expensive queries that people do type.
    if matcher["type"] == "=~":
        return matcher["value"] in _UNIVERSAL
    return matcher["type"] in ("!=", "!~") and matcher["value"] in ("", "^$")
