"""What goes around an expression: values of labels, groups, comparison in time, percent, limits and ranking."""

import re

from kmcp_prometheus.guidance.drafts import Draft
from kmcp_prometheus.guidance.labelling import Narrowed
from kmcp_prometheus.promql import reshaping
from kmcp_prometheus.promql.intent import Bound, Intent
from kmcp_prometheus.promql.literals import plain

_LOOKED_BACK = "1h"
_DIFFERENCE = re.compile(r"difference|minus|more than|less than|change")


def finish(draft: Draft, intent: Intent, narrowed: Narrowed) -> str:
    query = draft.query
    if not draft.finished:
        query = _put_together(reshaping.narrowed(query, narrowed.matchers), draft, intent, narrowed)
    query = _in_larger_units(query, draft, intent)
    if intent.offset:
        sides = (reshaping.operand(query), reshaping.operand(reshaping.shifted(query, intent.offset)))
        # The right side of a division stands alone: `a / (b / c)`.
        query = f"{sides[0]} {'-' if _DIFFERENCE.search(intent.text) else '/'} {sides[1]}"
    if intent.wants("percent") and draft.scale == "share":
        query = f"100 * {_factor(query)}"
    if intent.bound and not reshaping.is_filter(query):
        query = f"{query} {intent.bound.operator} {plain(_limit(intent.bound, draft, intent))}"
    elif not reshaping.is_filter(query):
        query = _compared(query, draft, intent)
    if intent.top:
        query = f"{'bottomk' if intent.bottom else 'topk'}({intent.top}, {query})"
    return query


def _factor(query: str) -> str:
    """As an operand of `*`, which binds no stronger than division."""
    operand = reshaping.operand(query)
    return operand if operand.startswith("(") or " " not in query else f"({query})"


def _put_together(query: str, draft: Draft, intent: Intent, narrowed: Narrowed) -> str:
    # Forecasts, changes and extremes have their window already.
    if intent.window_given and not re.search(r"_over_time|delta|predict", query):
        query = reshaping.over(query, intent.window)
    if intent.wants("predict") and reshaping.is_selector(query):
        query = _forecast(query, intent)
    groups = narrowed.groups or draft.groups
    # What has a limit stays as it is for each series, unless its series are put together anyway.
    if (intent.top or (intent.bound and (draft.together or draft.groups))) and not narrowed.groups:
        groups = narrowed.ranked or draft.groups
    aggregated = reshaping.is_aggregated(query)
    op = next(
        (op for words, op in (("mean", "avg"), ("highest", "max"), ("lowest", "min")) if intent.wants(words)), draft.op
    )
    if groups and (not aggregated or groups != draft.groups):
        return reshaping.grouped(query, op, groups)
    if not groups and (draft.together or (draft.flag and intent.wants("count"))) and not aggregated:
        return reshaping.grouped(query, op, ())
    if draft.flag and not aggregated:
        return f"{query} == 1"
    return query


def _in_larger_units(query: str, draft: Draft, intent: Intent) -> str:
    """Spans of time in the days or hours that were asked for; limits are in seconds anyway."""
    if draft.scale != "seconds" or intent.bound or not intent.wants("since", "until"):
        return query
    for unit, seconds in (("days", 86400), ("hours", 3600)):
        if re.search(rf"\b{unit}\b", intent.text):
            return f"({query}) / {seconds}"
    return query


def _forecast(query: str, intent: Intent) -> str:
    """What a gauge will be, by the line through its last values."""
    window = intent.window if intent.window_given else _LOOKED_BACK
    return f"predict_linear({query}[{window}], {intent.ahead_seconds})"


def _limit(bound: Bound, draft: Draft, intent: Intent) -> float:
    if bound.unit == "%" and draft.scale == "share" and not intent.wants("percent"):
        return bound.number / 100
    if bound.unit == "seconds" and draft.scale == "milliseconds":
        return bound.number * 1000
    return bound.number


def _compared(query: str, draft: Draft, intent: Intent) -> str:
    """`will it be full`, `queues without consumers`: what is looked for is at nothing."""
    if intent.wants("predict") and "predict_linear" in query:
        return f"{query} < 0"
    if (
        intent.wants("none")
        and draft.scale == "other"
        and not draft.together
        and not draft.flag
        and not intent.wants("count")
    ):
        return f"{query} == 0"
    return query
