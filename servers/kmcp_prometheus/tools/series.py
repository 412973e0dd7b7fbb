"""Series, the names of their labels, and the values of one label."""

from collections import Counter
from typing import Annotated

from pydantic import AfterValidator, Field

from kmcp_prometheus.arguments import Match, OptionalEnd, OptionalMatch, OptionalStart, check_span
from kmcp_prometheus.client import Prometheus, stamp
from kmcp_prometheus.guidance import emptiness
from kmcp_prometheus.promql import guard
from kmcp_prometheus.promql.selectors import NAME
from kmcp_runtime import Call, Cursor, Effect, Limit, Page, pattern, sliced, tool


def _not_empty(name: str) -> str:
    if not name:
        raise ValueError("must not be empty; __name__ lists the metrics")
    return name


class SeriesList(Page[dict[str, str]]):
    """Series as their labels."""

    metrics: dict[str, int] = Field(default_factory=dict, description="Series of this answer by metric")


class Names(Page[str]):
    """Names or values, sorted."""


@tool(Effect.READ)
async def prometheus_series_tool(
    prometheus: Prometheus,
    match: Match,
    start: OptionalStart = None,
    end: OptionalEnd = None,
    limit: Limit = 100,
) -> SeriesList:
    """List series with all their labels, to see what a selector matches."""
    guard.selectors(match)
    check_span(start, end)
    reply = await prometheus.post(
        # One more than asked for: backends that know `limit` do not all report that they cut.
        "/series",
        [("match[]", match), ("start", stamp(start)), ("end", stamp(end)), ("limit", limit + 1)],
    )
    found = reply.read(lambda data: [dict(labels) for labels in data or ()])
    shown = found[:limit]
    result = SeriesList(
        items=shown,
        truncated=reply.cut or len(found) > limit,
        warnings=reply.warnings,
        metrics=dict(Counter(labels.get(NAME, "") for labels in shown).most_common()),
    )
    if result.truncated:
        result.hint = f"prometheus_query_tool query='count({match[0]})' counts them; narrow with label matchers."
    elif not found:
        result.hint = await emptiness.explain_no_series(prometheus, guard.tree(match[0]), start, end)
    return result


@tool(Effect.READ)
async def prometheus_label_names_tool(
    prometheus: Prometheus,
    match: OptionalMatch = None,
    start: OptionalStart = None,
    end: OptionalEnd = None,
    limit: Limit = 200,
) -> Names:
    """List the names of labels, of all series or of those that match."""
    _check(match, start, end)
    reply = await prometheus.post(
        "/labels", [("match[]", match), ("start", stamp(start)), ("end", stamp(end)), ("limit", limit)]
    )
    found = reply.texts()
    result = Names(items=found[:limit], truncated=reply.cut or len(found) > limit, warnings=reply.warnings)
    if result.truncated:
        result.hint = "Narrow with match."
    elif not found:
        result.hint = await _explain_no_labels(prometheus, match, start, end)
    return result


@tool(Effect.READ)
async def prometheus_label_values_tool(
    prometheus: Prometheus,
    call: Call,
    label_name: Annotated[str, AfterValidator(_not_empty), "__name__ for metrics"],
    match: OptionalMatch = None,
    start: OptionalStart = None,
    end: OptionalEnd = None,
    filter: Annotated[str | None, "Regular expression"] = None,
    limit: Limit = 200,
    cursor: Cursor = None,
) -> Names:
    """List the values of a label; label_name=__name__ with filter finds metrics by name."""
    _check(match, start, end)
    wanted = pattern(filter, "filter") if filter else None
    reply = await prometheus.list_label_values(label_name, match or (), start, end)
    values = reply.texts()
    found = await wanted.kept(values, str) if wanted else values
    # As written: `now-1h` is another moment in the next call.
    span = [call.written.get("start"), call.written.get("end")]
    bound_to = {
        "datasource": prometheus.source.name,
        "label": label_name,
        "match": match,
        "span": span,
        "filter": filter,
    }
    result = sliced(Names, found, limit, cursor, bound_to, reply.warnings)
    if not found:
        result.hint = (
            f"None of the {len(values)} values of {label_name} matches filter."
            if values
            else f"No series has a label {label_name}; prometheus_label_names_tool lists the labels."
        )
    return result


def _check(match: list[str] | None, start: float | None, end: float | None) -> None:
    if match is not None:
        guard.selectors(match)
    check_span(start, end)


async def _explain_no_labels(
    prometheus: Prometheus, match: list[str] | None, start: float | None, end: float | None
) -> str | None:
    if not match:
        return "There are no series in that time."
    return await emptiness.explain_no_series(prometheus, guard.tree(match[0]), start, end)
