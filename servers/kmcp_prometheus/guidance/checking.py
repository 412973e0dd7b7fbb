"""An expression checked: is it one, what is in it, and does what it names exist."""

import asyncio
from typing import Any

from pydantic import BaseModel, Field

from kmcp_prometheus.client import Prometheus, is_not_served
from kmcp_prometheus.guidance import names
from kmcp_prometheus.promql import matching, printing, trees
from kmcp_prometheus.promql.explaining import explained
from kmcp_prometheus.promql.lexer import SyntaxFault
from kmcp_prometheus.promql.numbers import duration
from kmcp_prometheus.promql.parser import Node, parse
from kmcp_prometheus.promql.position import PLACE, pointed
from kmcp_prometheus.promql.trees import Selector
from kmcp_runtime import ToolFailure

_MOST_LOOKED_UP = 10
_SHOWN_VALUES = 5


class Fault(BaseModel):
    """Why it is no expression."""

    message: str
    position: str | None = Field(default=None, description="line:column")
    shown: str | None = Field(default=None, description="The line, and a caret below the place")


class Parts(BaseModel):
    """What an expression is made of."""

    functions: list[str]
    aggregations: list[str]
    metrics: list[str]
    matchers: list[str]
    ranges: list[str]


class Unknown(BaseModel):
    """A metric that does not exist, and names near to it."""

    metric: str
    near: list[str]


class UnknownLabel(BaseModel):
    """A label or value that no series of the metric has."""

    metric: str
    matcher: str
    values: list[str] = Field(description="Nearest values; empty when the label does not exist")


async def parsed(prometheus: Prometheus, query: str) -> tuple[Node | None, Fault | None]:
    """The tree by the backend's own parser, by ours where it has none; or the fault."""
    try:
        return (await prometheus.post("/parse_query", [("query", query)])).mapping(), None
    except ToolFailure as failure:
        if not is_not_served(failure):
            if failure.code != "bad_argument":
                raise
            return None, _fault(failure.message.partition("\n")[0], query)
    try:
        return parse(query), None
    except SyntaxFault as fault:
        return None, Fault(message=fault.message, position=fault.position, shown=fault.shown or None)


async def formatted(prometheus: Prometheus, query: str, tree: Node) -> str:
    try:
        return str((await prometheus.post("/format_query", [("query", query)])).data)
    except ToolFailure as failure:
        if not is_not_served(failure):
            raise
        return printing.written(tree)


def parts(tree: Node) -> Parts:
    nodes = list(trees.walk(tree))
    selectors = trees.selectors(tree)
    texts = [printing.matcher(matcher) for selector in selectors for matcher in selector.matchers]
    ranges = [duration(node["range"]) for node in nodes if node["type"] in ("matrixSelector", "subquery")]
    return Parts(
        functions=_unique(node["func"]["name"] for node in nodes if node["type"] == "call"),
        aggregations=_unique(node["op"] for node in nodes if node["type"] == "aggregation"),
        metrics=_unique(selector.metric for selector in selectors if selector.metric),
        matchers=_unique(texts),
        ranges=_unique(ranges),
    )


async def unknown(prometheus: Prometheus, tree: Node) -> tuple[list[Unknown], list[UnknownLabel]]:
    """Metrics that do not exist; of those that do, labels and values that none of their series has."""
    selectors = [selector for selector in trees.selectors(tree) if selector.metric][:_MOST_LOOKED_UP]
    metrics = _unique(selector.metric for selector in selectors)
    there = dict(zip(metrics, await asyncio.gather(*(names.exists(prometheus, name) for name in metrics)), strict=True))
    missing = [name for name in metrics if not there[name]]
    known = await names.metrics(prometheus) if missing else []
    labels = [await _unknown_labels(prometheus, selector) for selector in selectors if there[selector.metric]]
    return (
        [Unknown(metric=name, near=names.nearest(name, known)) for name in missing],
        [label for found in labels for label in found],
    )


async def _unknown_labels(prometheus: Prometheus, selector: Selector) -> list[UnknownLabel]:
    found = []
    for matcher in selector.matchers:
        if matching.holds(matcher, ""):
            continue
        values = (await prometheus.label_values(matcher["name"], [names.named(selector.metric)])).texts()
        if not any(matching.holds(matcher, value) for value in values):
            near = names.nearest(matcher["value"], values, _SHOWN_VALUES) or values[:_SHOWN_VALUES]
            found.append(UnknownLabel(metric=selector.metric, matcher=printing.matcher(matcher), values=near))
    return found


def in_words(tree: Node) -> str:
    return "\n".join(explained(tree))


def _fault(message: str, query: str) -> Fault:
    match = PLACE.search(message)
    if not match:
        return Fault(message=message)
    line, column = int(match[1]), int(match[2])
    return Fault(message=message, position=f"{line}:{column}", shown=pointed(query, line, column) or None)


def _unique(found: Any) -> list[str]:
    return list(dict.fromkeys(found))
