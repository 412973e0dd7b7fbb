"""Lists: cursors that are complete in themselves, honest truncation, the token budget."""

from typing import Any

import pytest

from tests.grafana.every_action import ALERT, DASHBOARD, FOLDER, MISC, ORG, TEAM, USER
from tests.grafana.standin.state import Dashboard, Folder, Organisation, User
from tests.grafana.world import World
from tests.mcp import ToolCaller
from tests.paging import brings_each_once


def many(world: World, count: int) -> None:
    main = world.main
    for number in range(count):
        name = f"thing {number:03d}"
        main.dashboards[f"d{number}"] = Dashboard(f"d{number}", {"title": name}, "", 1000 + number)
        main.folders[f"f{number}"] = Folder(f"f{number}", name, "", 2000 + number)
        main.teams[100 + number] = {"id": 100 + number, "uid": f"t{number}", "orgId": 1, "name": name, "members": []}
        main.rules[f"r{number}"] = {**main.rules["errors"], "uid": f"r{number}", "title": name}
        world.state.organisations[100 + number] = Organisation(100 + number, name, {1: "Admin"})
        world.state.users[100 + number] = User(100 + number, name.replace(" ", ""), f"{number}@thing", name, "password")
        main.members[100 + number] = "Viewer"


@pytest.mark.parametrize(
    ("tool", "arguments", "key", "counted"),
    [
        (DASHBOARD, {"action": "search", "query": "thing"}, "title", False),
        (FOLDER, {"action": "list"}, "title", False),
        (TEAM, {"action": "search", "query": "thing"}, "name", True),
        (ORG, {"action": "list_orgs", "query": "thing"}, "name", False),
        (ORG, {"action": "get_users"}, "login", True),
        (USER, {"action": "list_users", "query": "thing"}, "name", True),
        (ALERT, {"action": "get_rules", "name": "thing"}, "title", True),
    ],
)
async def test_a_list_goes_on_to_its_end(
    tool: str, arguments: dict[str, Any], key: str, counted: bool, tools: ToolCaller, world: World
) -> None:
    many(world, 25)
    whole = await tools.ok(tool, **arguments, limit=500)
    assert (whole["truncated"], "cursor" in whole) == (False, False)
    seen: list[str] = []
    cursor = None
    pages = 0
    while cursor or not pages:
        page = await tools.ok(tool, **arguments, limit=10, cursor=cursor)
        seen += [row[key] for row in page["items"]]
        assert ("total" in page) is counted
        cursor = page.get("cursor")
        assert page["truncated"] is (cursor is not None)
        pages += 1
    assert seen == [row[key] for row in whole["items"]]
    await brings_each_once(tools, tool, 25, **arguments)
    assert len(seen) == len(set(seen)) >= 25


@pytest.mark.parametrize("tool", [DASHBOARD, TEAM])
async def test_exactly_the_limit_is_not_truncated(tool: str, tools: ToolCaller, world: World) -> None:
    many(world, 10)
    page = await tools.ok(tool, action="search", query="thing", limit=10)
    assert (page["returned"], page["truncated"]) == (10, False)
    page = await tools.ok(tool, action="search", query="thing", limit=9)
    assert (page["returned"], page["truncated"]) == (9, True)
    last = await tools.ok(tool, action="search", query="thing", limit=9, cursor=page["cursor"])
    assert (last["returned"], last["truncated"]) == (1, False)


async def test_the_budget_cuts_at_an_item_and_the_cursor_goes_on_there(tools: ToolCaller, world: World) -> None:
    many(world, 300)
    for number in range(300):
        world.main.dashboards[f"d{number}"].spec = {"title": f"{number:03d} " + "long title " * 20}
    seen: list[str] = []
    cursor = None
    while True:
        page = await tools.ok(DASHBOARD, action="search", query="long title", limit=300, cursor=cursor)
        seen += [row["uid"] for row in page["items"]]
        assert page["returned"] == len(page["items"]) < 300
        cursor = page.get("cursor")
        if cursor is None:
            break
    assert sorted(seen) == sorted(f"d{number}" for number in range(300))


async def test_a_cursor_belongs_to_its_arguments(tools: ToolCaller, world: World) -> None:
    many(world, 20)
    page = await tools.ok(DASHBOARD, action="search", query="thing", limit=5)
    error = await tools.fails(DASHBOARD, action="search", query="web", limit=5, cursor=page["cursor"])
    assert "it was issued for different arguments" in error["message"]
    assert (await tools.fails(DASHBOARD, action="search", cursor="x"))["code"] == "bad_argument"


async def test_annotations_and_playlists_say_that_more_exist(tools: ToolCaller, world: World) -> None:
    for number in range(4):
        world.main.annotations[50 + number] = {**world.main.annotations[9], "id": 50 + number}
        world.main.playlists[f"p{number}"] = {**world.main.playlists["wall"], "uid": f"p{number}"}
    for tool, action in (("grafana_annotation_management", "get"), (MISC, "get_playlists")):
        page = await tools.ok(tool, action=action, limit=3)
        assert (page["returned"], page["truncated"]) == (3, True)
        assert "More exist" in page["hint"]
        page = await tools.ok(tool, action=action, limit=5)
        assert (page["returned"], page["truncated"]) == (5, False)


@pytest.mark.parametrize(
    ("tool", "arguments", "why"),
    [
        (DASHBOARD, {"action": "search", "query": "nothing like it"}, "No dashboard matches"),
        (TEAM, {"action": "search", "query": "nothing"}, "sees no such team"),
        (ORG, {"action": "list_orgs", "query": "nothing"}, "No organisation has this text"),
        (USER, {"action": "list_users", "query": "nothing"}, "No login, name or email"),
        (ALERT, {"action": "get_contact_points", "name": "nothing"}, "No contact point is named"),
        (MISC, {"action": "get_playlists", "query": "nothing"}, "No playlist has this text"),
        ("grafana_annotation_management", {"action": "get", "tags": ["nothing"]}, "None match"),
        ("grafana_datasource_management", {"action": "list", "name": "nothing"}, "No data source has this text"),
    ],
)
async def test_an_empty_list_says_why(
    tool: str, arguments: dict[str, Any], why: str, tools: ToolCaller, world: World
) -> None:
    found = await tools.ok(tool, **arguments)
    assert (found["items"], found["truncated"]) == ([], False)
    assert why in found["hint"]
