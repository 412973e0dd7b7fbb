"""Expressions written out, as Prometheus' `/format_query` writes short ones."""

import re
from collections.abc import Mapping
from typing import Any

from kmcp_prometheus.promql.lexer import quoted
from kmcp_prometheus.promql.numbers import duration
from kmcp_prometheus.promql.selectors import NAME

Node = dict[str, Any]
_PLAIN_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_GROUPS = {"many-to-one": "group_left", "one-to-many": "group_right"}


def written(node: Node) -> str:
    """The expression on one line."""
    return _WRITERS[node["type"]](node)


def selector(metric: str, matchers: list[dict[str, Any]]) -> str:
    """A selector of a metric, which may have any name, or of none."""
    shown = sorted(map(matcher, matchers))
    if metric and not re.fullmatch(r"[a-zA-Z_:][a-zA-Z0-9_:]*", metric):
        metric, shown = "", [quoted(metric), *shown]
    return metric + (f"{{{','.join(shown)}}}" if shown or not metric else "")


def labels(names: list[str]) -> str:
    return ", ".join(name if _PLAIN_LABEL.fullmatch(name) else quoted(name) for name in names)


def matcher(given: Mapping[str, Any]) -> str:
    return f"{labels([given['name']])}{given['type']}{quoted(given['value'])}"


def _selected(node: Node) -> str:
    own = (
        given
        for given in node["matchers"]
        if (given["name"], given["type"], given["value"]) != (NAME, "=", node["name"])
    )
    length = f"[{duration(node['range'])}]" if node["type"] == "matrixSelector" else ""
    return selector(node["name"], list(own)) + length + _moment(node)


def _moment(node: Node) -> str:
    at = ""
    if node.get("timestamp") is not None:
        at = f" @ {node['timestamp'] / 1000:.3f}"
    elif node.get("startOrEnd"):
        at = f" @ {node['startOrEnd']}()"
    offset = node.get("offset") or 0
    return at + (f" offset {duration(offset)}" if offset else "")


def _subquery(node: Node) -> str:
    step = duration(node["step"]) if node["step"] else ""
    return f"{written(node['expr'])}[{duration(node['range'])}:{step}]{_moment(node)}"


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
    return text + (f" {group} ({labels(found['include'])})" if group else "")


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
