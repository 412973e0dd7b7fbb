"""Annotations: when they are, and which a time range finds."""

from typing import Any

import pytest

from tests.grafana.every_action import ANNOTATION
from tests.grafana.standin import StandIn
from tests.grafana.world import World
from tests.mcp import ToolCaller

AT = 1_764_000_000
"""When the annotation of the world is, in seconds."""


@pytest.mark.parametrize(
    ("bounds", "found"),
    [
        ({}, True),
        ({"start": AT - 60}, True),
        ({"start": AT + 60}, False),
        ({"end": AT + 60}, True),
        ({"end": AT - 60}, False),
        ({"start": 0, "end": AT + 60}, True),
        ({"start": AT - 60, "end": AT + 60}, True),
        ({"start": "2025-11-24T16:00:00Z"}, True),
        ({"start": "2025-11-24T17:00:00Z"}, False),
    ],
)
async def test_one_bound_alone_filters_too(
    bounds: dict[str, Any], found: bool, tools: ToolCaller, world: World
) -> None:
    """Grafana itself filters only when both are there."""
    answer = await tools.ok(ANNOTATION, action="get", **bounds)
    assert [row["id"] for row in answer["items"]] == ([world.annotation] if found else [])


async def test_what_overlaps_a_range_is_found(tools: ToolCaller, world: World) -> None:
    world.main.annotations[world.annotation]["timeEnd"] = (AT + 3600) * 1000
    for start, end, found in (
        (AT + 60, AT + 120, 1),
        (AT - 60, AT + 1, 1),
        (AT + 3000, AT + 9000, 1),
        (AT + 3601, AT + 9000, 0),
    ):
        assert (await tools.ok(ANNOTATION, action="get", start=start, end=end))["returned"] == found


@pytest.mark.parametrize(
    "time", [AT, float(AT), AT * 1000, str(AT), "2025-11-24T16:00:00Z"], ids=["s", "float", "ms", "text", "rfc3339"]
)
async def test_seconds_and_milliseconds_are_told_apart(
    time: int | float | str, tools: ToolCaller, grafana: StandIn, world: World
) -> None:
    """Seconds, which the clock's tools answer, are not a moment of January 1970."""
    made = await tools.ok(ANNOTATION, action="create", spec={"text": "deployed", "time": time, "timeEnd": time})
    stored = world.main.annotations[made["item"]["id"]]
    assert (stored["time"], stored["timeEnd"]) == (AT * 1000, AT * 1000)
    assert "time: '2025-11-24T16:00:00.000Z'" in made["diff"]
