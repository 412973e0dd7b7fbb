"""Thanos, Mimir, VictoriaMetrics and old Prometheus: what they lack is said, what they ignore is done here."""

from typing import Any

import pytest

from kmcp_prometheus.server import SERVER
from tests.prometheus import relatives
from tests.prometheus.conftest import connect
from tests.serving import served

ARGUMENTS: dict[str, dict[str, Any]] = {
    "prometheus_series_tool": {"match": ["up"]},
    "prometheus_label_values_tool": {"label_name": "job"},
    "prometheus_delete_series_tool": {"match": ["up"], "start": "now-2h", "end": "now-1h"},
}
WITHOUT_A_REQUEST = {"prometheus_list_datasources_tool"}


@pytest.mark.parametrize("tool", [found.name for found in SERVER.tools() if found.name not in WITHOUT_A_REQUEST])
async def test_what_a_backend_does_not_serve_is_said(tool: str) -> None:
    arguments = ARGUMENTS.get(tool) or ({"query": "up"} if "query" in tool or "promql" in tool else {})
    async with served(relatives.relative({})) as url:
        async with connect(prometheus_url=url, prometheus_admin=True) as caller:
            error = await caller.fails(tool, **arguments)
    assert error["code"] == "unavailable"
    assert "this backend does not serve /" in error["message"]
    assert "404 page not found" in error["message"]
    assert "Thanos, Mimir and VictoriaMetrics" in error["hint"]


@pytest.mark.parametrize("backend", relatives.BUILDS)
async def test_which_implementation_it_is(backend: str) -> None:
    async with served(relatives.relative({"/status/buildinfo": relatives.BUILDS[backend]})) as url:
        async with connect(prometheus_url=url) as caller:
            assert (await caller.ok("prometheus_build_info_tool"))["backend"] == backend


async def test_a_backend_that_takes_no_posts_is_asked_by_get() -> None:
    answers = {"/query": relatives.vector(1), "/series": [{"__name__": "up"}], "/labels": ["job"]}
    async with served(relatives.relative(answers, ("GET",))) as url, connect(prometheus_url=url) as caller:
        assert (await caller.ok("prometheus_query_tool", query="up"))["returned"] == 1
        assert (await caller.ok("prometheus_series_tool", match=["up"]))["returned"] == 1
        assert (await caller.ok("prometheus_label_names_tool"))["items"] == ["job"]


async def test_an_empty_answer_stands_where_it_cannot_be_explained() -> None:
    async with (
        served(relatives.relative({"/query": relatives.vector(0)})) as url,
        connect(prometheus_url=url) as caller,
    ):
        answer = await caller.ok("prometheus_query_tool", query="up")
    assert answer["items"] == []
    assert "could not be looked up: this backend does not serve /label/__name__/values" in answer["hint"]


async def test_limits_are_applied_here_where_they_are_ignored() -> None:
    answers = {
        "/query": relatives.vector(30),
        "/series": [{"n": str(n)} for n in range(30)],
        "/labels": [f"l{n}" for n in range(30)],
        "/label/n/values": [str(n) for n in range(30)],
        "/status/tsdb": {"headStats": {"numSeries": 3}, "seriesCountByMetricName": [{"name": "a", "value": 1}] * 30},
    }
    async with served(relatives.relative(answers)) as url, connect(prometheus_url=url) as caller:
        answer = await caller.ok("prometheus_query_tool", query="up", limit=10)
        assert (answer["returned"], answer["total"], answer["truncated"]) == (10, 30, True)
        assert "topk(10, up)" in answer["hint"]
        calls: list[tuple[str, dict[str, Any]]] = [
            ("prometheus_series_tool", {"match": ["up"]}),
            ("prometheus_label_names_tool", {}),
            ("prometheus_label_values_tool", {"label_name": "n"}),
        ]
        for tool, arguments in calls:
            answer = await caller.ok(tool, limit=10, **arguments)
            assert (answer["returned"], answer["truncated"]) == (10, True), tool
        assert len((await caller.ok("prometheus_tsdb_status_tool", limit=5))["series_by_metric"]) == 5


async def test_filters_of_rules_are_applied_here_where_they_are_ignored() -> None:
    async with (
        served(relatives.relative({"/rules": relatives.groups(5)})) as url,
        connect(prometheus_url=url) as caller,
    ):
        calls: list[tuple[dict[str, Any], list[str]]] = [
            ({"type": "record", "rule_group": ["g1"]}, ["r1"]),
            ({"file": ["f2.yaml"]}, ["r2", "a2"]),
            ({"match": ['{n="3"}']}, ["r3"]),
            ({"rule_name": ["a4"]}, ["a4"]),
        ]
        for arguments, expected in calls:
            answer = await caller.ok("prometheus_rules_tool", **arguments)
            assert [item["name"] for item in answer["items"]] == expected
        found, cursor = [], None
        for _ in range(3):
            page = await caller.ok("prometheus_rules_tool", limit=2, cursor=cursor)
            found += [item["name"] for item in page["items"]]
            cursor = page.get("cursor")
        assert found == [f"{kind}{n}" for n in range(5) for kind in "ra"]
        assert cursor is None


async def test_states_of_targets_are_applied_here_where_they_are_ignored() -> None:
    active = {
        "labels": {"job": "a"},
        "scrapePool": "a",
        "scrapeUrl": "http://a",
        "health": "up",
        "lastError": "",
        "lastScrape": "2026-01-01T00:00:00Z",
        "lastScrapeDuration": 0.1,
    }
    data = {"activeTargets": [active], "droppedTargets": [{"discoveredLabels": {"job": "b"}}]}
    async with served(relatives.relative({"/targets": data})) as url, connect(prometheus_url=url) as caller:
        assert [t["scrape_pool"] for t in (await caller.ok("prometheus_targets_tool"))["items"]] == ["a"]
        (dropped,) = (await caller.ok("prometheus_targets_tool", state="dropped"))["items"]
        assert (dropped["scrape_pool"], dropped["health"]) == ("b", "dropped")


async def test_promql_is_checked_here_where_the_backend_has_no_parser() -> None:
    answers = {"/label/__name__/values": ["up"], "/label/job/values": ["api"]}
    async with served(relatives.relative(answers)) as url, connect(prometheus_url=url) as caller:
        answer = await caller.ok("prometheus_promql_tool", query='sum   by(job)(rate(up{job="api"}[5m]))')
        assert answer["valid"] is True
        assert answer["formatted"] == 'sum by (job) (rate(up{job="api"}[5m]))'
        answer = await caller.ok("prometheus_promql_tool", query="sum by (job) (rte(up[5m]))")
        assert answer["valid"] is False
        assert answer["error"]["position"] == "1:15"
        assert "did you mean rate, irate?" in answer["error"]["message"]
        assert answer["error"]["shown"].split("\n")[1] == " " * 14 + "^"


async def test_what_the_parser_here_may_not_know_is_asked_of_the_backend() -> None:
    answers = {"/query": relatives.vector(0), "/label/__name__/values": ["x"], "/label/job/values": ["api"]}
    async with served(relatives.relative(answers)) as url, connect(prometheus_url=url) as caller:
        for query in ("rate(x[2m+2m])", "max_of(1, 2)", "sum(x) keep_metric_names", "up" + " + up" * 500):
            answer = await caller.ok("prometheus_promql_tool", query=query)
            assert answer["valid"] is True, query
            assert "error" not in answer


async def test_what_nobody_can_judge_is_said_to_be_unknown() -> None:
    answers = {"/label/__name__/values": ["x", "up"]}
    async with served(relatives.relative(answers)) as url, connect(prometheus_url=url) as caller:
        for query, why in [
            ("rate(x[2m+2m])", "--enable-feature=promql-duration-expr accepts it"),
            ("mad_over_time(x[5m])", "--enable-feature=promql-experimental-functions accepts it"),
            ("x anchored + fill(0) up", "promql-extended-range-selectors,promql-binop-fill-modifiers"),
            ("up" + " + up" * 500, "a tree of more than 200 levels"),
        ]:
            answer = await caller.ok("prometheus_promql_tool", query=query)
            assert "valid" not in answer, query
            assert "error" not in answer
            assert why in answer["hint"]
