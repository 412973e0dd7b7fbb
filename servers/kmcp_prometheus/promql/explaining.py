"""Expressions in words, the outermost step first."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from kmcp_prometheus.promql import printing

Node = dict[str, Any]
_INDENT = "  "
_DEEPEST_INDENT = 40
"""Levels: the lines of a long chain of operators would be mostly blanks."""
# Only what a name does not say by itself; `abs`, `ceil` or `sin` stand alone.
_FUNCTIONS = {
    "rate": "per-second rate of increase over the range, counter resets allowed for",
    "irate": "per-second rate between the last two samples of the range",
    "increase": "increase over the range, counter resets allowed for",
    "delta": "difference between the end and the beginning of the range, for gauges",
    "deriv": "per-second slope over the range, for gauges",
    "predict_linear": "value that many seconds from now if the slope over the range continues",
    "histogram_quantile": "value below which that share of observations lies, estimated from buckets",
    "histogram_fraction": "share of observations between the two bounds",
    "histogram_count": "number of observations of a native histogram",
    "histogram_sum": "sum of observations of a native histogram",
    "histogram_avg": "mean of observations of a native histogram",
    "absent": "1 when there is no such series, nothing otherwise",
    "absent_over_time": "1 when no such series had a sample in the range, nothing otherwise",
    "changes": "how often the value changed in the range",
    "resets": "how often the counter was reset in the range",
    "label_replace": "the series, with a label set from another one",
    "label_join": "the series, with a label joined from others",
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
    "min": "minimum",
    "max": "maximum",
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
    "min": "minimum",
    "max": "maximum",
    "count": "number of series",
    "group": "1 for each group",
    "topk": "series with the largest values",
    "bottomk": "series with the smallest values",
    "quantile": "quantile",
    "stddev": "standard deviation",
    "stdvar": "variance",
    "count_values": "number of series by value",
    "limitk": "that many of the series, whichever they are",
    "limit_ratio": "that share of the series, whichever they are",
}
_OPERATORS = {
    "+": "sum of both sides",
    "-": "left minus right",
    "*": "product",
    "/": "left divided by right",
    "%": "remainder of left by right",
    "^": "left to the power of right",
    "atan2": "angle of left and right",
    "and": "left where right has the same labels",
    "or": "left, and right where left has nothing",
    "unless": "left where right has nothing with the same labels",
    "</": "histograms on the left without what lies above the value on the right",
    ">/": "histograms on the left without what lies below the value on the right",
}


def explained(tree: Node) -> list[str]:
    """One line for each step, indented below the step that uses it."""
    lines, waiting = [], [(tree, 0)]
    while waiting:
        node, depth = waiting.pop()
        # The indentation shows the grouping already.
        if node["type"] == "parenExpr":
            waiting.append((node["expr"], depth))
            continue
        lines.append(_INDENT * min(depth, _DEEPEST_INDENT) + _HEADS[node["type"]](node))
        waiting += [(part, depth + 1) for part in reversed(_parts(node))]
    return lines


def _parts(node: Node) -> list[Node]:
    """What a step works on; its own line names the numbers and texts among its arguments."""
    kind = node["type"]
    if kind == "binaryExpr":
        return [node["lhs"], node["rhs"]]
    if kind == "call":
        return [argument for argument in node["args"] if argument["type"] not in ("numberLiteral", "stringLiteral")]
    return [node["expr"]] if kind in ("aggregation", "subquery", "unaryExpr") else []


def _call(node: Node) -> str:
    name = node["func"]["name"]
    over = name.removesuffix("_over_time")
    meaning = _FUNCTIONS.get(name) or (f"{_OVER_TIME[over]} of the samples of the range" if over in _OVER_TIME else "")
    values = [str(argument["val"]) for argument in node["args"] if "val" in argument]
    head = f"{name} ({', '.join(values)})" if values else name
    if not _parts(node):
        return f"{head}: {meaning}" if meaning else head
    return f"{head}: {meaning}, of" if meaning else f"{head} of"


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
    meaning = _OPERATORS.get(op)
    if meaning is None:
        kept = "only series where it holds, with the value on the left"
        meaning = "1 where it holds, else 0" if node["bool"] else kept
    on = ""
    if matching.get("on") or matching.get("labels"):
        word = "on" if matching["on"] else "ignoring"
        on = f", series matched {word} ({', '.join(matching['labels'])})"
    many = {"many-to-one": "many left for one right", "one-to-many": "one left for many right"}
    card = f", {many[matching['card']]}" if matching.get("card") in many else ""
    return f"{op}: {meaning}{on}{card}{_filled(matching)}, of"


def _filled(matching: Node) -> str:
    values = matching.get("fillValues") or {}
    sides = (("left", values.get("lhs")), ("right", values.get("rhs")))
    return "".join(f", {value:g} where the {side} side is missing" for side, value in sides if value is not None)


def _subquery(node: Node) -> str:
    length, step = printing.length(node, "range"), printing.length(node, "step")
    pace = f"one every {step}" if step else "one every global evaluation interval"
    return f"values over {length}, {pace}{_moment(node)}, of"


def _selector(node: Node) -> str:
    length = printing.length(node, "range")
    extended = {"anchored": ", with the last sample before it", "smoothed": ", interpolated at its ends"}
    words = "".join(text for word, text in extended.items() if node.get(word))
    own = {"name": node["name"], "matchers": node["matchers"], "type": "vectorSelector"}
    return f"series {printing.written(own)}{f', samples of {length}' if length else ''}{words}{_moment(node)}"


def _moment(node: Node) -> str:
    """At which other time than that of the query it is evaluated."""
    at = ""
    if node.get("timestamp") is not None:
        at = f", at {_time(node['timestamp'])}"
    elif node.get("startOrEnd"):
        at = f", at the {node['startOrEnd']} of the query's range"
    offset = printing.length(node, "offset")
    if offset.startswith("-"):
        return f"{at}, {offset[1:]} later"
    return f"{at}, {offset} earlier" if offset else at


def _time(milliseconds: float) -> str:
    """RFC 3339 for years that a calendar has, else the seconds as they are."""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return f"{milliseconds / 1000:.3f}"


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
