"""Why an expression has no result: a metric or a label value that does not exist, or nothing there at that time."""

from collections.abc import Sequence

from kmcp_prometheus.client import Prometheus
from kmcp_prometheus.guidance import names
from kmcp_prometheus.promql import matching, printing, trees
from kmcp_prometheus.promql.parser import Node
from kmcp_prometheus.promql.trees import Selector
from kmcp_runtime import ToolFailure

_MOST_EXAMINED = 3
_MOST_NAMED = 8
_COMPARISONS = ("==", "!=", "<", ">", "<=", ">=")


async def why_empty(prometheus: Prometheus, tree: Node | None, when: str) -> str:
    """A hint; `when` says which moments were looked at, as in `at 17:00` or `between …`."""
    found = trees.selectors(tree) if tree else []
    try:
        reasons = [await _why(prometheus, selector) for selector in found[:_MOST_EXAMINED]]
    except ToolFailure as failure:  # The answer stands, whether or not it can be explained.
        return f"Nothing {when}; whether the names exist could not be looked up: {failure.message}"
    told = [reason for reason in reasons if reason]
    if told:
        return " ".join(told)
    if tree and any(node["type"] == "binaryExpr" and node["op"] in _COMPARISONS for node in trees.walk(tree)):
        return f"The series exist; no value {when} passes the comparison. Leave it out to see the values."
    if tree and any(node.get("matching") for node in trees.walk(tree)):
        return (
            f"The metrics exist; either one side has no sample {when}, or the two sides share no set of labels: ask "
            "for each side alone, and match on(…) what they have in common."
        )
    if found:
        return (
            f"Metrics and label values exist, but no series has all of these labels and a sample {when}: "
            "try another time, or prometheus_series_tool."
        )
    return "The expression has no result; prometheus_promql_tool explains it."


async def _why(prometheus: Prometheus, selector: Selector) -> str | None:
    if selector.metric and not await names.exists(prometheus, selector.metric):
        return await missing_metric(prometheus, selector.metric)
    scope = [names.named(selector.metric)] if selector.metric else []
    for matcher in selector.matchers:
        reason = await _missing_label(prometheus, selector.metric, scope, matcher)
        if reason:
            return reason
    return None


async def missing_metric(prometheus: Prometheus, metric: str) -> str:
    near = names.nearest(metric, await names.metrics(prometheus))
    told = f"; near: {', '.join(near)}" if near else ""
    return f"There is no metric {metric}{told}. prometheus_label_values_tool label_name=__name__ lists all."


async def _missing_label(
    prometheus: Prometheus, metric: str, scope: Sequence[str], matcher: matching.Matcher
) -> str | None:
    """Why this matcher alone leaves nothing of the metric; None when it leaves something."""
    if matching.holds(matcher, ""):
        return None  # Series without the label pass, too.
    label = str(matcher["name"])
    values = (await prometheus.label_values(label, scope)).texts()
    of = metric or "any series"
    if not values:
        known = (await prometheus.post("/labels", [("match[]", scope)])).texts()
        near = names.nearest(label, known) or known[:_MOST_NAMED]
        return f"{of} has no label {label}; it has {', '.join(near)}."
    if any(matching.holds(matcher, value) for value in values):
        return None
    near = names.nearest(str(matcher["value"]), values) or values[:_MOST_NAMED]
    told = printing.matcher(matcher)
    return f"No value of label {label} of {of} matches {told}; there are {len(values)}, near: {', '.join(near)}."
