"""Expressions at one moment; every figure is worked out from `known`."""

import time
from typing import Any

import pytest

from tests.mcp import ToolCaller
from tests.prometheus import exporter, known, otlp

QUERY = "prometheus_query_tool"


def by(answer: dict[str, Any], label: str) -> dict[str, Any]:
    """The values by one label."""
    return {item["metric"].get(label, ""): item["value"] for item in answer["items"]}


async def test_rates_of_counters(tools: ToolCaller) -> None:
    query = "sum by (code) (rate(shop_requests_total[5m]))"
    answer = await tools.ok(QUERY, query=query, time=known.at(60))
    assert answer["result_type"] == "vector"
    assert by(answer, "code") == pytest.approx({"200": (6 + 12) / 60, "500": 0.6 / 60})
    assert {item["timestamp"] for item in answer["items"]} == {known.at(60)}
    assert (answer["returned"], answer["truncated"]) == (2, False)


async def test_quantiles_of_a_classic_histogram(tools: ToolCaller) -> None:
    for q, expected in [(0.9, 0.5), (0.7, 0.1 + 0.4 * 20 / 40), (0.25, 0.05)]:
        query = f"histogram_quantile({q}, rate(shop_latency_seconds_bucket[5m]))"
        (item,) = (await tools.ok(QUERY, query=query, time=known.at(30)))["items"]
        assert item["value"] == pytest.approx(expected)


async def test_comparisons_alternatives_and_anchors(tools: ToolCaller) -> None:
    query = 'shop_requests_total{code=~"2..|3..",instance!~"^b$"} > 300'
    answer = await tools.ok(QUERY, query=query, time=known.at(60))
    assert [(item["metric"]["instance"], item["value"]) for item in answer["items"]] == [("a", 360)]


async def test_what_is_no_number_is_null_and_noted(tools: ToolCaller) -> None:
    for minute, word in known.CELLAR.items():
        answer = await tools.ok(QUERY, query="shop_temperature_celsius", time=known.at(minute))
        cellar, kitchen = sorted(answer["items"], key=lambda item: str(item["metric"]["room"]))
        assert cellar["value"] is None
        assert cellar["note"] == word
        assert kitchen["value"] == known.kitchen(minute)
        assert "note" not in kitchen


async def test_scalars_texts_and_raw_samples(tools: ToolCaller) -> None:
    scalar = await tools.ok(QUERY, query="6 * 7", time=known.BEGIN)
    assert scalar["result_type"] == "scalar"
    assert scalar["items"] == [{"metric": {}, "value": 42, "timestamp": known.BEGIN}]
    text = await tools.ok(QUERY, query='"seven"')
    assert (text["result_type"], text["text"], text["items"]) == ("string", "seven", [])
    raw = await tools.ok(QUERY, query='shop_temperature_celsius{room="cellar"}[3m]', time=known.at(7))
    assert raw["result_type"] == "matrix"
    (series,) = raw["items"]
    assert series["values"] == [[known.at(5), None], [known.at(6), None], [known.at(7), None]]
    assert series["note"] == f"NaN at {known.at(5)}; +Inf at {known.at(6)}; -Inf at {known.at(7)}"
    assert "rate(" in raw["hint"]


async def test_names_of_any_characters(scraped: ToolCaller) -> None:
    answer = await scraped.ok(QUERY, query='{"shop.orders","service.name"="a/b c"}')
    assert by(answer, "service.name") == {"a/b c": exporter.ORDERS}


async def test_a_native_histogram_keeps_its_buckets(tools: ToolCaller, histogram: otlp.Pushed) -> None:
    for times, moment in enumerate((histogram.first, histogram.second), start=1):
        (item,) = (await tools.ok(QUERY, query=otlp.NAME, time=moment))["items"]
        assert "value" not in item
        assert item["histogram"]["count"] == otlp.COUNT * times
        assert item["histogram"]["sum"] == otlp.SUM * times
        found = list(item["histogram"]["buckets"].values())
        assert found == [count * times for count in otlp.BUCKETS.values()]
        assert "(4, 8]" in item["histogram"]["buckets"]
    query = f"histogram_quantile(1, increase({otlp.NAME}[2m]))"
    (item,) = (await tools.ok(QUERY, query=query, time=histogram.second))["items"]
    assert item["value"] == pytest.approx(8)


async def test_relative_times_and_lookback(tools: ToolCaller) -> None:
    ago = f"now-{time.time() - known.END - 600:.0f}s"
    assert (await tools.ok(QUERY, query="shop_queue_used", time=ago))["items"] == []
    answer = await tools.ok(QUERY, query="shop_queue_used", time=ago, lookback="20m")
    assert [item["value"] for item in answer["items"]] == [known.QUEUE_USED]


async def test_warnings_and_infos_are_passed_on(tools: ToolCaller) -> None:
    answer = await tools.ok(QUERY, query="rate(shop_temperature_celsius[5m])", time=known.at(60))
    assert any("might not be a counter" in info for info in answer["infos"])
    answer = await tools.ok(QUERY, query="histogram_quantile(2, shop_latency_seconds_bucket)", time=known.at(60))
    assert any("quantile value should be between 0 and 1" in warning for warning in answer["warnings"])


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("shop_temprature_celsius", "no metric shop_temprature_celsius; nearest: shop_temperature_celsius."),
        ('shop_temperature_celsius{room="kitchn"}', 'matches room="kitchn"; there are 2, nearest: kitchen'),
        ('shop_temperature_celsius{rom="kitchen"}', "has no label rom; it has room"),
        ("shop_temperature_celsius > 1000", "passes the comparison"),
        ('shop_requests_total{instance="b",code="500"}', "Each of these labels exists, but no series has all of them"),
        ("shop_queue_used / on (room) shop_temperature_celsius", "no two of them share the labels"),
        ("vector(1) == 2", "passes the comparison"),
    ],
)
async def test_an_empty_answer_explains_itself(tools: ToolCaller, query: str, why: str) -> None:
    answer = await tools.ok(QUERY, query=query, time=known.at(60))
    assert answer["items"] == []
    assert answer["truncated"] is False
    assert why in answer["hint"]


@pytest.mark.parametrize(
    ("query", "message", "hint"),
    [
        ("rate(shop_requests_total[5m)", '1:28: parse error: unexpected ")"', None),
        ("sum(rate(x[5m])\n  by job", "2:3: parse error", None),
        ("rate(shop_requests_total)", "expected type range vector", "metric[5m]"),
        ("sum(shop_requests_total[5m])", "got range vector", "rate("),
        ("shop_requests_total / ignoring (code) shop_requests_total", "duplicate series", "match on("),
        ("", "query: empty", "up"),
        ("{}", "non-empty matcher", "prometheus_label_values_tool"),
        ('{__name__=~".+"}', "would read every series", "prometheus_tsdb_status_tool"),
        ('sum by (__name__) ({__name__!=""})', "would read every series", "prometheus_tsdb_status_tool"),
        ('up{job=~"["}', "error parsing regexp", None),
    ],
)
async def test_a_wrong_expression(tools: ToolCaller, query: str, message: str, hint: str | None) -> None:
    error = await tools.fails(QUERY, query=query, time=known.at(60))
    assert error["code"] == "bad_argument"
    assert message in error["message"]
    assert (hint or "") in (error.get("hint") or "")


async def test_a_caret_points_at_the_error(tools: ToolCaller) -> None:
    error = await tools.fails(QUERY, query="sum(up)\n  by (job) (ü + )")
    told, line, caret = error["message"].split("\n")
    assert '2:12: parse error: unexpected "("' in told
    assert line == "  by (job) (ü + )"
    assert line[caret.index("^")] == "("


async def test_a_caret_in_a_long_line(tools: ToolCaller) -> None:
    error = await tools.fails(QUERY, query=f"{'up + ' * 200} ) + up")
    _, line, caret = error["message"].split("\n")
    assert len(line) <= 160
    # Prometheus places a needless parenthesis one character late.
    assert line[caret.index("^") - 1] == ")"


async def test_a_time_in_the_future_is_refused(tools: ToolCaller) -> None:
    error = await tools.fails(QUERY, query="up", time="+10m")
    assert error["code"] == "bad_argument"
    assert "in the future" in error["message"]


async def test_exactly_as_many_series_as_the_limit_are_not_truncated(tools: ToolCaller) -> None:
    answer = await tools.ok(QUERY, query="shop_requests_total", time=known.at(60), limit=3)
    assert (answer["returned"], answer["truncated"]) == (3, False)
    answer = await tools.ok(QUERY, query="shop_requests_total", time=known.at(60), limit=2)
    assert (answer["returned"], answer["truncated"], answer["total"]) == (2, True, 3)
    assert "topk(2, shop_requests_total)" in answer["hint"]
    assert not answer.get("warnings")


async def test_arguments_of_older_callers(tools: ToolCaller, prometheus: str) -> None:
    answer = await tools.ok(
        QUERY, query="shop_queue_used", time=str(known.at(3)), timeout="10", prometheus_url=f"{prometheus}/"
    )
    assert answer["items"][0]["value"] == known.QUEUE_USED
    error = await tools.fails(QUERY, query="up", prometheus_url="http://169.254.169.254")
    assert error["code"] == "bad_argument"
    assert "configured on the server" in error["message"]
