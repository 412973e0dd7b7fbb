"""Hints for empty answers are true or absent (P3); families are described under the names of their series (P4)."""

from typing import Any

import pytest

from tests.mcp import ToolCaller
from tests.prometheus import known

QUERY, RANGE = "prometheus_query_tool", "prometheus_query_range_tool"
WRONG = ("try another time", "no series has all", "There is no metric")
"""What none of these queries may be told."""


@pytest.mark.parametrize(
    ("query", "why"),
    [
        (
            "absent(shop_queue_used)",
            "absent(…) has a result only while there is no such series: shop_queue_used exists",
        ),
        ("absent_over_time(shop_queue_used[5m])", "exists"),
        ("sum(absent(shop_queue_used))", "exists"),
        (
            "rate(shop_requests_total[30s])",
            "the range of 30s holds one sample of a series at most, and two are needed; one of 5m holds",
        ),
        ("sum by (code) (increase(shop_requests_total[1m]))", "one of 5m holds"),
        ("delta(shop_queue_used[1s] offset 30s)", "the range of 1s holds no sample; one of 5m holds"),
        ("topk(0, shop_queue_used)", "topk(0, …) chooses no series"),
        ("bottomk(0, shop_queue_used)", "chooses no series"),
        ("histogram_quantile(0.9, sum(rate(shop_latency_seconds_bucket[5m])))", "needs the label le"),
        ("histogram_quantile(0.9, shop_queue_used)", "needs the label le"),
        ("histogram_count(shop_queue_used)", "none of them is one"),
        ("shop_queue_used offset 30d", "(offset 30d), nor in the 7d before"),
        ("shop_queue_used offset -6h", "the last one is more than 5m and at most 1d older"),
        ("shop_queue_used @ 1000", "at 1000 (@ 1000)"),
        ("shop_queue_used unless shop_queue_used", "Every series on the left"),
        ("shop_queue_used and on (room) shop_temperature_celsius", "no two of them share the labels"),
        ("-(shop_queue_used > 1e6)", "passes the comparison"),
        ("shop_temperature_celsius > on (room) shop_temperature_celsius", "passes the comparison"),
        ('shop_queue_used offset 30d or shop_requests_total{code="404"}', "No value of label code"),
        ("clamp_max(shop_queue_used offset 30d, 1)", "(offset 30d)"),
    ],
)
async def test_the_reason_is_the_true_one(tools: ToolCaller, query: str, why: str) -> None:
    answer = await tools.ok(QUERY, query=query, time=known.at(60))
    assert answer["items"] == []
    assert why in answer["hint"]


@pytest.mark.parametrize(
    "query",
    [
        "max_over_time(shop_queue_used[1h:1m] offset 30d)",
        "shop_queue_used offset (1d * 30)",
        "label_replace(vector(1) == 2, 'a', 'b', 'c', 'd')",
    ],
)
async def test_without_a_certain_reason_there_is_no_false_one(tools: ToolCaller, query: str) -> None:
    answer = await tools.ok(QUERY, query=query, time=known.at(60))
    assert answer["items"] == []
    assert not any(words in answer.get("hint", "") for words in WRONG)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"query": "shop_queue_used", "start": known.END + 3600, "end": known.END + 7200}, "at most 1d older"),
        ({"query": "absent(shop_queue_used)", "start": known.at(10), "end": known.at(20)}, "exists"),
        ({"query": "rate(shop_requests_total[30s])", "start": known.at(10), "end": known.at(20)}, "two are needed"),
        ({"query": "shop_queue_used > 1e6", "start": known.at(10), "end": known.at(20)}, "passes the comparison"),
    ],
)
async def test_over_time_too(tools: ToolCaller, arguments: dict[str, Any], why: str) -> None:
    answer = await tools.ok(RANGE, **arguments)
    assert answer["items"] == []
    assert why in answer["hint"]


async def test_series_without_exemplars_are_not_called_missing(tools: ToolCaller) -> None:
    answer = await tools.ok("prometheus_query_exemplars_tool", query="up")
    assert answer["items"] == []
    assert answer["hint"].startswith("Exemplars are kept only")


@pytest.mark.parametrize(
    ("metric", "family", "kind"),
    [
        ("checkout_seconds_bucket", "checkout_seconds", "histogram"),
        ("checkout_seconds_sum", "checkout_seconds", "histogram"),
        ("checkout_seconds_count", "checkout_seconds", "histogram"),
        ("checkouts_total", "checkouts", "counter"),
        ("checkout_seconds", "checkout_seconds", "histogram"),
    ],
)
async def test_a_series_is_described_by_its_family(scraped: ToolCaller, metric: str, family: str, kind: str) -> None:
    for tool in ("prometheus_metadata_tool", "prometheus_target_metadata_tool"):
        answer = await scraped.ok(tool, metric=metric)
        assert {(item["metric"], item["type"]) for item in answer["items"]} == {(family, kind)}
        assert answer.get("hint") == (f"{metric} is a series of {family}." if metric != family else None)
    odd = await scraped.ok("prometheus_metadata_tool", metric="carts_total")
    assert odd["items"] == []


async def test_what_is_often_written_is_taken_or_explained(tools: ToolCaller) -> None:
    """P7: names with dots, steps that are no steps, ends in the future, days."""
    answer = await tools.ok(QUERY, query="sum(http.client.requests)")
    assert "There is no metric http.client.requests" in answer["hint"]
    error = await tools.fails(QUERY, query="sum(http.client.requests")
    assert error["hint"] == 'a name with dots stands in quotes and braces: {"http.client.requests"}'
    error = await tools.fails(RANGE, query="up", start="now-1s", step="0.0001")
    assert (error["code"], "1 ms" in error["message"]) == ("bad_argument", True)
    assert (await tools.ok(RANGE, query="up", start="now-1h", end="now+1h"))["end"] > 0
    day = await tools.ok(RANGE, query="vector(1)", start="2026-01-01", end="2026-01-02")
    assert (day["start"], day["end"]) == (1767225600, 1767312000)
    head = (await tools.ok("prometheus_tsdb_status_tool"))["head_stats"]
    assert head["minTime"] < 10_000_000_000
