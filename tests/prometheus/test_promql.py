"""PromQL itself: this server's parser against Prometheus', checks of names, and expressions built from words."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from kmcp_prometheus.promql import printing, trees
from kmcp_prometheus.promql.lexer import SyntaxFault
from kmcp_prometheus.promql.parser import parse
from tests.mcp import ToolCaller
from tests.prometheus import expressions, known, otlp, program
from tests.prometheus.conftest import Binaries, connect
from tests.slowness import scaled

PROMQL, QUERY = "prometheus_promql_tool", "prometheus_query_tool"


def asked(url: str, path: str, query: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx2.post(f"{url}/api/v1/{path}", data={"query": query}, timeout=scaled(30)).json()
    return found


def comparable(node: Any) -> Any:
    """A tree without the signatures of functions, which upstream describes in more detail."""
    if isinstance(node, list):
        return [comparable(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: comparable(item) for key, item in node.items() if key != "func"}
    return {**kept, "func": node["func"]["name"]} if "func" in node else kept


@pytest.mark.parametrize("query", expressions.RIGHT)
def test_our_parser_reads_what_prometheus_reads(prometheus: str, query: str) -> None:
    theirs = asked(prometheus, "parse_query", query)
    assert theirs["status"] == "success", theirs
    assert comparable(parse(query)) == comparable(theirs["data"])


@pytest.mark.parametrize("query", expressions.RIGHT)
def test_our_parser_writes_what_prometheus_writes(prometheus: str, query: str) -> None:
    theirs = asked(prometheus, "format_query", query)["data"]
    written = printing.written(parse(query))
    if "\n" not in theirs:
        assert written == theirs
    assert comparable(parse(written)) == comparable(parse(theirs))


@pytest.mark.parametrize("query", expressions.WRONG)
def test_our_parser_refuses_what_prometheus_refuses(prometheus: str, query: str) -> None:
    assert asked(prometheus, "parse_query", query)["status"] == "error"
    with pytest.raises(SyntaxFault) as caught:
        parse(query)
    assert "parse error: " in caught.value.message


def test_nesting_without_end_is_refused() -> None:
    for query in ("(" * 5000 + "1" + ")" * 5000, "-" * 5000 + "1", "1" + "^1" * 5000, "sum(" * 5000):
        with pytest.raises(SyntaxFault):
            parse(query)


async def test_an_expression_is_checked_and_explained(tools: ToolCaller) -> None:
    query = 'sum by (code)(rate(shop_requests_total{code=~"5.."}[5m])) > 0.5'
    answer = await tools.ok(PROMQL, query=query)
    assert (answer["mode"], answer["valid"]) == ("check", True)
    assert answer["formatted"] == 'sum by (code) (rate(shop_requests_total{code=~"5.."}[5m])) > 0.5'
    assert answer["ast_summary"] == {
        "functions": ["rate"],
        "aggregations": ["sum"],
        "metrics": ["shop_requests_total"],
        "matchers": ['code=~"5.."'],
        "ranges": ["5m"],
    }
    assert answer["explanation"].split("\n") == [
        ">: only series where it holds, with the value on the left, of",
        "  sum: sum for each code, of",
        "    rate: per-second rate of increase over the range, counter resets allowed for, of",
        '      series shop_requests_total{code=~"5.."}, samples of 5m',
        "  number 0.5",
    ]
    assert not {"error", "unknown_metrics", "unknown_labels", "hint"} & set(answer)


@pytest.fixture(scope="module")
def experimental(binaries: Binaries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Prometheus with every experimental part of the language switched on."""
    features = "duration-expr", "experimental-functions", "extended-range-selectors", "binop-fill-modifiers"
    flag = f"--enable-feature={','.join(f'promql-{feature}' for feature in features)}"
    with program.running(binaries, tmp_path_factory.mktemp("experimental"), program.EMPTY, flag) as url:
        yield url


@pytest.mark.parametrize("query", expressions.EXPERIMENTAL)
def test_our_parser_reads_and_writes_what_is_experimental(experimental: str, query: str) -> None:
    tree = parse(query)
    assert comparable(tree) == comparable(asked(experimental, "parse_query", query)["data"])
    assert printing.written(tree) == asked(experimental, "format_query", query)["data"]


@pytest.mark.parametrize(("query", "lines"), expressions.EXPLAINED)
async def test_explanations_show_durations_and_moments(experimental: str, query: str, lines: list[str]) -> None:
    async with connect(prometheus_url=experimental) as caller:
        answer = await caller.ok(PROMQL, query=query)
    assert answer["explanation"].split("\n") == lines


@pytest.mark.parametrize("query", ['{"http.client.requests","лейбл"="нет"}', 'up{job="/"}', '{"/"}', 'up{"лейбл"="x"}'])
async def test_names_without_ascii_words_get_an_explained_empty_answer(scraped: ToolCaller, query: str) -> None:
    answer = await scraped.ok(QUERY, query=query)
    assert answer["items"] == []
    assert answer["hint"]
    assert (await scraped.ok(PROMQL, query=query))["valid"] is True


@pytest.mark.parametrize(
    "query", ["1e400", "up > 1e309", "foo[1e400]", "foo @ 1e400", 'up{a="\\U00110000"}', "up + " * 3000 + "up"]
)
@pytest.mark.parametrize("tool", [QUERY, PROMQL])
async def test_what_is_out_of_range_is_an_answer(tools: ToolCaller, tool: str, query: str) -> None:
    found = await tools.client.call_tool(tool, {"query": query}, raise_on_error=False)
    assert "internal, id" not in str(found.content)


async def test_every_expression_can_be_explained(tools: ToolCaller) -> None:
    for query in expressions.RIGHT:
        answer = await tools.ok(PROMQL, query=query)
        assert answer["valid"] is True, query
        assert answer["explanation"], query


async def test_what_does_not_exist_is_named_with_what_is_near(tools: ToolCaller) -> None:
    query = 'rate(shop_request_total[5m]) / on () shop_queue_used{queue="mian",zone="x",other!="y"}'
    answer = await tools.ok(PROMQL, query=query)
    (unknown,) = answer["unknown_metrics"]
    assert (unknown["metric"], unknown["near"][0]) == ("shop_request_total", "shop_requests_total")
    assert answer["unknown_labels"] == [
        {"metric": "shop_queue_used", "matcher": 'queue="mian"', "values": ["main"]},
        {"metric": "shop_queue_used", "matcher": 'zone="x"', "values": []},
    ]
    assert "empty or partial" in answer["hint"]


async def test_what_is_no_expression_is_pointed_at(tools: ToolCaller) -> None:
    answer = await tools.ok(PROMQL, query="sum(rate(up[5m]) by (job)")
    assert answer["valid"] is False
    assert answer["error"]["position"] == "1:18"
    assert "parse error" in answer["error"]["message"]
    line, caret = answer["error"]["shown"].split("\n")
    assert line[caret.index("^") :].startswith("by")


@pytest.mark.parametrize("arguments", [{}, {"query": "up", "query_description": "up"}])
async def test_one_of_the_two_is_wanted(tools: ToolCaller, arguments: dict[str, str]) -> None:
    assert (await tools.fails(PROMQL, **arguments))["code"] == "bad_argument"


REQUESTS, BAD = "shop_requests_total", 'shop_requests_total{code=~"5.."}'
LATENCY = "rate(shop_latency_seconds_bucket[5m])"
BUILT = [
    ("requests per second of the shop by code over 10 minutes", f"sum by (code) (rate({REQUESTS}[10m]))"),
    ("rate of shop_jobs_total", "sum(rate(shop_jobs_total[5m]))"),
    ("shop requests for instance=a, last hour", 'sum(rate(shop_requests_total{instance="a"}[1h]))'),
    ("error ratio of shop requests", f"sum(rate({BAD}[5m])) / sum(rate({REQUESTS}[5m]))"),
    (
        "share of failed shop jobs over 30m",
        'sum(rate(shop_jobs_total{result="failed"}[30m])) / sum(rate(shop_jobs_total[30m]))',
    ),
    ("p99 shop latency by job", f"histogram_quantile(0.99, sum by (job, le) ({LATENCY}))"),
    ("median shop latency", f"histogram_quantile(0.5, sum by (le) ({LATENCY}))"),
    ("99.9th percentile of shop latency", f"histogram_quantile(0.999, sum by (le) ({LATENCY}))"),
    ("p95 of native seconds", f"histogram_quantile(0.95, sum(rate({otlp.NAME}[5m])))"),
    ("saturation of the shop queue", "shop_queue_used / shop_queue_limit"),
    ("burn rate of shop requests, objective 99%", f"(sum(rate({BAD}[1h])) / sum(rate({REQUESTS}[1h]))) / 0.01"),
    ("shop queue used is absent", "absent(shop_queue_used)"),
    ("shop temperature by room", "sum by (room) (shop_temperature_celsius)"),
]


@pytest.mark.parametrize(("description", "expected"), BUILT)
async def test_expressions_are_built_from_words(
    tools: ToolCaller, histogram: otlp.Pushed, scraped: ToolCaller, description: str, expected: str
) -> None:
    answer = await tools.ok(PROMQL, query_description=description)
    candidates = [candidate["query"] for candidate in answer["candidates"]]
    assert expected in candidates
    assert candidates[0] == expected or description.endswith("absent")
    assert all(candidate["why"] for candidate in answer["candidates"])
    for candidate in candidates:
        checked = await tools.ok(PROMQL, query=candidate)
        assert checked["valid"] is True, candidate
        assert "unknown_metrics" not in checked, candidate
    assert answer == await tools.ok(PROMQL, query_description=description)


async def test_what_is_built_gives_the_known_figures(tools: ToolCaller) -> None:
    for description, expected in [
        ("error ratio of shop requests", 0.6 / 18.6),
        ("burn rate of shop requests, objective 99%", 0.6 / 18.6 / 0.01),
        ("share of failed shop jobs", 0.1),
        ("saturation of the shop queue", known.QUEUE_USED / known.QUEUE_LIMIT),
        ("p90 shop latency", 0.5),
    ]:
        (best, *_) = (await tools.ok(PROMQL, query_description=description))["candidates"]
        (item,) = (await tools.ok(QUERY, query=best["query"], time=known.at(70)))["items"]
        assert item["value"] == pytest.approx(expected), description


async def test_a_fast_burn_watches_two_windows(tools: ToolCaller) -> None:
    answer = await tools.ok(PROMQL, query_description="burn rate of shop requests for an SLO of 99.9%")
    alert = answer["candidates"][1]["query"]
    ranges = [selector.range_milliseconds for selector in trees.selectors(parse(alert))]
    assert set(ranges) == {3_600_000, 300_000}
    assert "> 14.4 and " in alert
    (item,) = (await tools.ok(QUERY, query=alert, time=known.at(70)))["items"]
    assert item["value"] == pytest.approx(0.6 / 18.6 / 0.001)


async def test_words_that_fit_nothing_are_said(tools: ToolCaller) -> None:
    answer = await tools.ok(PROMQL, query_description="flux of the capacitor")
    assert answer["candidates"] == []
    assert "capacitor flux" in answer["hint"]
    assert "prometheus_metadata_tool" in answer["hint"]
