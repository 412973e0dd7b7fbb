"""Why an expression has no result. What is said was asked of the backend; what it cannot show is left out."""

from collections.abc import Sequence

from kmcp_prometheus.client import Prometheus
from kmcp_prometheus.guidance import names
from kmcp_prometheus.guidance.reasons import Moment, Reasons, TooManyError
from kmcp_prometheus.promql import matching, printing, trees
from kmcp_prometheus.promql.parser import Node
from kmcp_prometheus.promql.trees import Selector
from kmcp_runtime import ToolFailure, quoted_list

_MOST_EXAMINED = 3
_MOST_NAMED = 8


async def explain_empty(prometheus: Prometheus, tree: Node | None, moment: Moment) -> str | None:
    """A hint for an expression without a result at a moment; None where no reason is certain."""
    # Without a tree (a dialect that only the backend reads) there are no names to look up.
    if tree is None:
        return None
    try:
        missing = await explain_names(prometheus, tree)
        found = missing or await Reasons(prometheus, moment).explain(tree)
    except TooManyError:
        return None
    except ToolFailure as failure:  # An empty answer is right even when it cannot be explained.
        return f"Why there is nothing {moment} could not be looked up: {failure.message}"
    return found


async def explain_names(prometheus: Prometheus, tree: Node | None) -> str | None:
    """What the expression names that does not exist at any time; None when all of it does."""
    if tree is None or _expects_absence(tree):
        return None
    found = trees.selectors(tree)[:_MOST_EXAMINED]
    reasons = [await _explain_selector(prometheus, selector) for selector in found]
    return " ".join(reason for reason in reasons if reason) or None


async def explain_no_series(
    prometheus: Prometheus, tree: Node | None, start: float | None, end: float | None
) -> str | None:
    """Why a list of series is empty; None where no reason is certain."""
    try:
        missing = await explain_names(prometheus, tree)
        if missing or tree is None:
            return missing
        text = printing.written(tree)
        ever = (await prometheus.post("/series", [("match[]", text), ("limit", 1)])).read(bool)
    except ToolFailure as failure:
        return f"Why there is nothing in that time could not be looked up: {failure.message}"
    if not ever:
        return "Each of these labels exists, but no series has all of them."
    return (
        None
        if start is None and end is None
        else "The series exist, but not in that time: another start or end shows them."
    )


def _expects_absence(tree: Node) -> bool:
    """Whether a name that does not exist would make a result instead of hiding one."""
    return any(node["type"] == "call" and node["func"]["name"].startswith("absent") for node in trees.walk(tree))


async def _explain_selector(prometheus: Prometheus, selector: Selector) -> str | None:
    if selector.metric and not await names.exists(prometheus, selector.metric):
        return await explain_missing_metric(prometheus, selector.metric)
    scope = [names.selector_by_name(selector.metric)] if selector.metric else []
    for matcher in selector.matchers:
        reason = await _explain_missing_label(prometheus, selector.metric, scope, matcher)
        if reason:
            return reason
    return None


async def explain_missing_metric(prometheus: Prometheus, metric: str) -> str:
    near = names.nearest(metric, await names.list_metrics(prometheus))
    similar = f"; nearest: {quoted_list(near)}" if near else ""
    return f"There is no metric {metric}{similar}. prometheus_label_values_tool label_name=__name__ lists all."


async def _explain_missing_label(
    prometheus: Prometheus, metric: str, scope: Sequence[str], matcher: matching.Matcher
) -> str | None:
    """Why this matcher alone excludes every series of the metric; None when it does not."""
    if matching.holds(matcher, ""):
        return None  # Series without the label also match.
    label = str(matcher["name"])
    values = (await prometheus.list_label_values(label, scope)).texts()
    of = metric or "any series"
    # The label itself is unknown, which explains more than any of its values would.
    if not values:
        known = (await prometheus.post("/labels", [("match[]", scope)])).texts()
        near = names.nearest(label, known) or known[:_MOST_NAMED]
        return f"{of} has no label {label}; it has {quoted_list(near)}."
    if await matching.holds_for_any(matcher, values):
        return None
    near = names.nearest(str(matcher["value"]), values) or values[:_MOST_NAMED]
    shown = printing.matcher(matcher)
    return f"No value of label {label} of {of} matches {shown}; there are {len(values)}, nearest: {quoted_list(near)}."
