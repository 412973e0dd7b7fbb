"""What a server offers: read-only mode, tool filters, extras; in the list and in the call."""

import json
from typing import Any

import pytest

from kmcp_runtime import RuntimeSettings, SettingsError
from kmcp_runtime.engine.configured import ConfiguredServer, Process, check_tool_names
from tests.runtime import shelf
from tests.runtime.conftest import connected, shelf_of, shelved


async def names(**runtime: Any) -> set[str]:
    async with connected(shelved(**runtime)) as caller:
        return {tool.name for tool in await caller.client.list_tools()}


async def test_read_only_leaves_only_what_changes_nothing() -> None:
    assert await names(read_only=True) == {
        "shelf_list",
        "shelf_read",
        "shelf_tidy",
        "shelf_wait",
        "shelf_since",
        "shelf_break",
        "shelf_refuse",
    }


async def test_read_only_narrows_a_mixed_tool_to_its_reading_values() -> None:
    instance = shelved(read_only=True)
    async with connected(instance) as caller:
        shelf_of(instance).books = {"moby": "dick"}
        tidy = next(tool for tool in await caller.client.list_tools() if tool.name == "shelf_tidy")
        schema = tidy.input_schema["properties"]["action"]
        assert schema.get("enum", [schema.get("const")]) == ["count"]
        assert schema["description"] == "count()"
        assert "order" not in tidy.input_schema["properties"], "an argument that no reading value takes"
        assert tidy.annotations is not None
        assert tidy.annotations.read_only_hint is True
        assert tidy.annotations.destructive_hint is False
        await caller.ok("shelf_tidy", action="count")
        for changing in ({"action": "clear"}, {"action": "sort", "order": "length"}):
            error = await caller.fails("shelf_tidy", **changing)
            assert error["code"] == "denied"
            assert "read-only" in error["message"]
        # What the whole tool would not take either stays an argument that is wrong.
        for wrong in ({"action": "claer"}, {"action": "sort", "order": "colour"}, {"action": "clear", "shelf": 1}, {}):
            assert (await caller.fails("shelf_tidy", **wrong))["code"] == "bad_argument"
        assert shelf_of(instance).books


async def test_a_hidden_tool_is_denied_with_the_reason() -> None:
    async with connected(shelved(read_only=True)) as caller:
        error = await caller.fails("shelf_put", name="a", text="b")
        assert error["code"] == "denied"
        assert "read-only" in error["message"]
    async with connected(shelved(tools="shelf_list")) as caller:
        assert "KMCP_TOOLS" in (await caller.fails("shelf_put", name="a", text="b"))["message"]


async def test_filters() -> None:
    assert await names(tools="shelf_list, shelf_put") == {"shelf_list", "shelf_put"}
    assert "shelf_read" not in await names(extras=False)
    # D8: a list of no tools is not all of them.
    assert await names(tools=",") == set()


def test_a_filter_that_names_no_tool_is_refused() -> None:
    with pytest.raises(SettingsError, match="did you mean shelf_list"):
        check_tool_names([shelf.SERVER], RuntimeSettings(tools="shelf_lst"))


async def test_hints_and_meta_tell_the_truth() -> None:
    async with connected(shelved()) as caller:
        tools = {tool.name: tool for tool in await caller.client.list_tools()}
    for name, (reads, destroys, repeats) in {
        "shelf_list": (True, False, True),
        "shelf_put": (False, False, True),
        "shelf_burn": (False, True, False),
        "shelf_tidy": (False, True, False),
    }.items():
        hints = tools[name].annotations
        assert hints is not None
        assert (hints.read_only_hint, hints.destructive_hint, hints.idempotent_hint) == (reads, destroys, repeats), name
        assert hints.open_world_hint is True
        assert tools[name].title
    meta = tools["shelf_list"].meta or {}
    assert meta["kmcp-suite/tool"]["needs"] == [{"group": "", "resources": ["books"], "verbs": ["list"]}]


async def test_approval_is_an_argument_only_where_something_can_be_destroyed() -> None:
    async with connected(shelved()) as caller:
        for tool in await caller.client.list_tools():
            expected = tool.name in ("shelf_burn", "shelf_tidy")
            assert ("approval" in tool.input_schema["properties"]) is expected, tool.name
            assert "$ref" not in json.dumps(tool.input_schema)
            assert "additionalProperties" not in tool.input_schema, "X1: some frameworks cannot load what says false"


async def test_a_tool_of_another_configuration_says_which_one() -> None:
    async with connected(shelved()) as caller:
        error = await caller.fails("shelf_ladder")
        assert error["code"] == "unavailable"
        assert "exists only when the shelf is tall" in error["message"]
    tall = ConfiguredServer(shelf.SERVER, shelf.ShelfSettings(shelf_url="tall:"), Process.of(RuntimeSettings()))
    async with connected(tall) as caller:
        assert (await caller.ok("shelf_ladder"))["seconds"] == 1


async def test_a_hint_names_a_tool_only_where_it_is_offered() -> None:
    async with connected(shelved()) as caller:
        assert (await caller.fails("shelf_read", name="lost"))["hint"] == "shelf_list names them"
    async with connected(shelved(tools="shelf_read")) as caller:
        assert "hint" not in await caller.fails("shelf_read", name="lost")
