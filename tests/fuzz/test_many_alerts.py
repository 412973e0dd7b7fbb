"""A search in many alerts is off the event loop."""

from pathlib import Path

import pytest

from tests.fuzz import http_standins
from tests.fuzz.test_broken_answers import VALID
from tests.fuzz.worlds import LONGEST_STALL, world
from tests.mcp import ToolCaller
from tests.slowness import scaled


async def test_a_search_in_many_alerts_leaves_the_loop_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alert = {**http_standins.PROMETHEUS["alerts"]["alerts"][0], "labels": {"alertname": "web", "text": "x" * 5000}}
    monkeypatch.setitem(http_standins.PROMETHEUS, "alerts", {"alerts": [alert] * 40})
    async with world("prometheus", tmp_path) as found:
        found.standin.seed = VALID
        caller = ToolCaller(found.client)

        async def call() -> None:
            answer = await caller.ok("prometheus_alerts_tool", match=['text=~".*(?:x?){300}y"'])
            assert (answer["items"], answer["hint"]) == ([], "None of 40 active alerts matches.")

        assert await found.shortest_stall(call) < scaled(LONGEST_STALL)
