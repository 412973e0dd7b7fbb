"""Expressions changed as trees: more matchers, other ranges, groups, an offset."""

from collections.abc import Mapping, Sequence
from typing import Any

from kmcp_prometheus.promql import printing, trees
from kmcp_prometheus.promql.literals import duration
from kmcp_prometheus.promql.parser import parse

Node = dict[str, Any]
_COMPARING = frozenset({"==", "!=", ">", "<", ">=", "<="})
_SELECTORS = frozenset({"vectorSelector", "matrixSelector"})
_WEAKEST = frozenset({"+", "-", *_COMPARING, "and", "or", "unless", "/", "*"})


def narrowed(query: str, matchers: Sequence[Mapping[str, str]]) -> str:
    """The expression with these matchers at each selector, except for labels that it chooses by itself."""
    tree = parse(query)
    for node in trees.walk(tree):
        if node["type"] in _SELECTORS:
            # A value that is asked for is more particular than a pattern of ours.
            asked = {one["name"] for one in matchers if one["type"] == "="}
            node["matchers"] = [one for one in node["matchers"] if one["type"] != "=~" or one["name"] not in asked]
            own = {one["name"] for one in node["matchers"]}
            node["matchers"] += [dict(one) for one in matchers if one["name"] not in own]
    return printing.written(tree)


def over(query: str, window: str) -> str:
    """The expression with this range wherever it has one."""
    tree = parse(query)
    for node in trees.walk(tree):
        if node["type"] == "matrixSelector":
            node["range"] = duration(window)
    return printing.written(tree)


def shifted(query: str, offset: str) -> str:
    """The expression as it was so long ago."""
    tree = parse(query)
    for node in trees.walk(tree):
        if node["type"] in _SELECTORS:
            node["offset"] = duration(offset)
    return printing.written(tree)


def grouped(query: str, op: str, groups: Sequence[str]) -> str:
    """The expression for groups, or for everything together: each operand is put together, and a filter counted."""
    tree = parse(query)
    if is_filter(query):
        return printing.written(_aggregated(tree, "count", groups))
    return printing.written(_grouped(tree, op, groups))


def is_filter(query: str) -> bool:
    tree = parse(query)
    return tree["type"] == "binaryExpr" and tree["op"] in _COMPARING


def is_selector(query: str) -> bool:
    return bool(parse(query)["type"] == "vectorSelector")


def is_aggregated(query: str) -> bool:
    return any(node["type"] == "aggregation" for node in trees.walk(parse(query)))


def operand(query: str) -> str:
    """The expression as it may stand beside an operator."""
    tree = parse(query)
    return f"({query})" if tree["type"] == "binaryExpr" and tree["op"] in _WEAKEST else query


def _grouped(node: Node, op: str, groups: Sequence[str]) -> Node:
    if node["type"] == "aggregation":
        # `le` holds the buckets of a histogram, without which there is no quantile.
        kept = ["le"] if "le" in node["grouping"] else []
        return {**node, "grouping": [*groups, *kept]}
    if node["type"] == "binaryExpr":
        return {**node, "lhs": _grouped(node["lhs"], op, groups), "rhs": _grouped(node["rhs"], op, groups)}
    if node["type"] == "parenExpr":
        return {**node, "expr": _grouped(node["expr"], op, groups)}
    if not any(below["type"] in _SELECTORS for below in trees.walk(node)):
        return node
    if node["type"] == "call" and node["func"]["name"] in ("histogram_quantile", "absent"):
        return {**node, "args": [_grouped(argument, op, groups) for argument in node["args"]]}
    return _aggregated(node, op, groups)


def _aggregated(node: Node, op: str, groups: Sequence[str]) -> Node:
    return {"type": "aggregation", "op": op, "expr": node, "param": None, "grouping": list(groups), "without": False}
