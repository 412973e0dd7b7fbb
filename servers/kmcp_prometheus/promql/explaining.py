"""Expressions in words, the outermost step first."""

from collections.abc import Callable
from typing import Any

from kmcp_prometheus.promql import printing
from kmcp_prometheus.promql.numbers import duration

Node = dict[str, Any]
_INDENT = "  "
_FUNCTIONS = {
    "rate": "per-second rate of increase over the range, counter resets allowed for",
    "irate": "per-second rate between the last two samples of the range",
    "increase": "increase over the range, counter resets allowed for",
    "delta": "difference between the end and the beginning of the range, for gauges",
    "deriv": "per-second slope over the range, for gauges",
    "predict_linear": "value that many seconds from now if the slope over the range goes on",
    "histogram_quantile": "value below which that share of observations lies, estimated from buckets",
    "histogram_fraction": "share of observations between the two bounds",
    "histogram_count": "number of observations of a native histogram",
    "histogram_sum": "sum of observations of a native histogram",
    "histogram_avg": "mean of observations of a native histogram",
    "absent": "1 when there is no such series, nothing otherwise",
    "absent_over_time": "1 when no such series had a sample in the range, nothing otherwise",
    "changes": "how often the value changed in the range",
    "resets": "how often the counter started anew in the range",
    "label_replace": "the series with a label made from another one",
    "label_join": "the series with a label joined from others",
    "clamp_min": "values, raised to the bound where they are lower",
    "clamp_max": "values, lowered to the bound where they are higher",
    "scalar": "the value of the only series, as a number",
    "vector": "the number, as a series without labels",
    "time": "seconds since 1970 at each moment",
    "timestamp": "time of each sample, seconds since 1970",
    "sort": "in ascending order",
    "sort_desc": "in descending order",
}
_OVER_TIME = {
    "avg": "mean",
    "min": "least",
    "max": "greatest",
    "sum": "sum",
    "count": "number",
    "last": "last",
    "first": "first",
    "quantile": "quantile",
    "stddev": "standard deviation",
    "stdvar": "variance",
    "present": "presence",
    "mad": "median absolute deviation",
}
_AGGREGATIONS = {
    "sum": "sum",
    "avg": "mean",
    "min": "least",
    "max": "greatest",
    "count": "number of series",
    "group": "1 for each group",
    "topk": "series with the greatest values",
    "bottomk": "series with the least values",
    "quantile": "quantile",
    "stddev": "standard deviation",
    "stdvar": "variance",
    "count_values": "number of series by value",
    "limitk": "any series, so many",
    "limit_ratio": "any series, that share",
}
_OPERATORS = {
    "+": "sum of both sides",
    "-": "left less right",
    "*": "product",
    "/": "left divided by right",
    "%": "remainder of left by right",
    "^": "left to the power of right",
    "atan2": "angle of left and right",
    "and": "left where right has the same labels",
    "or": "left, and right where left has nothing",
    "unless": "left where right has nothing with the same labels",
}


def explained(node: Node, depth: int = 0) -> list[str]:
    """One line for each step, indented below the step that uses it."""
    kind = node["type"]
    if kind == "parenExpr":
        return explained(node["expr"], depth)
    return [
        _INDENT * depth + _HEADS[kind](node),
        *(line for part in _parts(node) for line in explained(part, depth + 1)),
    ]


def _parts(node: Node) -> list[Node]:
    """What a step works on; numbers and texts are said in its own line."""
    kind = node["type"]
    if kind == "binaryExpr":
        return [node["lhs"], node["rhs"]]
    if kind == "call":
        return [argument for argument in node["args"] if argument["type"] not in ("numberLiteral", "stringLiteral")]
    return [node["expr"]] if kind in ("aggregation", "subquery", "unaryExpr") else []


def _call(node: Node) -> str:
    name = node["func"]["name"]
    over = name.removesuffix("_over_time")
    told = _FUNCTIONS.get(name) or (f"{_OVER_TIME[over]} of the samples of the range" if over in _OVER_TIME else "")
    given = [str(argument["val"]) for argument in node["args"] if "val" in argument]
    said = f" ({', '.join(given)})" if given else ""
    return f"{name}{said}" + (f": {told}, of" if told else " of")


def _aggregation(node: Node) -> str:
    parameter = f" ({printing.written(node['param'])})" if node.get("param") else ""
    names = ", ".join(node["grouping"])
    if node["without"]:
        groups = f"for each combination of labels other than {names or 'none'}"
    else:
        groups = f"for each {names}" if names else "over all series"
    return f"{node['op']}{parameter}: {_AGGREGATIONS[node['op']]} {groups}, of"


def _binary(node: Node) -> str:
    op, matching = node["op"], node.get("matching") or {}
    told = _OPERATORS.get(op)
    if told is None:
        told = "1 where it holds, else 0" if node["bool"] else "only series where it holds, with the value on the left"
    on = ""
    if matching.get("on") or matching.get("labels"):
        word = "on" if matching["on"] else "ignoring"
        on = f", series matched {word} ({', '.join(matching['labels'])})"
    many = {"many-to-one": "many left for one right", "one-to-many": "one left for many right"}
    card = f", {many[matching['card']]}" if matching.get("card") in many else ""
    return f"{op}: {told}{on}{card}, of"


def _subquery(node: Node) -> str:
    step = f"every {duration(node['step'])}" if node["step"] else "at the global evaluation interval"
    return f"values over {duration(node['range'])}, worked out {step}, of"


def _selector(node: Node) -> str:
    length = f", samples of {duration(node['range'])}" if node["type"] == "matrixSelector" else ""
    bare = {**node, "type": "vectorSelector"}
    return f"series {printing.written(bare)}{length}"


_HEADS: dict[str, Callable[[Node], str]] = {
    "call": _call,
    "aggregation": _aggregation,
    "binaryExpr": _binary,
    "subquery": _subquery,
    "vectorSelector": _selector,
    "matrixSelector": _selector,
    "unaryExpr": lambda node: "negated" if node["op"] == "-" else "as it is",
    "numberLiteral": lambda node: f"number {node['val']}",
    "stringLiteral": lambda node: f"text {node['val']!r}",
}
