"""Expressions written out, as Prometheus' `/format_query` writes short ones."""

import re
from collections.abc import Mapping
from typing import Any

from kmcp_prometheus.promql import literals
from kmcp_prometheus.promql.literals import quoted, written_duration
from kmcp_prometheus.promql.selectors import NAME

Node = dict[str, Any]
_PLAIN_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_GROUPS = {"many-to-one": "group_left", "one-to-many": "group_right"}


def written(node: Node) -> str:
    """The expression on one line."""
    return _WRITERS[node["type"]](node)


def selector(metric: str, matchers: list[dict[str, Any]]) -> str:
    """A selector of a metric, which may have any name, or of none."""
    # Sorted as /format_query does, so that equal expressions look equal.
    shown = sorted(map(matcher, matchers))
    if metric and not re.fullmatch(r"[a-zA-Z_:][a-zA-Z0-9_:]*", metric):
        metric, shown = "", [quoted(metric), *shown]
    return metric + (f"{{{','.join(shown)}}}" if shown or not metric else "")


def labels(names: list[str]) -> str:
    return ", ".join(name if _PLAIN_LABEL.fullmatch(name) else quoted(name) for name in names)


def matcher(one: Mapping[str, Any]) -> str:
    return f"{labels([one['name']])}{one['type']}{quoted(one['value'])}"


def length(node: Node, what: str) -> str:
    """The `range`, `step` or `offset` of a node, calculated or not; empty when it has none."""
    expression = node.get(f"{what}Expr")
    if expression:
        return duration(expression)
    return written_duration(node[what]) if node.get(what) else ""


def duration(node: Node) -> str:
    """A duration expression: `2m + 2m`, `max_of(step(), 5s)`."""
    if node["type"] == "numberLiteral":
        value = float(node["val"])
        return written_duration(literals.milliseconds(value)) if node.get("duration") else str(node["val"])
    op, left, right = node["op"], node["lhs"], node["rhs"]
    if op in ("step", "range"):
        text = f"{op}()"
    elif op in ("max_of", "min_of"):
        text = f"{op}({duration(left)}, {duration(right)})"
    elif left is None:
        text = f"{'' if op == '+' else op}{duration(right)}"
    else:
        text = f"{duration(left)} {op} {duration(right)}"
    return f"({text})" if node.get("wrapped") else text


def _selected(node: Node) -> str:
    own = (one for one in node["matchers"] if (one["name"], one["type"], one["value"]) != (NAME, "=", node["name"]))
    extended = next((f" {word}" for word in ("anchored", "smoothed") if node.get(word)), "")
    text = selector(node["name"], list(own))
    if node["type"] == "matrixSelector":  # The two kinds of selectors differ in the order of their modifiers.
        return f"{text}[{length(node, 'range')}]{extended}{_at(node)}{_offset(node)}"
    return text + _at(node) + extended + _offset(node)


def _at(node: Node) -> str:
    if node.get("timestamp") is not None:
        return f" @ {node['timestamp'] / 1000:.3f}"
    return f" @ {node['startOrEnd']}()" if node.get("startOrEnd") else ""


def _offset(node: Node) -> str:
    text = length(node, "offset")
    return f" offset {text}" if text else ""


def _subquery(node: Node) -> str:
    return f"{written(node['expr'])}[{length(node, 'range')}:{length(node, 'step')}]{_at(node)}{_offset(node)}"


def _aggregation(node: Node) -> str:
    grouping = ""
    if node["without"]:
        grouping = f" without ({labels(node['grouping'])}) "
    elif node["grouping"]:
        grouping = f" by ({labels(node['grouping'])}) "
    parameter = f"{written(node['param'])}, " if node.get("param") else ""
    return f"{node['op']}{grouping}({parameter}{written(node['expr'])})"


def _binary(node: Node) -> str:
    return (
        f"{written(node['lhs'])} {node['op']}{' bool' if node['bool'] else ''}{_matching(node)} {written(node['rhs'])}"
    )


def _matching(node: Node) -> str:
    found = node.get("matching")
    if not found:
        return ""
    group = _GROUPS.get(found["card"])
    text = ""
    if found["labels"] or found["on"] or group:
        text = f" {'on' if found['on'] else 'ignoring'} ({labels(found['labels'])})"
    return text + (f" {group} ({labels(found['include'])})" if group else "") + _fill(found.get("fillValues") or {})


def _fill(values: Mapping[str, float | None]) -> str:
    left, right = values.get("lhs"), values.get("rhs")
    if left is not None and left == right:
        return f" fill ({literals.plain(float(left))})"
    sides = (("fill_left", left), ("fill_right", right))
    return "".join(f" {word} ({literals.plain(float(value))})" for word, value in sides if value is not None)


_WRITERS = {
    "numberLiteral": lambda node: str(node["val"]),
    "stringLiteral": lambda node: quoted(node["val"]),
    "parenExpr": lambda node: f"({written(node['expr'])})",
    "unaryExpr": lambda node: f"{node['op']}{written(node['expr'])}",
    "call": lambda node: f"{node['func']['name']}({', '.join(written(argument) for argument in node['args'])})",
    "aggregation": _aggregation,
    "binaryExpr": _binary,
    "vectorSelector": _selected,
    "matrixSelector": _selected,
    "subquery": _subquery,
}
