"""The clock, through an MCP client, against this machine's own."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from fastmcp import Client

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
