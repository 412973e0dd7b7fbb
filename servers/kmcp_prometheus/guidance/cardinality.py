"""How many series there are beyond those shown, and how to ask for fewer."""

from collections import defaultdict
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any

from kmcp_prometheus.api.failures import ApiFailure
from kmcp_prometheus.api.replies import Reply
from kmcp_prometheus.client import Prometheus
from kmcp_prometheus.promql.selectors import NAME
from kmcp_runtime import ToolFailure, too_large

_SHOWN_FORMS = 400
"""Longest query, in characters, that a suggested form repeats."""


async def count_series(prometheus: Prometheus, query: str, at: float) -> int | None:
    """Count the series of an expression; None where the backend cannot."""
    try:
        # Line breaks, since the query may end with a comment that would swallow the closing parenthesis.
        reply = await prometheus.query(f"count(\n{query}\n)", at)
        return reply.read(lambda data: int(float(data["result"][0]["value"][1])) if data["result"] else 0)
    except ToolFailure:
        return None


async def count_series_over(prometheus: Prometheus, query: str, start: float, end: float, step: float) -> int | None:
    """Count the series that have a value at some step of a range."""
    # One millisecond more: the left end of a range selector is open, and `start` belongs to the span.
    length = round((end - start) * 1000) + 1
    return await count_series(prometheus, f"last_over_time((\n{query}\n)[{length}ms:{round(step * 1000)}ms])", end)


def narrower(query: str, limit: int, shown: Iterable[Mapping[str, str]]) -> str:
    """Suggested forms of a query that returns too many series."""
    # A comment would hide what follows it in the suggested form.
    form = query.strip() if len(query) <= _SHOWN_FORMS and "#" not in query else "…"
    forms = [f"topk({min(limit, 10)}, {form})"]
    label = _best_label(shown)
    if label:
        forms.append(f"sum by ({label}) ({form})")
    return f"Narrow with a label matcher, {' or '.join(forms)}."


async def query_at(
    prometheus: Prometheus, query: str, at: float, limit: int, timeout: float | None, lookback: float | None
) -> Reply:
    """Evaluate an expression at one moment; a failure of too many series says how many there are."""
    try:
        return await prometheus.query(query, at, limit=limit, timeout=timeout, lookback=lookback)
    except ToolFailure as failure:
        raise await _explain_too_large(failure, query, limit, count_series(prometheus, query, at)) from None


async def query_over(
    prometheus: Prometheus, query: str, span: tuple[float, float, float], limit: int, timeout: float | None
) -> Reply:
    """Evaluate an expression over a span of start, end and step, with the same failure."""
    try:
        return await prometheus.query_range(query, *span, limit=limit, timeout=timeout)
    except ToolFailure as failure:
        raise await _explain_too_large(failure, query, limit, count_series_over(prometheus, query, *span)) from None


async def _explain_too_large(
    failure: ToolFailure, query: str, limit: int, counting: Coroutine[Any, Any, int | None]
) -> ToolFailure:
    if failure.code != "too_large" or isinstance(failure, ApiFailure):
        # A coroutine that is never awaited warns; the count is not needed for other failures.
        counting.close()
        return failure
    total = await counting
    many = f"{total} series" if total else "too many series"
    return too_large(f"the query has {many}: {failure.message}", narrower(query, limit, ()), backend=failure.backend)


def _best_label(shown: Iterable[Mapping[str, str]]) -> str | None:
    """The label that divides the series into the fewest groups, but more than one."""
    values: dict[str, set[str]] = defaultdict(set)
    for labels in shown:
        for name, value in labels.items():
            values[name].add(value)
    parting = {name: len(found) for name, found in values.items() if len(found) > 1 and name != NAME}
    return min(parting, key=lambda name: (parting[name], name), default=None)
