"""What is scraped, and whether it can be."""

from typing import Any

import pytest

from tests.mcp import ToolCaller
from tests.waiting import until

TARGETS = "prometheus_targets_tool"


@pytest.fixture
async def scraped(tools: ToolCaller) -> ToolCaller:
    async def look() -> dict[str, Any]:
        return await tools.ok(TARGETS, health="unknown")

    await until(look, lambda seen: not seen["items"], what="every target tried")
    return tools


async def test_targets_that_are_down_come_first(scraped: ToolCaller) -> None:
    dead, exporter = (await scraped.ok(TARGETS))["items"]
    assert (dead["scrape_pool"], dead["health"]) == ("dead", "down")
    assert "connection refused" in dead["last_error"]
    assert (exporter["scrape_pool"], exporter["health"]) == ("exporter", "up")
    assert exporter["labels"]["team"] == "checkout"
    assert "/metrics?format=prometheus" in exporter["scrape_url"]
    assert 0 < exporter["scrape_duration_seconds"] < 60
    assert "last_error" not in exporter


async def test_pools_are_counted_whatever_is_shown(scraped: ToolCaller) -> None:
    answer = await scraped.ok(TARGETS, state="any", limit=1)
    assert {pool["pool"]: (pool["up"], pool["down"], pool["dropped"]) for pool in answer["pools"]} == {
        "dead": (0, 1, 0),
        "dropped": (0, 0, 1),
        "exporter": (1, 0, 0),
    }
    assert (answer["returned"], answer["total"], answer["truncated"]) == (1, 3, True)
    rest = await scraped.ok(TARGETS, state="any", limit=5, cursor=answer["cursor"])
    assert [item["scrape_pool"] for item in rest["items"]] == ["dropped", "exporter"]
    first = [(await scraped.ok(TARGETS, state="any", limit=limit))["cursor"] for limit in (1, 2)]
    found = [await scraped.ok(TARGETS, state="any", limit=3, cursor=cursor) for cursor in first]
    assert [[item["scrape_pool"] for item in each["items"]] for each in found] == [
        ["dropped", "exporter"],
        ["exporter"],
    ]


async def test_targets_by_pool_health_and_state(scraped: ToolCaller) -> None:
    for arguments, pools in [
        ({"scrape_pool": "exporter"}, ["exporter"]),
        ({"health": "down"}, ["dead"]),
        ({"state": "dropped"}, ["dropped"]),
    ]:
        answer = await scraped.ok(TARGETS, **arguments)
        assert [item["scrape_pool"] for item in answer["items"]] == pools


async def test_no_targets_are_explained(scraped: ToolCaller) -> None:
    assert "did you mean exporter?" in (await scraped.ok(TARGETS, scrape_pool="exportr"))["hint"]
    assert "pools: dead, dropped, exporter" in (await scraped.ok(TARGETS, scrape_pool="x"))["hint"]
    assert "None of 1 targets" in (await scraped.ok(TARGETS, scrape_pool="exporter", health="down"))["hint"]


async def test_a_wrong_state_is_answered_with_the_states(scraped: ToolCaller) -> None:
    error = await scraped.fails(TARGETS, state="drop")
    assert "did you mean dropped?" in error["message"]
