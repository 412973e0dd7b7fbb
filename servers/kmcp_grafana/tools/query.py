"""Queries in a data source's own language."""

from typing import Annotated, Any

from pydantic import Field

from kmcp_grafana.actions.arguments import MaxPoints, OptionalEnd, OptionalStart
from kmcp_grafana.actions.table import STAND_IN
from kmcp_grafana.client.grafana import Grafana
from kmcp_grafana.datasources import queries, range_queries, sources
from kmcp_runtime import Effect, Limit, Page, tool


class Found(Page[dict[str, Any]]):
    """Series (`{name, labels, values}` or a summary of them), or log lines (`{time, line, labels}`)."""

    datasource: str
    datasource_type: str = Field(description="Plugin of the data source")


@tool(Effect.READ, extra=True, verified="stand-in", why=STAND_IN)
async def grafana_query(
    grafana: Grafana,
    query: Annotated[str, "PromQL or LogQL", Field(min_length=1)],
    datasource: Annotated[str | None, "uid or name; none: the default"] = None,
    start: OptionalStart = None,
    end: OptionalEnd = None,
    max_points: MaxPoints = 200,
    mode: Annotated[range_queries.Mode, "Points, or min, max, avg and last"] = "points",
    limit: Limit = 20,
) -> Found:
    """Query a Prometheus or Loki data source over a time range; mode=summary for a first look."""
    source = await sources.choose_source(grafana, datasource)
    over = queries.make_span(start, end, max_points)
    frames = await queries.run_query(grafana, source, range_queries.build_query(source, query, limit), over)
    lines = list(queries.lines_of(frames))
    rows = lines or [
        range_queries.show_series(name, labels, points, mode) for name, labels, points in queries.series_of(frames)
    ]
    found = Found(
        items=rows[:limit],
        # Of lines one more than is shown was asked for; how many more there are nobody has counted.
        total=None if lines and len(rows) > limit else len(rows),
        truncated=len(rows) > limit,
        datasource=str(source["name"]),
        datasource_type=str(source["type"]),
    )
    if found.truncated:
        found.hint = "More match: narrow the query (labels, topk), or raise limit."
    if not rows:
        found.hint = "Nothing matches in this time range: widen start and end, or check the names in the query."
    return found
