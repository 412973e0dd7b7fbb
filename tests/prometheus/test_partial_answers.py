"""Answers of Thanos, Mimir and VictoriaMetrics that lack a part: every tool says so."""

from typing import Any

import pytest

from kmcp_prometheus.server import SERVER
from tests.prometheus import relatives
from tests.prometheus.conftest import connect
from tests.serving import served

THANOS = "receive series from Addr: store-1: rpc error: code = Unavailable"
PARTIAL = "the answer is partial"
SAYINGS: dict[str, tuple[dict[str, Any], str]] = {
    "victoriametrics": ({"isPartial": True}, PARTIAL),
    "thanos": ({"warnings": [THANOS]}, THANOS),
    "mimir": ({"warnings": ["some blocks were not queried"], "infos": ["x"]}, "some blocks were not queried"),
}
ANSWERS: dict[str, Any] = {
    "/query": relatives.vector(1),
    "/query_range": {"resultType": "matrix", "result": [{"metric": {"__name__": "up"}, "values": [[1, "1"]]}]},
    "/query_exemplars": [],
    "/series": [{"__name__": "up", "job": "api"}],
    "/labels": ["job"],
    "/label/__name__/values": ["up"],
    "/label/job/values": ["api"],
    "/metadata": {"up": [{"type": "gauge", "help": "", "unit": ""}]},
    "/targets": {"activeTargets": [], "droppedTargets": []},
    "/targets/metadata": [],
    "/alerts": {"alerts": []},
    "/alertmanagers": {"activeAlertmanagers": [], "droppedAlertmanagers": []},
    "/rules": relatives.groups(1),
    "/status/config": {"yaml": "global: {}\n"},
    "/status/flags": {"a": "b"},
    "/status/runtimeinfo": {"startTime": "2026-01-01T00:00:00Z"},
    "/status/buildinfo": relatives.BUILDS["thanos"],
    "/status/tsdb": {"headStats": {"numSeries": 1}},
    "/status/walreplay": {"min": 0, "max": 0, "current": 0},
    "/features": {},
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "prometheus_series_tool": {"match": ["up"]},
    "prometheus_label_values_tool": {"label_name": "job"},
}
READING = [
    tool.name for tool in SERVER.tools() if tool.effect == "read" and tool.name != "prometheus_list_datasources_tool"
]


@pytest.mark.parametrize("backend", SAYINGS)
@pytest.mark.parametrize("tool", READING)
async def test_every_tool_says_that_an_answer_is_partial(tool: str, backend: str) -> None:
    more, said = SAYINGS[backend]
    arguments = ARGUMENTS.get(tool) or ({"query": "up"} if "query" in tool or "promql" in tool else {})
    async with served(relatives.relative(ANSWERS, **more)) as url, connect(prometheus_url=url) as caller:
        found = await caller.ok(tool, **arguments)
        assert any(said in warning for warning in found.get("warnings", ())), found
    async with served(relatives.relative(ANSWERS)) as url, connect(prometheus_url=url) as caller:
        assert not (await caller.ok(tool, **arguments)).get("warnings")


async def test_what_is_built_from_a_partial_answer_says_so() -> None:
    async with served(relatives.relative(ANSWERS, isPartial=True)) as url, connect(prometheus_url=url) as caller:
        found = await caller.ok("prometheus_promql_tool", query_description="which targets are down")
    assert any(PARTIAL in warning for warning in found["warnings"])
