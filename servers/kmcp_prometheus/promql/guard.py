"""PromQL that callers give: what is refused before a backend sees it."""

import re
from collections.abc import Sequence
from typing import Any

from kmcp_prometheus.promql import trees
from kmcp_prometheus.promql.lexer import SyntaxFault, tokens
from kmcp_prometheus.promql.parser import Node, parse
from kmcp_prometheus.promql.selectors import NAME, Selectors
from kmcp_runtime import ToolFailure, bad_argument

_COUNTING = frozenset({"count", "group", "count_values"})
_BRACED = re.compile(r"[^=!\"'`]*\{")
"""A brace of the selector; one that comes after an operator or a quotation mark is in a value."""
_WRITE = 'write label="value", or label=~"expression"'


def query(text: str, *, at_one_moment: bool = False) -> Node | None:
    """The tree of an expression, None where only the backend can judge it; `bad_argument` for reading every series.

    At one moment every series may be counted: that is how people measure cardinality.
    """
    if not text.strip():
        raise bad_argument("query: empty", "give an expression: up, rate(http_requests_total[5m])")
    found = tree(text)
    if found is None or (at_one_moment and _only_counts(found)):
        return found
    if any(selector.takes_everything() for selector in trees.selectors(found)):
        raise _everything("query", text)
    return found


def selectors(match: Sequence[str], argument: str = "match") -> None:
    """Refuse what is not a selector, and what would read every series."""
    if not match:
        raise bad_argument(f"{argument}: empty", 'give selectors: up, {job="api"}')
    for text in match:
        found = tree(text)
        if not text.strip() or (found is not None and found["type"] != "vectorSelector"):
            raise bad_argument(
                f"{argument}: {text!r} is not a selector of series", 'write up, or {job="api",code=~"5.."}'
            )
        if found is not None and trees.selectors(found)[0].takes_everything():
            raise _everything(argument, text)


def matchers(text: str, argument: str = "match") -> list[dict[str, Any]]:
    """The matchers of `{a="b"}`, or of `a="b"` alone; `bad_argument` points at what is wrong."""
    # Label matchers of Alertmanager and of this API are written with and without braces.
    source = text.strip() if _BRACED.match(text) else f"{{{text.strip()}}}"
    try:
        words = Selectors(source, tokens(source))
        name = [] if words.is_sign("{") else [{"name": NAME, "value": words.take().text, "type": "="}]
        found = words.matchers()
        if words.token.kind != "end":
            raise words.unexpected()
    except SyntaxFault as fault:
        raise refused(fault, argument) from None
    return [*name, *found]


def refused(fault: SyntaxFault, argument: str) -> ToolFailure:
    return bad_argument(f"{argument}: {fault.message}\n{fault.shown}", _WRITE)


def tree(text: str) -> Node | None:
    """The tree of an expression, where this server can read it."""
    try:
        return parse(text)
    except SyntaxFault:
        return None


def _only_counts(tree: Node) -> bool:
    """Whether what takes every series is counted at once, without a range: `topk(10, count by (__name__) ({…}))`."""
    for node in trees.walk(tree):
        if node["type"] == "matrixSelector" and trees.selectors(node)[0].takes_everything():
            return False
    counted = [node["expr"] for node in trees.walk(tree) if node["type"] == "aggregation" and node["op"] in _COUNTING]
    direct = sum(one["type"] == "vectorSelector" and trees.selectors(one)[0].takes_everything() for one in counted)
    every = sum(
        node["type"] == "vectorSelector" and trees.selectors(node)[0].takes_everything() for node in trees.walk(tree)
    )
    return direct == every and not any(node["type"] == "subquery" for node in trees.walk(tree))


def _everything(argument: str, text: str) -> ToolFailure:
    return bad_argument(
        f"{argument}: {text[:200]} would read every series",
        "name a metric or a label value; prometheus_tsdb_status_tool counts series by metric and label",
    )
