"""Twenty thousand series: an answer within the budget, the true number, and a server whose memory stays flat."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastmcp import Client
from starlette.applications import Starlette

from bench.programs import Program, running
from kmcp_runtime.output.bound import BYTES_PER_TOKEN, DEFAULT_TOKENS
from tests.mcp import ToolCaller
from tests.prometheus import known, relatives
from tests.prometheus.conftest import connect
from tests.serving import served

QUERY, RANGE = "prometheus_query_tool", "prometheus_query_range_tool"
BUDGET_BYTES = DEFAULT_TOKENS * BYTES_PER_TOKEN
GROWTH_MIB = 24
"""What repeated wide answers may leave behind: less than one such answer would take as Python objects."""


async def test_an_instant_query(tools: ToolCaller) -> None:
    answer = await tools.ok(QUERY, query="wide", time=known.END)
    assert (answer["total"], answer["truncated"], answer["returned"]) == (known.WIDE, True, 100)
    assert answer["hint"] == "Narrow with a label matcher, topk(10, wide) or sum by (shard) (wide)."
    widest = await tools.ok(QUERY, query="wide", time=known.END, limit=500)
    assert widest["total"] == known.WIDE
    assert len((await tools.text(QUERY, query="wide", time=known.END, limit=500)).encode()) <= BUDGET_BYTES
    narrowed = await tools.ok(QUERY, query="topk(10, wide)", time=known.END)
    assert [item["value"] for item in narrowed["items"]] == list(range(known.WIDE - 1, known.WIDE - 11, -1))
    grouped = await tools.ok(QUERY, query="sum by (shard) (wide)", time=known.END)
    expected = {str(shard): sum(range(shard, known.WIDE, 10)) for shard in range(10)}
    assert {item["metric"]["shard"]: item["value"] for item in grouped["items"]} == expected


@pytest.mark.parametrize("mode", ["points", "summary"])
async def test_a_range_query(tools: ToolCaller, mode: str) -> None:
    span = {"start": known.at(100), "end": known.END, "mode": mode}
    answer = await tools.ok(RANGE, query="wide", **span)
    assert (answer["total"], answer["truncated"], answer["returned"]) == (known.WIDE, True, 20)
    assert "topk(10, wide)" in answer["hint"]
    text = await tools.text(RANGE, query="wide", limit=500, **span)
    assert len(text.encode()) <= BUDGET_BYTES
    assert f"of {known.WIDE} items" in text


async def test_the_whole_is_counted_although_the_query_has_a_comment(tools: ToolCaller) -> None:
    answer = await tools.ok(QUERY, query="wide # all of them", time=known.END)
    assert answer["total"] == known.WIDE
    assert "topk(10, …)" in answer["hint"]


async def test_a_backend_that_sends_more_than_can_be_read() -> None:
    async with served(_boundless()) as url, connect(prometheus_url=url) as caller:
        error = await caller.fails(QUERY, query="up")
        assert error["code"] == "too_large"
        assert "larger than 8 MiB" in error["message"]
        assert "topk(10, up)" in error["hint"]


@pytest.fixture
def program(prometheus: str) -> Iterator[Program]:
    """The server as a process of its own."""
    command = [
        sys.executable,
        "-m",
        "kmcp_prometheus.server",
        "--port",
        "{port}",
        "--management-port",
        "0",
        "--no-audit",
    ]
    with running(command, {"PROMETHEUS_URL": prometheus}) as found:
        yield found


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
async def test_the_memory_stays_flat(program: Program) -> None:
    async with Client(program.url) as client:
        caller = ToolCaller(client)

        async def wide() -> None:
            for tool in (QUERY, RANGE):
                moment = {"time": known.END} if tool == QUERY else {"start": known.at(100), "end": known.END}
                assert (await caller.ok(tool, query="wide", limit=500, **moment))["total"] == known.WIDE
            assert (await caller.ok("prometheus_series_tool", match=["wide"], limit=500))["truncated"] is True
            values = await caller.ok("prometheus_label_values_tool", label_name="n", match=["wide"], limit=500)
            assert values["total"] == known.WIDE

        await wide()
        before = program.memory_mib()
        for _ in range(5):
            await wide()
        assert program.memory_mib() - before < GROWTH_MIB


def _boundless() -> Starlette:
    """A backend that knows no limit and has 200,000 series."""
    return relatives.relative({"/query": relatives.vector(200_000)})
