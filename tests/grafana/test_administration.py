"""Users, organisations, annotations and snapshots: what is kept, what is refused, what is never shown."""

import json
from typing import Any

from pydantic import SecretStr

from tests.grafana.conftest import connected
from tests.grafana.every_action import DASHBOARD
from tests.grafana.standin import StandIn
from tests.grafana.world import World
from tests.mcp import ToolCaller


async def test_publishing_a_snapshot_outside_needs_the_setting(address: str, grafana: StandIn, world: World) -> None:
    spec = {"uid": "web", "external": True}
    async with connected(address) as caller:
        error = await caller.fails("grafana_misc_management", action="create_snapshot", spec=spec)
        assert (error["code"], "GRAFANA_EXTERNAL_SNAPSHOTS" in error["hint"]) == ("denied", True)
    async with connected(address, grafana_external_snapshots=True) as caller:
        await caller.ok("grafana_misc_management", action="create_snapshot", spec=spec)


async def test_switching_the_organisation_needs_the_setting(tools: ToolCaller, grafana: StandIn, world: World) -> None:
    error = await tools.fails("grafana_user_management", action="switch_org", org_id=2)
    assert (error["code"], "GRAFANA_ORG_ID=2" in error["hint"]) == ("denied", True)
    assert grafana.wrote() == []


async def test_a_password_is_set_and_never_shown(address: str, grafana: StandIn, world: World) -> None:
    async with connected(address, {"approval": "plan"}) as caller:
        call = {"action": "update_password", "user_id": 2, "spec": {"password": "planted-grafana-secret"}}
        asked = await caller.fails("grafana_user_management", **call)
        assert asked["code"] == "approval_required"
        answer = await caller.ok("grafana_user_management", **call, approval=asked["approval"])
        assert "planted" not in json.dumps([asked, answer])
    assert world.state.users[2].password == "planted-grafana-secret"
    async with connected(
        address, grafana_username="eve", grafana_password=SecretStr("planted-grafana-secret")
    ) as caller:
        assert (await caller.ok("grafana_user_management", action="get_current"))["item"]["login"] == "eve"


async def test_profiles_keep_what_is_not_named(tools: ToolCaller, world: World) -> None:
    await tools.ok("grafana_user_management", action="update_user", user_id=2, spec={"theme": "dark"})
    user = world.state.users[2]
    assert (user.login, user.email, user.name, user.theme) == ("eve", "eve@example.com", "Eve Editor", "dark")
    before = dict(world.main.preferences)
    await tools.ok("grafana_org_management", action="update_preferences", spec={"timezone": "utc"})
    await tools.ok("grafana_org_management", action="update_preferences", spec={"weekStart": "monday"})
    assert world.main.preferences == {**before, "timezone": "utc", "weekStart": "monday"}


async def test_an_annotation_takes_readable_times_and_keeps_what_is_not_named(tools: ToolCaller, world: World) -> None:
    tool = "grafana_annotation_management"
    made = await tools.ok(tool, action="create", spec={"text": "x", "time": "2026-11-25T09:00:00Z", "tags": ["a"]})
    row = world.main.annotations[made["item"]["id"]]
    assert row["time"] == 1795597200000
    answer = await tools.ok(
        tool, action="update", annotation_id=row["id"], spec={"text": "y", "timeEnd": 1795597260000}
    )
    assert (row["text"], row["tags"], row["time"]) == ("y", ["a"], 1795597200000)
    assert "timeEnd: '2026-11-25T09:01:00.000Z'" in answer["diff"]
    found = await tools.ok(tool, action="get", dashboard_uid="web", panel_id=1, type="annotation")
    assert [row["text"] for row in found["items"]] == ["deployed 1.2"]


async def test_doing_again_what_is_so_changes_nothing(tools: ToolCaller, grafana: StandIn, world: World) -> None:
    again: list[tuple[str, dict[str, Any]]] = [
        ("grafana_org_management", {"action": "update_user", "user_id": 2, "role": "Editor"}),
        ("grafana_org_management", {"action": "add_user", "spec": {"loginOrEmail": "eve", "role": "Editor"}}),
        ("grafana_team_management", {"action": "add_member", "team_id": "7", "user_id": 2}),
        ("grafana_user_management", {"action": "enable_user", "user_id": 2}),
        ("grafana_folder_management", {"action": "update", "uid": "ops", "spec": {"title": "Operations"}}),
        ("grafana_misc_management", {"action": "update_playlist", "uid": "wall", "spec": {"interval": "5m"}}),
        (
            DASHBOARD,
            {"action": "update_permissions", "uid": "web", "spec": {"items": [{"role": "Viewer", "permission": 1}]}},
        ),
    ]
    for tool, arguments in again:
        answer = await tools.ok(tool, **arguments)
        assert (answer["changed"], answer["result"]) == (False, "unchanged"), arguments
    assert grafana.wrote() == []


async def test_a_team_is_named_by_its_number(tools: ToolCaller, world: World) -> None:
    for team_id in (7, "7"):
        assert (await tools.ok("grafana_team_management", action="get", team_id=team_id))["item"]["name"] == "SRE"
    assert (await tools.fails("grafana_team_management", action="get", team_id=True))["code"] == "bad_argument"
