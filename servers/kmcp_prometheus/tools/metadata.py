"""What metrics mean: type, help text and unit, as their targets describe them."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from kmcp_prometheus.api.replies import Reply
from kmcp_prometheus.client import Prometheus
from kmcp_prometheus.guidance import emptiness, names
from kmcp_prometheus.promql import guard
from kmcp_runtime import Effect, Limit, Page, tool

_HISTOGRAMS = frozenset({"histogram", "gaugehistogram"})
_PARTS = {
    "_bucket": _HISTOGRAMS,
    "_sum": _HISTOGRAMS | {"summary"},
    "_count": _HISTOGRAMS | {"summary"},
    "_gsum": frozenset({"gaugehistogram"}),
    "_gcount": frozenset({"gaugehistogram"}),
    "_total": frozenset({"counter"}),
    "_created": _HISTOGRAMS | {"summary", "counter"},
    "_info": frozenset({"info"}),
}
"""Suffixes of the series of a family, and the types of families that have them (OpenMetrics)."""
MetricType = Literal["counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset", "unknown"]


class Metric(BaseModel):
    """A metric as one kind of target describes it."""

    metric: str
    type: str
    help: str | None = None
    unit: str | None = None


class Metrics(Page[Metric]):
    """Metrics, sorted by name."""


class TargetMetric(Metric):
    target: dict[str, str] = Field(description="The target's labels")


class TargetMetrics(Page[TargetMetric]):
    """Metrics by target."""


@tool(Effect.READ)
async def prometheus_metadata_tool(
    prometheus: Prometheus,
    metric: Annotated[str | None, "Exact name"] = None,
    search: Annotated[str | None, "In name or help"] = None,
    type: Annotated[MetricType | None, "Type"] = None,
    limit: Limit = 100,
    limit_per_metric: Annotated[int, "Descriptions of each", Field(ge=1, le=100)] = 1,
) -> Metrics:
    """Find metrics by what they are about, with type, help and unit."""
    # The search is done here: the API has none, and `limit` there would cut before it.
    reply, family = await _read_family(prometheus, "/metadata", [], metric)
    known = reply.mapping()
    described = reply.read(
        lambda data: [_metric(name, entry) for name in sorted(known) for entry in data[name][:limit_per_metric]]
    )
    found = [entry for entry in described if _fits(entry, family, search, type)]
    result = Metrics(items=found[:limit], total=len(found), truncated=len(found) > limit, warnings=reply.warnings)
    if result.truncated:
        result.hint = "Narrow with search or type."
    elif not found:
        result.hint = await _explain_none(prometheus, metric, len(known))
    elif family != metric:
        result.hint = f"{metric} is a series of {family}."
    return result


@tool(Effect.READ)
async def prometheus_target_metadata_tool(
    prometheus: Prometheus,
    match_target: Annotated[str | None, "Matchers of target labels"] = None,
    metric: Annotated[str | None, "Exact name"] = None,
    limit: Limit = 100,
) -> TargetMetrics:
    """Show which targets expose a metric, or what a target exposes."""
    matchers = guard.matchers(match_target, "match_target") if match_target else []
    # The API wants braces, which callers often leave out.
    selector = f"{{{match_target}}}" if match_target and "{" not in match_target else match_target
    parameters = [("match_target", selector if matchers else None)]
    reply, family = await _read_family(prometheus, "/targets/metadata", parameters, metric)
    found = reply.read(lambda data: [_of_target(entry, family) for entry in data or ()])
    found.sort(key=lambda entry: (entry.metric, sorted(entry.target.items())))
    result = TargetMetrics(items=found[:limit], total=len(found), truncated=len(found) > limit, warnings=reply.warnings)
    if result.truncated:
        result.hint = "Narrow with metric or match_target."
    elif not found:
        result.hint = "No active target matches; prometheus_targets_tool lists them with their labels."
    elif family != metric:
        result.hint = f"{metric} is a series of {family}."
    return result


async def _read_family(
    prometheus: Prometheus, path: str, parameters: list[tuple[str, Any]], metric: str | None
) -> tuple[Reply, str | None]:
    """The description of a metric, or of the family that it is a series of: targets describe `x`, not `x_bucket`."""
    reply = await prometheus.get(path, [*parameters, ("metric", metric)])
    if metric is None or reply.read(bool):
        return reply, metric
    for suffix, types in _PARTS.items():
        family = metric.removesuffix(suffix)
        if family in ("", metric):
            continue
        of_family = await prometheus.get(path, [*parameters, ("metric", family)])
        if _types(of_family) & types:
            return of_family, family
    return reply, metric


def _types(reply: Reply) -> set[str]:
    """The types in an answer: a mapping of lists, or of targets a list."""
    lists = reply.read(lambda data: list(data.values()) if isinstance(data, dict) else [data or []])
    return {str(entry["type"]) for found in lists for entry in found}


def _of_target(entry: dict[str, Any], metric: str | None) -> TargetMetric:
    return TargetMetric(target=entry["target"], **_described(entry.get("metric") or metric or "", entry))


def _metric(name: str, entry: dict[str, Any]) -> Metric:
    return Metric(**_described(name, entry))


def _described(name: str, entry: dict[str, Any]) -> dict[str, Any]:
    return {"metric": name, "type": entry["type"], "help": entry.get("help") or None, "unit": entry.get("unit") or None}


# Every word must occur, in any order: "request duration" finds request_duration_seconds.
def _fits(entry: Metric, metric: str | None, search: str | None, type_: str | None) -> bool:
    words = (search or "").lower().split()
    text = f"{entry.metric} {entry.help or ''}".lower()
    return metric in (None, entry.metric) and type_ in (None, entry.type) and all(word in text for word in words)


async def _explain_none(prometheus: Prometheus, metric: str | None, known: int) -> str:
    if metric and not await names.exists(prometheus, metric):
        return await emptiness.explain_missing_metric(prometheus, metric)
    if metric:
        return f"{metric} exists, but no active target describes it: it is recorded by a rule, or its target is gone."
    if known:
        return (
            f"None of {known} described metrics matches; prometheus_label_values_tool lists all names, "
            "those of recording rules included."
        )
    return "No active target describes its metrics; prometheus_label_values_tool label_name=__name__ lists names."
