"""Times of this server's arguments (G2): one reader, that tells seconds from milliseconds and knows date math."""

import contextlib
import json
import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmcp_grafana.actions.moments import FIRST_MILLISECONDS, end_of, link_time_of, start_of
from kmcp_grafana.server import SERVER
from tests.grafana.every_action import ANNOTATION, SOURCE
from tests.grafana.standin import StandIn
from tests.grafana.world import World
from tests.mcp import ToolCaller

AT = 1_764_000_000
"""When the annotation of the world is, in seconds."""
_UNITS = st.sampled_from("yMwdhms")
_MATH = st.builds(
    lambda steps, unit: "now" + "".join(f"{sign}{number}{of}" for sign, number, of in steps) + unit,
    st.lists(st.tuples(st.sampled_from("+-"), st.integers(0, 90), _UNITS), max_size=3),
    st.one_of(st.just(""), _UNITS.map(lambda unit: f"/{unit}")),
)


@given(seconds=st.integers(1, 10**10))
def test_seconds_and_milliseconds_are_the_same_moment(seconds: int) -> None:
    assert start_of(seconds) == seconds
    if seconds * 1000 >= FIRST_MILLISECONDS:
        assert math.isclose(start_of(seconds * 1000), seconds)
        assert math.isclose(start_of(str(seconds * 1000)), seconds)


@given(text=_MATH)
def test_date_math_is_read_and_its_beginning_is_before_its_end(text: str) -> None:
    assert start_of(text) <= end_of(text)
    assert link_time_of(text) == text


@given(text=st.text(max_size=30))
def test_what_is_no_moment_is_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(start_of(text), float | int)
        assert link_time_of(text)


def test_days_weeks_and_months_begin_where_grafana_lets_them_begin() -> None:
    before = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    found = start_of("now/d")
    after = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    assert before.timestamp() <= found <= after.timestamp()
    assert datetime.fromtimestamp(start_of("now/M"), UTC).day == 1
    assert datetime.fromtimestamp(start_of("now/w"), UTC).strftime("%A") == "Sunday"
    assert 0 <= datetime.fromtimestamp(start_of("now-1M"), UTC).day <= datetime.now(UTC).day


@pytest.mark.parametrize("since", [AT - 60, (AT - 60) * 1000, str((AT - 60) * 1000), "2025-11-24T15:59:00Z"])
async def test_ranges_take_seconds_and_milliseconds(since: int | str, tools: ToolCaller, world: World) -> None:
    found = await tools.ok(ANNOTATION, action="get", start=since, end=AT + 60)
    assert [row["id"] for row in found["items"]] == [world.annotation]


async def test_a_query_takes_milliseconds_and_date_math(tools: ToolCaller, grafana: StandIn, world: World) -> None:
    spec = {"expr": "up"}
    for bounds in ({"start": AT * 1000, "end": (AT + 60) * 1000}, {"start": "now-1d/d", "end": "now/d"}):
        await tools.ok(SOURCE, action="query", uid="prom", spec=spec, **bounds)


async def test_a_silence_ends_at_a_moment_in_milliseconds(tools: ToolCaller, world: World) -> None:
    ends = (datetime.now(UTC) + timedelta(hours=3)).replace(microsecond=0)
    made = await tools.ok(
        "grafana_alert_state",
        action="create_silence",
        matchers=["alertname=HighLoad"],
        end=int(ends.timestamp() * 1000),
        comment="while it is mended",
    )
    assert world.main.silences[made["item"]["silenceID"]]["endsAt"] == ends.isoformat(timespec="seconds")


@pytest.mark.parametrize("value", [10**16, "99999999999999999", True, "now//d", "now-1d/x", ""])
async def test_other_numbers_and_texts_are_refused(value: object, tools: ToolCaller, grafana: StandIn) -> None:
    error = await tools.fails(ANNOTATION, action="create", spec={"text": "x", "time": value})
    assert error["code"] == "bad_argument"
    assert grafana.wrote() == []


def test_every_argument_of_time_is_published_as_text() -> None:
    schemas = [
        (tool.name, schema)
        for tool in SERVER.tools()
        for name, schema in tool.input_schema()["properties"].items()
        if name in ("start", "end")
    ]
    assert len(schemas) > 4
    for tool_name, schema in schemas:
        assert "string" in json.dumps(schema), tool_name
