"""Arguments: what is accepted, and what a caller is told when they are not."""

import time

import pytest

from kmcp_runtime import seconds_of
from kmcp_runtime.arguments import signed_seconds_of
from tests.mcp import ToolCaller


async def test_an_unknown_argument_is_refused_with_a_suggestion(caller: ToolCaller) -> None:
    error = await caller.fails("shelf_list", limt=3)
    assert error["code"] == "bad_argument"
    assert "unknown argument 'limt'" in error["message"]
    assert "did you mean limit?" in error["message"]


async def test_every_fault_is_named_at_once(caller: ToolCaller) -> None:
    error = await caller.fails("shelf_put", name="--server=http://x", txt="a")
    assert "name: '--server=http://x' starts with '-'" in error["message"]
    assert "text: required" in error["message"]
    assert "'txt': did you mean text?" in error["message"]


@pytest.mark.parametrize("name", ["", "-x", "a/b", "../x", "..", "a\nb", "a\x00b", "a b", "%2e%2e"])
async def test_a_name_that_could_change_the_request_is_refused(caller: ToolCaller, name: str) -> None:
    error = await caller.fails("shelf_read", name=name)
    assert error["code"] == "bad_argument"
    assert error["message"].startswith("name: ")


async def test_a_kind_before_a_name_is_refused_with_the_name(caller: ToolCaller) -> None:
    error = await caller.fails("shelf_read", name="deploy/web-1.a")
    assert error["message"].endswith("cannot have: give the name alone, 'web-1.a'")
    assert "alone" not in (await caller.fails("shelf_read", name="../x"))["message"]


async def test_numbers_and_booleans_of_older_callers_arrive_as_texts(caller: ToolCaller) -> None:
    assert (await caller.ok("shelf_list", limit="7"))["items"] == []
    result = await caller.ok("shelf_put", name="a", text="b", dry_run="true")
    assert result["dry_run"] is True


async def test_arguments_of_older_callers_arrive_under_their_new_names(caller: ToolCaller) -> None:
    for name in ("a", "b"):
        await caller.ok("shelf_put", name=name, text="x")
    assert (await caller.ok("shelf_list", maxItems=1))["returned"] == 1
    assert (await caller.ok("shelf_list", maxItems=1, limit=1))["returned"] == 1
    assert (await caller.ok("shelf_list", maxItems=None, limit=2))["returned"] == 2
    both = await caller.fails("shelf_list", maxItems=1, limit=2)
    assert both["message"] == "maxItems is another name for limit, and both are given"
    assert (await caller.fails("shelf_list", maxItems=501))["message"].startswith("limit: ")


async def test_an_older_name_of_an_argument_that_the_tool_does_not_have_is_refused(caller: ToolCaller) -> None:
    assert "unknown argument 'bookName'" in (await caller.fails("shelf_list", bookName="a"))["message"]


async def test_older_names_are_not_published(caller: ToolCaller) -> None:
    listed = {tool.name: tool for tool in await caller.client.list_tools()}
    assert set(listed["shelf_list"].input_schema["properties"]) == {"limit", "cursor"}


async def test_null_means_absent(caller: ToolCaller) -> None:
    assert (await caller.ok("shelf_list", limit=None, cursor=None))["returned"] == 0


async def test_a_value_outside_a_closed_set_is_answered_with_the_set(caller: ToolCaller) -> None:
    error = await caller.fails("shelf_tidy", action="srt")
    assert "'count', 'sort' or 'clear'" in error["message"]
    assert "did you mean sort?" in error["message"]


async def test_limits_are_enforced(caller: ToolCaller) -> None:
    error = await caller.fails("shelf_list", limit=501)
    assert error["message"].startswith("limit: ")


async def test_a_foreign_or_broken_cursor_is_refused(caller: ToolCaller) -> None:
    error = await caller.fails("shelf_list", cursor="bm9wZQ")
    assert error["message"].startswith("cursor: ")
    assert error["hint"] == "start again without cursor"


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("1h30m", 5400), ("7d", 604800), ("90", 90), ("500ms", 0.5)]
)
def test_durations(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "5 m", "-5m", "5x", "1h-3m"])
async def test_what_is_no_duration_is_said(caller: ToolCaller, text: str) -> None:
    error = await caller.fails("shelf_wait", seconds=text)
    assert "write 30s, 5m, 2h or 7d" in error["message"]


@pytest.mark.parametrize("seconds", [-5, 1e999])
async def test_a_number_that_is_no_duration_is_refused(caller: ToolCaller, seconds: float) -> None:
    error = await caller.fails("shelf_wait", seconds=seconds)
    assert error["code"] == "bad_argument"
    assert error["message"].startswith("seconds: ")


@pytest.mark.parametrize(("text", "seconds"), [("-36h", -129_600), ("+7d", 604_800), ("5m", 300), ("-1h30m", -5_400)])
def test_signed_durations(text: str, seconds: float) -> None:
    assert signed_seconds_of(text) == seconds


async def test_an_unknown_tool_is_answered_with_near_names(caller: ToolCaller) -> None:
    error = await caller.fails("shelf_lst")
    assert error["code"] == "bad_argument"
    assert "shelf_list" in error["hint"]


@pytest.mark.parametrize(
    ("text", "ago"), [("now", 0), ("now-1h", 3600), ("-15m", 900), ("now - 1h30m", 5400), ("+1m", -60), (None, 3600)]
)
async def test_a_time_relative_to_now_is_read_at_each_call(caller: ToolCaller, text: str | None, ago: float) -> None:
    before = time.time() - ago
    found = (await caller.ok("shelf_since", start=text))["seconds"]
    assert before - 0.001 <= found <= time.time() - ago + 0.001


@pytest.mark.parametrize(
    "given",
    ["2026-11-25T09:00:00Z", "2026-11-25T10:00:00+01:00", "2026-11-25t09:00:00.0z", 1795597200, "1795597200.0"],
)
async def test_a_time_that_is_fixed(caller: ToolCaller, given: object) -> None:
    assert (await caller.ok("shelf_since", start=given))["seconds"] == 1795597200


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("yesterday", "write now, now-1h"),
        ("nowadays", "write now, now-1h"),
        ("now-1x", "is not a valid duration"),
        ("2026-11-2", "write now, now-1h"),
        ("2026-11-25T09:00:00", "has no time zone"),
        ("2026-13-25T09:00:00Z", "month must be in 1..12"),
        (1795597200000, "give seconds"),
        (-5, "before the epoch"),
        ("nan", "write now, now-1h"),
        (True, "write now, now-1h"),
    ],
)
async def test_what_is_no_time_is_said(caller: ToolCaller, given: object, why: str) -> None:
    error = await caller.fails("shelf_since", start=given)
    assert error["code"] == "bad_argument"
    assert why in error["message"]


async def test_a_time_is_a_text_to_a_model(caller: ToolCaller) -> None:
    """X1: frameworks fail at a list of types; a number is taken as a text and, from older callers, as it is."""
    tools = {tool.name: tool for tool in await caller.client.list_tools()}
    assert tools["shelf_since"].input_schema["properties"] == {
        "start": {
            "type": "string",
            "description": "Not before",
            "default": "now-1h",
            "examples": ["now-1h"],
        }
    }


async def test_an_unpublished_argument_is_taken_and_checked_and_nowhere_named(caller: ToolCaller) -> None:
    assert (await caller.ok("shelf_list", room="library"))["items"] == []
    assert "only the library has a shelf" in (await caller.fails("shelf_list", room="kitchen"))["message"]
    error = await caller.fails("shelf_list", rom="library")
    assert "room" not in str(error)
