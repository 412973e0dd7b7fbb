"""The value of expressions, now and over time."""

from typing import Annotated, Any, Literal

from pydantic import Field

from kmcp_prometheus.answers.samples import Number, RawSamples, Sample, plain, raw, sample
from kmcp_prometheus.answers.summaries import Summary, summary
from kmcp_prometheus.arguments import HOUR_AGO, NOW, End, Query, Start, Timeout, check_past, check_span
from kmcp_prometheus.client import Prometheus
from kmcp_prometheus.guidance import cardinality, emptiness, steps
from kmcp_prometheus.guidance.reasons import Moment
from kmcp_prometheus.promql import guard
from kmcp_runtime import Duration, Effect, Limit, Page, Time, tool

_MANY_POINTS = 1_500
"""An answer with more points exceeds the default budget."""


class Instant(Page[Sample | RawSamples]):
    """Series and their values at one moment."""

    result_type: Literal["vector", "scalar", "matrix", "string"] = Field(description="matrix: raw samples")
    text: str | None = Field(default=None, description="A string result")
    infos: list[str] | None = None


class Range(Page[RawSamples | Summary]):
    """Series and their values at every step, or summaries."""

    step_seconds: Number
    start: Number
    end: Number
    infos: list[str] | None = None


@tool(Effect.READ, view="traffic")
async def prometheus_query_tool(
    prometheus: Prometheus,
    query: Query,
    time: Annotated[Time, "When", Field(validate_default=True)] = NOW,
    timeout: Timeout = None,
    limit: Limit = 100,
    lookback: Annotated[Duration | None, "How old a sample may be"] = None,
) -> Instant:
    """Evaluate PromQL at one moment; prefer aggregations. An empty answer explains itself."""
    tree = guard.query(query, at_one_moment=True)
    check_past(time, "time")
    reply = await cardinality.query_at(prometheus, query, time, limit, timeout, lookback)
    kind, items, text = reply.read(_items)
    result = Instant(
        result_type=kind,
        items=items[:limit],
        text=text,
        truncated=reply.cut or len(items) > limit,
        warnings=reply.warnings,
        infos=reply.infos or None,
    )
    if result.truncated:
        result.total = await cardinality.count_series(prometheus, query, time) if reply.cut else len(items)
        result.hint = cardinality.narrower(query, limit, [item.metric for item in result.items])
    elif kind == "matrix":
        result.hint = "Raw samples; rate(…) or avg_over_time(…) turns each series into one value."
    elif not items and text is None:
        result.hint = await emptiness.explain_empty(prometheus, tree, Moment(time, time, lookback=lookback))
    return result


@tool(Effect.READ, view="plot")
async def prometheus_query_range_tool(
    prometheus: Prometheus,
    query: Query,
    start: Start = HOUR_AGO,
    end: End = NOW,
    step: Annotated[Duration | None, "Chosen to fit max_points"] = None,
    max_points: Annotated[int, "Per series", Field(ge=2, le=1000)] = 200,
    mode: Annotated[Literal["points", "summary"], "summary: min, max, avg, p95 …"] = "points",
    limit: Annotated[int, "Most series", Field(ge=1, le=500)] = 20,
    timeout: Timeout = None,
) -> Range:
    """Evaluate PromQL over time; start with mode=summary; mode=points shows the course."""
    tree = guard.query(query)
    check_span(start, end)
    # Chosen here and sent as given, so that the answer can name the step that its points have.
    step = steps.chosen(end - start, max_points) if step is None else steps.checked(step, end - start)
    reply = await cardinality.query_over(prometheus, query, (start, end, step), limit, timeout)
    series = reply.read(lambda data: [raw(item) for item in data["result"]])
    result = Range(
        step_seconds=plain(step),
        start=plain(start),
        end=plain(end),
        truncated=reply.cut or len(series) > limit,
        items=[summary(one) if mode == "summary" else one for one in series[:limit]],
        warnings=reply.warnings,
        infos=reply.infos or None,
    )
    if result.truncated:
        result.total = (
            await cardinality.count_series_over(prometheus, query, start, end, step) if reply.cut else len(series)
        )
        result.hint = cardinality.narrower(query, limit, [one.metric for one in series[:limit]])
    elif not series:
        result.hint = await emptiness.explain_empty(prometheus, tree, Moment(start, end, step))
    elif mode == "points" and sum(len(one.values or ()) for one in series) > _MANY_POINTS:
        result.hint = "mode=summary gives a line per series; a smaller max_points gives fewer points."
    return result


def _items(data: Any) -> tuple[Any, list[Sample | RawSamples], str | None]:
    """The type of a result, its series, and its text when it is one."""
    kind, found = data["resultType"], data["result"]
    if kind == "vector":
        return kind, [sample(item) for item in found], None
    if kind == "matrix":
        return kind, [raw(item) for item in found], None
    if kind == "string":
        return kind, [], str(found[1])
    return "scalar", [sample({"metric": {}, "value": found})], None
