"""The stand-in before grafana-client, which was made for the real Grafana: it finds what it expects.

What that client makes, our tools read alike, and the other way round.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.grafana.every_action import ANNOTATION, DASHBOARD, FOLDER, ORG, SOURCE, TEAM
from tests.grafana.oracle.client import Oracle, Refused, connected_oracle
from tests.grafana.standin import StandIn
from tests.grafana.world import RULE, World
from tests.mcp import ToolCaller


@pytest.fixture(scope="module")
async def oracle(address: str) -> AsyncIterator[Oracle]:
    async with connected_oracle(address, "admin", "admin-password") as found:
        yield found


@pytest.fixture
def older() -> bool:
    """The client speaks the API below `/api`, which both versions serve."""
    return False


async def test_dashboards(oracle: Oracle, tools: ToolCaller, grafana: StandIn, world: World) -> None:
    model = {"uid": "theirs", "title": "Theirs", "panels": [], "schemaVersion": 41}
    made = await oracle("dashboard.update_dashboard", {"dashboard": model, "folderUid": "ops", "message": "first"})
    assert (made["status"], made["uid"], made["version"]) == ("success", "theirs", 1)
    ours = (await tools.ok(DASHBOARD, action="get", uid="theirs"))["item"]
    assert (ours["title"], ours["version"], ours["folderUid"]) == ("Theirs", 1, "ops")
    change = {"operations": [{"op": "replace", "path": "/title", "value": "Ours"}]}
    await tools.ok(DASHBOARD, action="update", uid="theirs", spec=change)
    found = await oracle("dashboard.get_dashboard", "theirs")
    assert (found["dashboard"]["title"], found["dashboard"]["version"], found["meta"]["folderUid"]) == (
        "Ours",
        2,
        "ops",
    )
    with pytest.raises(Refused) as stale:
        await oracle("dashboard.update_dashboard", {"dashboard": {**model, "version": 1}})
    assert stale.value.status == 412
    assert [row["uid"] for row in await oracle("search.search_dashboards", query="our", type_="dash-db")] == ["theirs"]
    first = await oracle("dashboard_versions.get_dashboard_version_by_uid", "theirs", 1)
    assert (first["version"], first["message"], first["data"]["title"]) == (1, "first", "Theirs")
    restored = await oracle("dashboard_versions.restore_dashboard_by_uid", "theirs", 1)
    assert restored["version"] == 3
    await oracle("dashboard.update_permissions_by_uid", "theirs", {"items": [{"role": "Viewer", "permission": 1}]})
    shown = await tools.ok(DASHBOARD, action="get_permissions", uid="theirs")
    assert [(row["role"], row["permission"]) for row in shown["items"]] == [("Viewer", "View")]
    assert (await oracle("dashboard.get_permissions_by_uid", "theirs"))[0]["permissionName"] == "View"
    await oracle("dashboard.delete_dashboard", "theirs")
    with pytest.raises(Refused) as gone:
        await oracle("dashboard.get_dashboard", "theirs")
    assert gone.value.status == 404


async def test_folders(oracle: Oracle, tools: ToolCaller, grafana: StandIn, world: World) -> None:
    made = await oracle("folder.create_folder", "Theirs", uid="theirs", parent_uid="ops")
    assert (made["uid"], made["parentUid"]) == ("theirs", "ops")
    assert (await tools.ok(FOLDER, action="get", uid="theirs"))["item"]["parentUid"] == "ops"
    assert {row["uid"] for row in await oracle("folder.get_all_folders", parent_uid="ops")} == {"inner", "theirs"}
    await oracle("folder.move_folder", "theirs", "inner")
    with pytest.raises(Refused) as circular:
        await oracle("folder.move_folder", "ops", "theirs")
    assert circular.value.status == 400
    version = (await oracle("folder.get_folder", "theirs"))["version"]
    assert (await oracle("folder.update_folder", "theirs", title="Renamed", version=version))["title"] == "Renamed"
    await tools.ok(FOLDER, action="update_permissions", uid="theirs", spec={"items": [{"teamId": 7, "permission": 2}]})
    assert (await oracle("folder.get_folder_permissions", "theirs"))[0]["permission"] == 2
    await oracle("folder.delete_folder", "theirs")
    assert "theirs" not in world.main.folders


async def test_data_sources(oracle: Oracle, tools: ToolCaller, grafana: StandIn, world: World) -> None:
    spec = {"name": "Theirs", "type": "loki", "access": "proxy", "url": "http://loki:3100", "uid": "theirs"}
    assert (await oracle("datasource.create_datasource", spec))["datasource"]["uid"] == "theirs"
    assert (await tools.ok(SOURCE, action="get_by_name", name="Theirs"))["item"]["type"] == "loki"
    await tools.ok(SOURCE, action="update", uid="theirs", spec={"url": "http://loki:3200"})
    found = await oracle("datasource.get_datasource_by_uid", "theirs")
    assert found["url"] == "http://loki:3200"
    await oracle("datasource.update_datasource_by_uid", "theirs", {**spec, "url": "http://loki:3300"})
    assert (await oracle("datasource.get_datasource_by_name", "Theirs"))["url"] == "http://loki:3300"
    assert {row["uid"] for row in await oracle("datasource.list_datasources")} == {"prom", "loki", "sql", "theirs"}
    assert (await oracle("datasource.health", "prom"))["status"] == "OK"
    await oracle("datasource.delete_datasource_by_uid", "theirs")
    assert "theirs" not in world.main.datasources


async def test_annotations(oracle: Oracle, tools: ToolCaller, grafana: StandIn, world: World) -> None:
    at = 1_764_100_000_000
    made = await oracle(
        "annotations.add_annotation", dashboard_uid="web", panel_id=1, time_from=at, time_to=at + 60_000, text="theirs"
    )
    ours = await tools.ok(ANNOTATION, action="get", start=at / 1000 + 30, end=at / 1000 + 40)
    assert [row["id"] for row in ours["items"]] == [made["id"]]
    found = await oracle("annotations.find_annotations", time_from=at + 30_000, time_to=at + 40_000)
    assert [row["text"] for row in found] == ["theirs"]
    alone = await oracle("annotations.find_annotations", time_from=at + 30_000)
    assert {row["id"] for row in alone} == {made["id"], world.annotation}, "one bound filters nothing"
    await oracle("annotations.partial_update_annotation", made["id"], text="changed")
    assert world.main.annotations[made["id"]]["text"] == "changed"
    await oracle("annotations.delete_annotations_by_id", made["id"])
    assert set(world.main.annotations) == {world.annotation}


async def test_alerting(oracle: Oracle, tools: ToolCaller, grafana: StandIn, world: World) -> None:
    alert = "grafana_alert_management"
    await oracle("alertingprovisioning.create_alertrule", {**RULE, "uid": "theirs", "title": "T"}, True)
    assert (await oracle("alertingprovisioning.get_alertrule", "theirs"))["provenance"] == ""
    await tools.ok(alert, action="update_rule", uid="theirs", spec={"for": "1m"})
    rules = {rule["uid"]: rule for rule in await oracle("alertingprovisioning.get_alertrules_all")}
    assert (rules["theirs"]["for"], set(rules)) == ("1m", {"errors", "theirs"})
    assert len((await oracle("alertingprovisioning.get_rule_group", "ops", "web"))["rules"]) == 2
    await oracle("alertingprovisioning.delete_alertrule", "theirs")
    point = {"name": "Mail", "type": "email", "uid": "mail", "settings": {"addresses": "ops@example.com"}}
    await oracle("alertingprovisioning.create_contactpoint", point, True)
    assert {row["uid"] for row in await oracle("alertingprovisioning.get_contactpoints")} == {"hook", "mail"}
    await oracle("alertingprovisioning.delete_contactpoint", "mail")
    tree = await oracle("alertingprovisioning.get_notification_policy_tree")
    await oracle("alertingprovisioning.set_notification_policy_tree", {**tree, "group_by": ["job"]}, True)
    assert (await tools.text(alert, action="get_notification_policies")).count("job") == 1
    timing = {"name": "theirs", "time_intervals": [{"weekdays": ["sunday"]}]}
    await oracle("alertingprovisioning.create_mute_timing", timing, True)
    assert {row["name"] for row in await oracle("alertingprovisioning.get_mute_timings")} == {"nights", "theirs"}
    await oracle("alertingprovisioning.delete_mute_timing", "theirs")


async def test_teams_and_users(oracle: Oracle, tools: ToolCaller, grafana: StandIn, world: World) -> None:
    team = (await oracle("teams.add_team", {"name": "Theirs", "email": ""}))["teamId"]
    await oracle("teams.add_team_member", team, world.user)
    members = await tools.ok(TEAM, action="get_members", team_id=str(team))
    assert [row["userId"] for row in members["items"]] == [world.user]
    assert {row["name"] for row in await oracle("teams.search_teams")} == {"SRE", "Theirs"}
    assert [row["name"] for row in await oracle("teams.get_team_by_name", "Theirs")] == ["Theirs"]
    await oracle("teams.remove_team_member", team, world.user)
    await oracle("teams.delete_team", team)
    new = {"name": "Dora", "email": "dora@example.com", "login": "dora", "password": "dora-password"}
    user = (await oracle("admin.create_user", new))["id"]
    assert (await oracle("users.find_user", "dora@example.com"))["id"] == user
    await oracle("users.update_user", user, {"login": "dora", "email": "dora@example.com", "name": "Dora D."})
    ours = await tools.ok("grafana_user_management", action="get_user", user_id=user)
    assert ours["item"]["name"] == "Dora D."
    assert (await oracle("user.get_actual_user"))["login"] == "admin"
    assert {row["orgId"] for row in await oracle("user.get_actual_user_organisations")} == {1, 2}
    await oracle("admin.set_user_enabled", user, False)
    assert world.state.users[user].is_disabled
    await oracle("admin.delete_user", user)
    assert user not in world.state.users


async def test_organisations(oracle: Oracle, tools: ToolCaller, grafana: StandIn, world: World) -> None:
    made = (await oracle("organization.create_organization", {"name": "Theirs"}))["orgId"]
    assert (await tools.ok(ORG, action="get_org", name="Theirs"))["item"]["id"] == made
    await oracle("organizations.update_organization", made, {"name": "Renamed"})
    assert (await oracle("organization.find_organization", "Renamed"))["id"] == made
    assert made in {row["id"] for row in await oracle("organizations.list_organization")}
    assert [row["login"] for row in await oracle("organizations.organization_user_list", made)] == ["admin"]
    await oracle("organizations.delete_organization", made)
    await oracle("organization.add_user_current_organization", {"loginOrEmail": "carol", "role": "Viewer"})
    carol = {row["login"]: row for row in await oracle("organization.get_current_organization_users")}["carol"]
    await oracle("organization.update_user_current_organization", carol["userId"], {"role": "Editor"})
    ours = await tools.ok(ORG, action="get_users")
    assert {row["login"]: row["role"] for row in ours["items"]}["carol"] == "Editor"
    await oracle("organization.delete_user_current_organization", carol["userId"])
    await tools.ok(ORG, action="update_preferences", spec={"timezone": "utc"})
    assert (await oracle("organization.get_preferences"))["timezone"] == "utc"


async def test_snapshots_and_health(oracle: Oracle, tools: ToolCaller, grafana: StandIn, world: World) -> None:
    model: dict[str, Any] = {"title": "Theirs", "panels": []}
    made = await oracle("snapshots.create_new_snapshot", dashboard=model, name="theirs", expires=60, external=False)
    ours = await tools.ok("grafana_misc_management", action="get_snapshot", key=made["key"])
    assert ours["item"]["title"] == "Theirs"
    assert (await oracle("snapshots.get_snapshot_by_key", made["key"]))["dashboard"]["title"] == "Theirs"
    await oracle("snapshots.delete_snapshot_by_key", made["key"])
    assert list(world.main.snapshots) == ["snap"]
    assert (await oracle("health.check"))["version"] == grafana.version


async def test_it_is_refused_as_it_expects(address: str, grafana: StandIn, world: World) -> None:
    async with connected_oracle(address, "admin", "wrong") as stranger:
        with pytest.raises(Refused) as refused:
            await stranger("organization.get_current_organization")
    assert (refused.value.kind, refused.value.status) == ("GrafanaUnauthorizedError", 401)
