"""Expressions over time: steps, points and summaries."""

import pytest

from tests.mcp import ToolCaller
from tests.prometheus import known, otlp

RANGE = "prometheus_query_range_tool"
KITCHEN = 'shop_temperature_celsius{room="kitchen"}'


async def test_points_at_every_step(tools: ToolCaller) -> None:
    answer = await tools.ok(RANGE, query=KITCHEN, start=known.at(0), end=known.at(10), step="2m")
    assert (answer["step_seconds"], answer["start"], answer["end"]) == (120, known.at(0), known.at(10))
    (series,) = answer["items"]
    assert series["values"] == [[known.at(i), known.kitchen(i)] for i in range(0, 11, 2)]


async def test_a_summary_of_each_series(tools: ToolCaller) -> None:
    answer = await tools.ok(RANGE, query=KITCHEN, start=known.at(0), end=known.at(119), step="1m", mode="summary")
    (summary,) = answer["items"]
    expected = {"first": 20, "last": 29, "min": 20, "max": 29, "avg": 24.5, "p95": 29, "samples": 120}
    assert {name: summary[name] for name in expected} == pytest.approx(expected)


async def test_the_percentile_is_prometheus_own(tools: ToolCaller) -> None:
    span = {"start": known.at(3), "end": known.at(19), "step": "1m"}
    for query in (KITCHEN, 'shop_requests_total{code="500"}', f"sum({KITCHEN}) by (room) ^ 2"):
        answer = await tools.ok(RANGE, query=query, mode="summary", **span)
        own = f"quantile_over_time(0.95, ({query})[960001ms:1m])"
        (theirs, *_) = (await tools.ok("prometheus_query_tool", query=own, time=known.at(19)))["items"]
        named = {name: value for name, value in theirs["metric"].items() if name != "__name__"}
        mine = next(item for item in answer["items"] if named.items() <= item["metric"].items())
        assert mine["p95"] == pytest.approx(theirs["value"]), query


async def test_a_summary_leaves_out_what_is_no_number(tools: ToolCaller) -> None:
    query = 'shop_temperature_celsius{room="cellar"}'
    answer = await tools.ok(RANGE, query=query, start=known.at(0), end=known.at(9), step="1m", mode="summary")
    (summary,) = answer["items"]
    assert (summary["min"], summary["max"], summary["avg"], summary["samples"]) == (10, 10, 10, 10)
    assert summary["note"] == f"NaN at {known.at(5)}; +Inf at {known.at(6)}; -Inf at {known.at(7)}"
    points = await tools.ok(RANGE, query=query, start=known.at(4), end=known.at(5), step="1m")
    assert points["items"][0]["values"] == [[known.at(4), 10], [known.at(5), None]]


async def test_native_histograms_over_time(tools: ToolCaller, histogram: otlp.Pushed) -> None:
    span = {"start": histogram.first, "end": histogram.second, "step": "60s"}
    (series,) = (await tools.ok(RANGE, query=otlp.NAME, **span))["items"]
    assert [(at, found["count"]) for at, found in series["histograms"]] == [
        (histogram.first, otlp.COUNT),
        (histogram.second, 2 * otlp.COUNT),
    ]
    (summary,) = (await tools.ok(RANGE, query=otlp.NAME, mode="summary", **span))["items"]
    assert summary["samples"] == 2
    assert summary["last_histogram"]["sum"] == 2 * otlp.SUM


@pytest.mark.parametrize(
    ("minutes", "max_points", "step"), [(60, 200, 20), (60, 10, 600), (120, 1000, 10), (1, 200, 1), (0, 200, 1)]
)
async def test_the_step_is_chosen_to_a_number_of_points(
    tools: ToolCaller, minutes: int, max_points: int, step: int
) -> None:
    span = {"start": known.BEGIN, "end": known.at(minutes)}
    answer = await tools.ok(RANGE, query="vector(1)", max_points=max_points, limit=1, **span)
    assert answer["step_seconds"] == step
    assert len(answer["items"][0]["values"]) <= max_points


async def test_the_last_hour_is_the_default(tools: ToolCaller) -> None:
    answer = await tools.ok(RANGE, query="vector(1)", mode="summary")
    assert answer["end"] - answer["start"] == pytest.approx(3600, abs=1)
    assert answer["items"][0]["samples"] <= 200


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        ({"step": "1s", "start": "now-7d"}, "604800 points", "step=60 s is the smallest"),
        ({"step": "0s"}, "must be at least 1 ms", "leave it out"),
        ({"start": "now", "end": "now-1h"}, "after end", "now-1h"),
        ({"start": "yesterday"}, "is not a valid time", None),
        ({"step": "5 parsecs"}, "is not a valid duration", None),
        ({"max_points": 1001}, "must be at most 1000", None),
        ({"mode": "sumary"}, "did you mean summary?", None),
        ({"query": "shop_requests_total[5m]"}, 'invalid expression type "range vector"', "rate("),
    ],
)
async def test_a_wrong_range(tools: ToolCaller, arguments: dict[str, object], message: str, hint: str | None) -> None:
    error = await tools.fails(RANGE, **{"query": "up", **arguments})
    assert error["code"] == "bad_argument"
    assert message in error["message"]
    assert (hint or "") in (error.get("hint") or "")


async def test_an_empty_range_explains_itself(tools: ToolCaller) -> None:
    answer = await tools.ok(RANGE, query="shop_queue_usd", start=known.at(0), end=known.at(9))
    assert answer["items"] == []
    assert "nearest: shop_queue_used" in answer["hint"]
    answer = await tools.ok(RANGE, query="shop_queue_used", start=known.BEGIN - 7200, end=known.BEGIN - 3600)
    assert f"between {known.BEGIN - 7200} and {known.BEGIN - 3600}" in answer["hint"]


async def test_many_points_point_to_the_summary(tools: ToolCaller) -> None:
    span = {"start": known.BEGIN, "end": known.END, "step": "5s"}
    answer = await tools.ok(RANGE, query="shop_requests_total", **span)
    assert answer["truncated"] is True
    assert "mode=summary" in answer["hint"]
