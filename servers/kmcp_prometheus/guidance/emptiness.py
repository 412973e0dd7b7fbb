"""Why an expression has no result: a metric or a label value that does not exist, or nothing there at that time."""

from collections.abc import Sequence

from kmcp_prometheus.client import Prometheus
from kmcp_prometheus.guidance import names
from kmcp_prometheus.promql import matching, printing, trees
from kmcp_prometheus.promql.parser import Node
from kmcp_prometheus.promql.trees import Selector
from kmcp_runtime import ToolFailure, quoted_list

_MOST_EXAMINED = 3
_MOST_NAMED = 8
_COMPARISONS = ("==", "!=", "<", ">", "<=", ">=")


async def explain_empty(prometheus: Prometheus, tree: Node | None, when: str) -> str:
    """A hint; `when` names the moments that were asked for: `at 17:00`, `between …`."""
    # Without a tree (a dialect that only the backend reads) there are no names to look up.
    found = trees.selectors(tree) if tree else []
    try:
        reasons = [await _explain_selector(prometheus, selector) for selector in found[:_MOST_EXAMINED]]
    except ToolFailure as failure:  # An empty answer is right even when it cannot be explained.
        return f"Nothing {when}; whether the names exist could not be looked up: {failure.message}"
    known = [reason for reason in reasons if reason]
    if known:
        return " ".join(known)
    if tree and any(node["type"] == "binaryExpr" and node["op"] in _COMPARISONS for node in trees.walk(tree)):
        return f"The series exist; no value {when} passes the comparison. Remove it to see the values."
    if tree and any(node.get("matching") for node in trees.walk(tree)):
        return (
            f"The metrics exist; either one side has no sample {when}, or the two sides share no set of labels: "
            "query each side alone, and match on(…) the labels that they have in common."
        )
    if found:
        return (
            f"Metrics and label values exist, but no series has all of these labels and a sample {when}: "
            "try another time, or prometheus_series_tool."
        )
    return "The expression has no result; prometheus_promql_tool explains it."


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
    if any(matching.holds(matcher, value) for value in values):
        return None
    near = names.nearest(str(matcher["value"]), values) or values[:_MOST_NAMED]
    shown = printing.matcher(matcher)
    return f"No value of label {label} of {of} matches {shown}; there are {len(values)}, nearest: {quoted_list(near)}."
