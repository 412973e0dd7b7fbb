"""The clock, through an MCP client, against this machine's own."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from fastmcp import Client

from kmcp_clock.client import ABBREVIATIONS
from kmcp_clock.server import SERVER
from kmcp_runtime.engine.assembly import assemble
from tests.mcp import ToolCaller

TOOL = "datetime_get_current_time"


@pytest.fixture
async def tools() -> AsyncIterator[ToolCaller]:
    async with Client(assemble(SERVER)) as client:
        yield ToolCaller(client)


def seconds_now() -> int:
    return int(datetime.now(UTC).timestamp())


async def test_without_arguments_it_is_now_in_utc(tools: ToolCaller) -> None:
    before = seconds_now()
    told = await tools.ok(TOOL)
    assert before <= told["unix"] <= seconds_now()
    assert (told["timezone"], told["utc_offset"]) == ("UTC", "+00:00")
    moment = datetime.fromisoformat(told["iso8601"])
    assert moment.timestamp() == told["unix"]
    assert told["weekday"] == moment.strftime("%A")


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/St_Johns", "Etc/GMT+12", "Pacific/Chatham"])
async def test_the_local_time_of_a_zone_carries_its_offset(tools: ToolCaller, zone: str) -> None:
    told = await tools.ok(TOOL, timezone=zone)
    moment = datetime.fromisoformat(told["iso8601"])
    assert moment.timestamp() == told["unix"]
    assert moment.utcoffset() == datetime.fromtimestamp(told["unix"], ZoneInfo(zone)).utcoffset()
    assert told["iso8601"].endswith(told["utc_offset"])
    assert told["timezone"] == zone


async def test_a_zone_is_found_whatever_its_capitals(tools: ToolCaller) -> None:
    assert (await tools.ok(TOOL, timezone="europe/berlin"))["timezone"] == "Europe/Berlin"


@pytest.mark.parametrize(
    ("offset", "seconds"),
    [("-36h", -129_600), ("7d", 604_800), ("+1h30m", 5_400), ("-1h30m", -5_400), ("90", 90), (-60, -60), ("0s", 0)],
)
async def test_an_offset_is_elapsed_time_from_now(tools: ToolCaller, offset: str | int, seconds: int) -> None:
    before = seconds_now()
    told = await tools.ok(TOOL, timezone="Europe/Berlin", offset=offset)
    assert before + seconds <= told["unix"] <= seconds_now() + seconds


@pytest.mark.parametrize(
    ("zone", "near"),
    [
        ("Europe/Berln", "Europe/Berlin"),
        ("Tokyo", "Asia/Tokyo"),
        ("new york", "America/New_York"),
        ("UTC+2", "Etc/GMT-2"),
        ("-05:00", "Etc/GMT+5"),
        ("+05:30", "give an IANA name"),
        ("", "give an IANA name"),
        ("../../etc/passwd", "give an IANA name"),
    ],
)
async def test_an_unknown_zone_is_answered_with_near_ones(tools: ToolCaller, zone: str, near: str) -> None:
    error = await tools.fails(TOOL, timezone=zone)
    assert error["code"] == "bad_argument"
    assert near in error["hint"]


@pytest.mark.parametrize("offset", ["tomorrow", "--1h", "- 1h", "1h-30m", ""])
async def test_what_is_no_offset_is_said(tools: ToolCaller, offset: str) -> None:
    error = await tools.fails(TOOL, offset=offset)
    assert error["code"] == "bad_argument"
    assert error["message"].startswith("offset: ")


@pytest.mark.parametrize("offset", ["9000y", "-3000y", "1" + "0" * 400, 1e300])
async def test_an_offset_beyond_the_calendar_is_refused(tools: ToolCaller, offset: str | float) -> None:
    error = await tools.fails(TOOL, offset=offset)
    assert error["code"] == "bad_argument"
    assert error["message"].startswith("offset: ")


async def test_it_says_that_it_touches_nothing_outside(tools: ToolCaller) -> None:
    (tool,) = await tools.client.list_tools()
    assert tool.annotations is not None
    assert (tool.annotations.read_only_hint, tool.annotations.open_world_hint) == (True, False)


async def test_z_is_utc_and_abbreviations_name_their_zones(tools: ToolCaller) -> None:
    for name in ("Z", "z"):
        assert (await tools.ok(TOOL, timezone=name))["timezone"] == "UTC"
    for name, zones in {
        "PST": ("America/Los_Angeles", "Asia/Manila"),
        "IST": ("Asia/Kolkata", "Europe/Dublin", "Asia/Jerusalem"),
        "cest": ("Europe/Berlin",),
    }.items():
        error = await tools.fails(TOOL, timezone=name)
        assert all(zone in error["hint"] for zone in zones), name


def test_abbreviations_stand_for_zones_that_exist() -> None:
    known = available_timezones()
    assert {zone for zones in ABBREVIATIONS.values() for zone in zones} <= known
    # None of them hides a name of the data itself.
    assert not {name.lower() for name in ABBREVIATIONS} & {name.lower() for name in known}


@pytest.mark.parametrize("name", ["Factory", "localtime", "posixrules"])
async def test_what_is_no_place_is_refused(tools: ToolCaller, name: str) -> None:
    assert (await tools.fails(TOOL, timezone=name))["code"] == "bad_argument"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"time": "2026-03-31T12:00:00Z", "months": -1}, "2026-02-28T12:00:00+00:00"),
        ({"time": "2024-01-31T12:00:00Z", "months": 1}, "2024-02-29T12:00:00+00:00"),
        ({"time": "2026-01-15T09:00:00Z", "months": -13}, "2024-12-15T09:00:00+00:00"),
        ({"time": "2026-11-25T09:00:00Z", "timezone": "Asia/Tokyo"}, "2026-11-25T18:00:00+09:00"),
        (
            {"time": "2026-07-01 09:00", "from_timezone": "Europe/Berlin", "timezone": "America/New_York"},
            "2026-07-01T03:00:00-04:00",
        ),
        ({"time": "2026-07-01T09:00:00", "timezone": "Europe/Berlin"}, "2026-07-01T09:00:00+02:00"),
        ({"time": 0, "timezone": "Asia/Kolkata"}, "1970-01-01T05:30:00+05:30"),
        # A month before in the zone's own calendar, across a change of the clocks.
        ({"time": "2026-04-15T10:00:00", "timezone": "Europe/Berlin", "months": -1}, "2026-03-15T10:00:00+01:00"),
    ],
)
async def test_months_and_given_times(tools: ToolCaller, arguments: dict[str, Any], expected: str) -> None:
    assert (await tools.ok(TOOL, **arguments))["iso8601"] == expected


@pytest.mark.parametrize(
    "arguments", [{"time": "soon"}, {"time": "2026-13-01T00:00:00Z"}, {"months": -30_000}, {"time": 1e300}]
)
async def test_times_that_are_none(tools: ToolCaller, arguments: dict[str, Any]) -> None:
    assert (await tools.fails(TOOL, **arguments))["code"] == "bad_argument"
