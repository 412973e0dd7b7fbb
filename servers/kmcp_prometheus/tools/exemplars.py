"""Exemplars: single requests behind the figures, most with the id of a trace."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

from kmcp_prometheus.answers.samples import Number, number, plain
from kmcp_prometheus.arguments import HOUR_AGO, NOW, End, Query, Start, check_span
from kmcp_prometheus.client import Prometheus
from kmcp_prometheus.guidance import emptiness
from kmcp_prometheus.promql import guard
from kmcp_runtime import Effect, Limit, Page, tool


class Exemplar(BaseModel):
    labels: dict[str, str]
    value: Number | None = None
    note: str | None = None
    timestamp: Number


class Exemplified(BaseModel):
    """One series and its exemplars, the newest first."""

    series: dict[str, str]
    exemplars: list[Exemplar]


class Exemplars(Page[Exemplified]):
    """Series that have exemplars."""


@tool(Effect.READ, extra=True)
async def prometheus_query_exemplars_tool(
    prometheus: Prometheus,
    query: Query,
    start: Start = HOUR_AGO,
    end: End = NOW,
    limit: Annotated[Limit, "Most exemplars", Field(ge=1, le=500)] = 50,
) -> Exemplars:
    """Find traces behind a metric: exemplars of the series in an expression."""
    tree = guard.query(query)
    check_span(start, end)
    reply = await prometheus.query_exemplars(query, start, end)
    found = reply.read(lambda data: [_series(entry) for entry in data or ()])
    shown, left = _first(found, limit)
    result = Exemplars(items=shown, truncated=left > 0, total=len(found), warnings=reply.warnings)
    if left:
        result.hint = f"{left} more exemplars: raise limit, shorten the range or add label matchers."
    elif not found:
        # Series without exemplars are the normal case: only a name that does not exist explains more.
        result.hint = await emptiness.explain_names(prometheus, tree) or _STORAGE
    return result


_STORAGE = "Exemplars are kept only with --enable-feature=exemplar-storage, for OpenMetrics targets that expose them."


def _series(entry: dict[str, Any]) -> Exemplified:
    exemplars = [_exemplar(one) for one in entry.get("exemplars") or ()]
    # The newest are the ones whose traces are still kept.
    exemplars.sort(key=lambda one: one.timestamp, reverse=True)
    return Exemplified(series=entry["seriesLabels"], exemplars=exemplars)


def _exemplar(one: dict[str, Any]) -> Exemplar:
    value, note = number(one["value"])
    return Exemplar(labels=one["labels"], value=value, note=note, timestamp=plain(one["timestamp"]))


def _first(found: list[Exemplified], limit: int) -> tuple[list[Exemplified], int]:
    """At most `limit` exemplars, taken from each series in turn, and how many are left out."""
    counts = dict.fromkeys(range(len(found)), 0)
    room = min(limit, sum(len(series.exemplars) for series in found))
    left = sum(len(series.exemplars) for series in found) - room
    # In turn, so that one busy series does not crowd out the others.
    while room:
        for index, series in enumerate(found):
            if room and counts[index] < len(series.exemplars):
                counts[index] += 1
                room -= 1
    taken = (Exemplified(series=one.series, exemplars=one.exemplars[: counts[i]]) for i, one in enumerate(found))
    return [series for series in taken if series.exemplars], left
