"""What callers mean without saying it as PromQL does (P7): dotted names, series counted, ends ahead, days, steps."""

import time
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmcp_prometheus.promql.dotted import repaired
from kmcp_prometheus.promql.lexer import SyntaxFault
from kmcp_prometheus.promql.parser import parse
from tests.mcp import ToolCaller
from tests.prometheus import exporter, expressions, known
from tests.slowness import scaled

QUERY, RANGE, SERIES = "prometheus_query_tool", "prometheus_query_range_tool", "prometheus_series_tool"
DOTTED = [
    ("http.client.requests", '{"http.client.requests"}'),
    ("rate(http.client.requests[5m])", 'rate({"http.client.requests"}[5m])'),
    ('http.client.requests{http.route="/a.b"}', '{"http.client.requests","http.route"="/a.b"}'),
    ("http.client.requests { }", '{"http.client.requests" }'),
    (
        'sum by (http.route, job) (rate(a.b{c="d"}[5m])) / on (x.y) group_left (z.w) up',
        'sum by ("http.route", job) (rate({"a.b",c="d"}[5m])) / on ("x.y") group_left ("z.w") up',
    ),
    ("x.y > 1.5 # a.b c", '{"x.y"} > 1.5 # a.b c'),
    ("a.b offset 5m", '{"a.b"} offset 5m'),
]


@pytest.mark.parametrize(("query", "meant"), DOTTED)
def test_dotted_names_are_put_in_quotes_as_prometheus_reads_them(prometheus: str, query: str, meant: str) -> None:
    found = repaired(query)
    assert found.replace(" ", "") == meant.replace(" ", "")
    form = {"query": found}
    assert httpx2.post(f"{prometheus}/api/v1/parse_query", data=form, timeout=scaled(30)).json()["status"] == "success"


@pytest.mark.parametrize("query", [*expressions.RIGHT, *expressions.WRONG])
def test_other_expressions_stay_as_they_are(query: str) -> None:
    found = repaired(query)
    if found != query:
        parse(found)
        with pytest.raises(SyntaxFault):
            parse(query)


@given(st.text(alphabet="ab.{}()[]\"'`,=#5m by\n", max_size=40))
def test_any_text_is_repaired_to_an_expression_or_left(text: str) -> None:
    found = repaired(text)
    if found != text:
        parse(found)


async def test_a_dotted_name_is_read(scraped: ToolCaller) -> None:
    for query in ("shop.orders", 'shop.orders{service.name="a/b c"}', "sum by (service.name) (shop.orders)"):
        (item,) = (await scraped.ok(QUERY, query=query))["items"]
        assert item["value"] == exporter.ORDERS, query
    assert (await scraped.ok(SERIES, match="shop.orders"))["returned"] == 1
    checked = await scraped.ok("prometheus_promql_tool", query="rate(shop.orders[5m])")
    assert checked["valid"] is False
    assert 'rate({"shop.orders"}[5m])' in checked["hint"]


@pytest.mark.parametrize(
    "query",
    [
        'count({__name__=~".+"})',
        'topk(10, count by (__name__) ({__name__=~".+"}))',
        'count(count by (job) ({__name__!=""}))',
    ],
)
async def test_every_series_may_be_counted_at_one_moment(tools: ToolCaller, query: str) -> None:
    assert (await tools.ok(QUERY, query=query, time=known.at(119)))["items"]


@pytest.mark.parametrize(
    ("tool", "query"),
    [
        (QUERY, '{__name__=~".+"}'),
        (QUERY, 'sum({__name__=~".+"})'),
        (QUERY, 'count(rate({__name__=~".+"}[5m]))'),
        (QUERY, 'count({__name__=~".+"}) + {__name__=~".+"}'),
        (QUERY, 'max_over_time(count({__name__=~".+"})[1d:1s])'),
        (RANGE, 'count({__name__=~".+"})'),
    ],
)
async def test_every_series_is_not_read(tools: ToolCaller, tool: str, query: str) -> None:
    assert "would read every series" in (await tools.fails(tool, query=query))["message"]


@pytest.mark.parametrize(
    "span",
    [
        {"end": "now+1h"},
        {"start": "now-1h", "end": "now+1h"},
        {"start": time.strftime("%Y-%m-%d", time.gmtime(known.BEGIN - 86400))},
    ],
)
async def test_ends_ahead_and_days_are_taken(tools: ToolCaller, span: dict[str, Any]) -> None:
    answer = await tools.ok(RANGE, query="vector(1)", **span)
    (series,) = answer["items"]
    assert all(len(point) == 2 for point in series["values"])


@pytest.mark.parametrize("step", ["0.0001", 0.0001, "0.1ms"])
async def test_a_step_below_the_resolution_names_the_least(tools: ToolCaller, step: str | float) -> None:
    error = await tools.fails(RANGE, query="up", step=step)
    assert (error["code"], "at least 1 ms" in error["message"]) == ("bad_argument", True)
    assert "leave it out" in error["hint"]


async def test_times_of_the_head_and_of_blocks_are_seconds(tools: ToolCaller) -> None:
    head = (await tools.ok("prometheus_tsdb_status_tool"))["head_stats"]
    assert known.BEGIN - 86400 < head["minTime"] <= head["maxTime"] < time.time() + 86400
    for block in (await tools.ok("prometheus_tsdb_status_tool", view="blocks"))["blocks"]:
        assert known.BEGIN - 86400 < block["min_time"] < block["max_time"] < time.time() + 86400
