"""An expression checked: whether it is one, what is in it, and whether what it names exists."""

import asyncio
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field

from kmcp_prometheus.api.failures import ApiFailure
from kmcp_prometheus.client import Prometheus, is_not_served
from kmcp_prometheus.guidance import names
from kmcp_prometheus.promql import matching, printing, trees
from kmcp_prometheus.promql.explaining import explained
from kmcp_prometheus.promql.parser import Node, SyntaxFault, TooDeep, parse
from kmcp_prometheus.promql.position import PLACE, pointed
from kmcp_prometheus.promql.trees import Selector
from kmcp_runtime import ToolFailure

_MOST_LOOKED_UP = 10
_SHOWN_VALUES = 5


class Fault(BaseModel):
    """Why it is not an expression."""

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
    """A metric that does not exist, and similar names."""

    metric: str
    near: list[str]


class UnknownLabel(BaseModel):
    """A label or value that no series of the metric has."""

    metric: str
    matcher: str
    values: list[str] = Field(description="Nearest values; empty when the label does not exist")


@dataclass(frozen=True)
class Verdict:
    """Whether an expression is one; `valid` is None where neither the backend nor this server can say."""

    valid: bool | None
    tree: Node | None = None
    fault: Fault | None = None
    doubt: str | None = None
    """Why it is not known."""


async def judge(prometheus: Prometheus, query: str) -> Verdict:
    """Ask the backend's parser; where it has none, use ours, and evaluate what ours may be too old to know."""
    own = _judge_here(query)
    try:
        if not isinstance(
            own, TooDeep
        ):  # The backend's tree would be JSON just as deep, which Python's reader refuses.
            return Verdict(True, (await prometheus.post("/parse_query", [("query", query)])).mapping())
    except ToolFailure as failure:
        if not is_not_served(failure):
            return _refused(failure, query)
    if isinstance(own, SyntaxFault):
        fault = Fault(message=own.message, position=own.position, shown=own.shown or None)
        known = Verdict(None, doubt=own.message) if isinstance(own, TooDeep) else Verdict(False, fault=fault)
        return await _judge_by_evaluation(prometheus, query, known)
    flags = trees.features(own)
    if not flags:
        return Verdict(True, own)
    doubt = f"only Prometheus with --enable-feature={','.join(flags)} accepts it"
    return await _judge_by_evaluation(prometheus, query, Verdict(None, own, doubt=doubt))


def _judge_here(query: str) -> Node | SyntaxFault:
    try:
        return parse(query)
    except SyntaxFault as fault:
        return fault


async def _judge_by_evaluation(prometheus: Prometheus, query: str, known: Verdict) -> Verdict:
    """Evaluate it at the beginning of 1970, where there are no samples to read, to learn whether it is accepted."""
    try:
        await prometheus.query(query, 0, limit=1)
    except ToolFailure as failure:
        # `execution` is an error of a query that was understood; other failures say nothing about the query.
        if isinstance(failure, ApiFailure) and failure.code == "bad_argument" and failure.kind != "execution":
            return _refused(failure, query)
        return known
    return Verdict(True, known.tree)


def _refused(failure: ToolFailure, query: str) -> Verdict:
    if failure.code != "bad_argument":
        raise failure
    return Verdict(False, fault=_fault(failure.message.partition("\n")[0], query))


async def format_query(prometheus: Prometheus, query: str, tree: Node) -> str:
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
    ranges = [printing.length(node, "range") for node in nodes if node["type"] in ("matrixSelector", "subquery")]
    return Parts(
        functions=_unique(node["func"]["name"] for node in nodes if node["type"] == "call"),
        aggregations=_unique(node["op"] for node in nodes if node["type"] == "aggregation"),
        metrics=_unique(selector.metric for selector in selectors if selector.metric),
        matchers=_unique(texts),
        ranges=_unique(ranges),
    )


async def find_unknown(prometheus: Prometheus, tree: Node) -> tuple[list[Unknown], list[UnknownLabel]]:
    """Find metrics that do not exist and, of those that do, labels and values that none of their series has."""
    selectors = [selector for selector in trees.selectors(tree) if selector.metric][:_MOST_LOOKED_UP]
    metrics = _unique(selector.metric for selector in selectors)
    there = dict(zip(metrics, await asyncio.gather(*(names.exists(prometheus, name) for name in metrics)), strict=True))
    missing = [name for name in metrics if not there[name]]
    known = await names.list_metrics(prometheus) if missing else []
    labels = [await _find_unknown_labels(prometheus, selector) for selector in selectors if there[selector.metric]]
    return (
        [Unknown(metric=name, near=names.nearest(name, known)) for name in missing],
        [label for found in labels for label in found],
    )


async def _find_unknown_labels(prometheus: Prometheus, selector: Selector) -> list[UnknownLabel]:
    found = []
    for matcher in selector.matchers:
        # Such a matcher is true of series without the label, so a missing label is no mistake.
        if matching.holds(matcher, ""):
            continue
        values = (
            await prometheus.list_label_values(matcher["name"], [names.selector_by_name(selector.metric)])
        ).texts()
        if not await matching.holds_for_any(matcher, values):
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
