"""What Grafana refuses, in the words of the suite: rights, administrators, provisioning, versions, absent things."""

from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from tests.grafana.conftest import as_service_account, connected
from tests.grafana.every_action import ALERT, CASES_OF_ADMINISTRATORS, DASHBOARD, FOLDER, ORG, SOURCE, TEAM, USER, Case
from tests.grafana.standin import StandIn
from tests.grafana.standin.identity import ADMIN_TOKEN, EDITOR_TOKEN, VIEWER_TOKEN
from tests.grafana.world import World
from tests.mcp import ToolCaller

RENAME = {"operations": [{"op": "replace", "path": "/title", "value": "x"}]}
VERSIONS = pytest.mark.parametrize("older", [False, True], ids=["current", "older"])


@pytest.mark.parametrize("case", CASES_OF_ADMINISTRATORS, ids=lambda case: f"{case.tool}-{case.action}")
async def test_server_administration_cannot_be_done_with_a_token(
    case: Case, address: str, grafana: StandIn, world: World
) -> None:
    async with connected(address, **as_service_account(ADMIN_TOKEN)) as caller:
        error = await caller.fails(case.tool, action=case.action, **case.arguments)
    assert error["code"] == "forbidden"
    assert "needs basic authentication of a server administrator" in error["hint"]
    assert grafana.accepted == []


async def test_server_administration_takes_the_user_where_both_are_set(
    address: str, grafana: StandIn, world: World
) -> None:
    async with connected(address, grafana_token=SecretStr(VIEWER_TOKEN)) as caller:
        assert (await caller.ok(ORG, action="list_orgs"))["returned"] == 2
        assert (await caller.fails(TEAM, action="create", spec={"name": "x"}))["code"] == "forbidden"


async def test_a_user_who_is_no_administrator_is_told_what_is_needed(address: str, world: World) -> None:
    async with connected(address, grafana_username="eve", grafana_password=SecretStr("eve-password")) as caller:
        error = await caller.fails(USER, action="list_users")
    assert error["code"] == "forbidden"
    assert "server administrator" in error["hint"]


async def test_a_missing_permission_is_named(address: str, world: World) -> None:
    async with connected(address, **as_service_account(EDITOR_TOKEN)) as caller:
        error = await caller.fails(TEAM, action="create", spec={"name": "x"})
    assert error["code"] == "forbidden"
    assert "HTTP 403" in error["message"]
    assert error["hint"].endswith("the permission: teams:create")


async def test_a_permission_of_provisioning_is_no_sign_of_a_provisioned_thing(
    address: str, grafana: StandIn, world: World
) -> None:
    async with connected(address, **as_service_account(VIEWER_TOKEN)) as caller:
        error = await caller.fails(ALERT, action="delete_rule", uid="errors")
    assert error["hint"] == "give the identity of this server the permission: alert.provisioning:write"


async def test_what_stands_in_for_a_secret_is_never_written(tools: ToolCaller, grafana: StandIn, world: World) -> None:
    spec = {"secureJsonData": {"password": "[hidden:3f9c]"}}
    error = await tools.fails(SOURCE, action="update", uid="prom", spec=spec)
    assert error["code"] == "bad_argument"
    assert "secureJsonData.password is not the real value" in error["message"]
    # It may be read, to compare the mark with the live value.
    assert [request for request in grafana.accepted if not request.startswith("GET ")] == []


async def test_a_wrong_token_says_what_to_renew(address: str, world: World) -> None:
    async with connected(address, **as_service_account("glsa_wrong-planted-token-000000")) as caller:
        error = await caller.fails(DASHBOARD, action="search")
    assert error["code"] == "forbidden"
    assert "Invalid API key" in error["message"]
    assert "GRAFANA_SERVICE_ACCOUNT_TOKEN" in error["hint"]
    assert "planted" not in str(error)


@pytest.mark.parametrize(
    ("tool", "arguments", "absent"),
    [
        (ORG, {"action": "get_org", "org_id": 99}, "Organization not found"),
        (ORG, {"action": "get_org", "name": "No such"}, "Organization not found"),
        (ORG, {"action": "delete_user", "user_id": 99}, "no member with user_id 99"),
        (TEAM, {"action": "get", "team_id": "99"}, "Team not found"),
        (TEAM, {"action": "remove_member", "team_id": "7", "user_id": 99}, "has no member with user_id 99"),
        (ALERT, {"action": "get_rule", "uid": "none"}, "could not find alert rule"),
        (ALERT, {"action": "get_rule_group", "folder_uid": "ops", "group": "a/b"}, "could not find rule group"),
        (ALERT, {"action": "delete_contact_point", "uid": "none"}, "there are On call (hook)"),
        (ALERT, {"action": "get_mute_timing", "name": "none at all"}, "time interval not found"),
        ("grafana_annotation_management", {"action": "delete", "annotation_id": 99}, "Could not find annotation"),
        ("grafana_misc_management", {"action": "get_snapshot", "key": "none"}, "Failed to get dashboard snapshot"),
        ("grafana_misc_management", {"action": "get_playlist", "uid": "none"}, "not found"),
        (DASHBOARD, {"action": "get", "uid": "overview"}, "with it in the title: Web overview (uid web)"),
        (DASHBOARD, {"action": "get", "uid": "Web overview"}, "with it in the title: Web overview (uid web)"),
        (DASHBOARD, {"action": "get_versions", "uid": "Web overview"}, "with it in the title: Web overview (uid web)"),
        (FOLDER, {"action": "get", "uid": "Operations"}, "with it in the title: Operations (uid ops)"),
        (SOURCE, {"action": "get", "uid": "Main Prometheus"}, "no data source has the uid 'Main Prometheus'"),
        (DASHBOARD, {"action": "get_versions", "uid": "none"}, "no dashboard has uid 'none'"),
        (DASHBOARD, {"action": "get_version", "uid": "web", "version": 9}, "has no version 9; it is at version 2"),
        (FOLDER, {"action": "get", "uid": "operat"}, "with it in the title: Operations (uid ops)"),
        (SOURCE, {"action": "get", "uid": "Prometheus"}, "its uid is prom"),
        (SOURCE, {"action": "get_by_name", "name": "Promethus"}, "did you mean Prometheus"),
        (SOURCE, {"action": "test", "uid": "none"}, "no data source has the uid 'none'"),
        (USER, {"action": "get_user", "query": "nobody"}, "user not found"),
        (USER, {"action": "update_password", "user_id": 99, "spec": {"password": "long"}}, "user not found"),
        ("grafana_query", {"query": "up", "datasource": "prometeus"}, "did you mean"),
        ("grafana_alert_state", {"action": "expire_silence", "silence_id": "none"}, "silence not found"),
    ],
)
@VERSIONS
async def test_what_does_not_exist_is_not_found(
    tool: str, arguments: dict[str, Any], absent: str, older: bool, tools: ToolCaller, world: World
) -> None:
    error = await tools.fails(tool, **arguments)
    assert error["code"] == "not_found"
    assert absent in error["message"]
    assert error["hint"]


@pytest.mark.parametrize("action", ["update", "delete", "restore_version"])
@VERSIONS
async def test_a_provisioned_dashboard_is_left_alone(
    action: str, older: bool, tools: ToolCaller, grafana: StandIn, world: World
) -> None:
    world.main.dashboards["web"].manager = "classic-file-provisioning"
    given: dict[str, dict[str, Any]] = {"update": {"spec": RENAME}, "restore_version": {"version": 1}}
    more = given.get(action, {})
    error = await tools.fails(DASHBOARD, action=action, uid="web", **more)
    assert error["code"] == "forbidden"
    assert "managed by provisioning files" in error["message"]
    assert grafana.wrote() == []


async def test_a_manager_that_allows_edits_is_no_obstacle(tools: ToolCaller, world: World) -> None:
    from kmcp_grafana.client import objects

    thing = {"metadata": {"name": "x", "annotations": {"grafana.app/managedBy": "repo"}}}
    with pytest.raises(Exception, match="managed by a Git repository"):
        objects.refuse_managed(thing, "dashboard")
    thing["metadata"]["annotations"]["grafana.app/managerAllowsEdits"] = "true"  # type: ignore[index]
    objects.refuse_managed(thing, "dashboard")


@pytest.mark.parametrize(
    ("tool", "arguments", "plant"),
    [
        (ALERT, {"action": "update_rule", "uid": "errors", "spec": {"for": "1m"}}, ("rules", "errors")),
        (ALERT, {"action": "delete_rule", "uid": "errors"}, ("rules", "errors")),
        (ALERT, {"action": "delete_contact_point", "uid": "hook"}, ("points", "hook")),
        (ALERT, {"action": "delete_mute_timing", "name": "nights"}, ("timings", "nights")),
    ],
)
async def test_what_provisioning_files_keep_is_forbidden_with_what_keeps_it(
    tool: str, arguments: dict[str, Any], plant: tuple[str, str], tools: ToolCaller, grafana: StandIn, world: World
) -> None:
    getattr(world.main, plant[0])[plant[1]]["provenance"] = "file"
    error = await tools.fails(tool, **arguments)
    assert error["code"] == "forbidden"
    assert "managed by provisioning files" in error["message"]
    assert grafana.wrote() == []


async def test_the_provenance_of_what_the_api_made_is_kept(tools: ToolCaller, world: World) -> None:
    world.main.rules["errors"]["provenance"] = "api"
    await tools.ok(ALERT, action="update_rule", uid="errors", spec={"for": "1m"})
    assert world.main.rules["errors"]["provenance"] == "api"
    created = await tools.ok(ALERT, action="create_mute_timing", spec={"name": "x", "time_intervals": [{}]})
    assert created["item"] == {"name": "x"}
    assert world.main.timings["x"]["provenance"] == "", "made here, it stays editable in Grafana's pages"


async def test_a_read_only_data_source_is_left_alone(tools: ToolCaller, grafana: StandIn, world: World) -> None:
    world.main.datasources["prom"]["readOnly"] = True
    for action, more in (("update", {"spec": {"url": "http://x"}}), ("delete", {})):
        error = await tools.fails(SOURCE, action=action, uid="prom", **more)
        assert error["code"] == "forbidden"
        assert "provisioning files" in error["message"]
    assert grafana.wrote() == []


@pytest.mark.parametrize(
    ("lacking", "tool", "arguments"),
    [
        ("/api/v1/provisioning/mute-timings", ALERT, {"action": "get_mute_timings"}),
        ("/api/prometheus/grafana/api/v1/rules", "grafana_alert_state", {"action": "rules"}),
        ("/api/datasources/uid/{uid}", SOURCE, {"action": "get", "uid": "prom"}),
    ],
)
async def test_an_endpoint_that_this_version_lacks_is_told_with_the_version(
    lacking: str, tool: str, arguments: dict[str, Any], address: str, grafana: StandIn, world: World
) -> None:
    grafana.lacks = frozenset({lacking})
    grafana.version = "9.0.1"
    async with connected(address) as caller:
        error = await caller.fails(tool, **arguments)
    assert error["code"] == "unavailable"
    assert "Grafana 9.0.1 has no GET /api/" in error["message"]


@pytest.mark.parametrize(
    ("tool", "arguments", "code", "told"),
    [
        (ORG, {"action": "update_user", "user_id": 1, "role": "Viewer"}, "bad_argument", "no organization admin left"),
        (ORG, {"action": "create_org", "spec": {"name": "Second Org."}}, "conflict", "Organization name taken"),
        (TEAM, {"action": "create", "spec": {"name": "SRE"}}, "conflict", "Team name taken"),
        (SOURCE, {"action": "create", "spec": {"name": "Loki", "type": "loki"}}, "conflict", "name already exists"),
        (SOURCE, {"action": "create", "spec": {"name": "X", "type": "nosuch"}}, "bad_argument", "plugin nosuch not"),
        (USER, {"action": "create_user", "spec": {"login": "eve", "password": "long"}}, "conflict", "already exists"),
        (USER, {"action": "create_user", "spec": {"login": "x", "password": "abc"}}, "bad_argument", "too short"),
        (FOLDER, {"action": "create", "spec": {"title": "x", "uid": "ops"}}, "conflict", "exists"),
        (
            ALERT,
            {"action": "update_notification_policies", "spec": {"receiver": "nobody"}},
            "bad_argument",
            "receiver 'nobody' does not exist",
        ),
        (
            ALERT,
            {"action": "create_contact_point", "spec": {"name": "x", "type": "slack", "settings": {"a": 1}}},
            "bad_argument",
            "required field 'url' is not specified",
        ),
        (DASHBOARD, {"action": "create", "spec": {"dashboard": {"panels": []}}}, "bad_argument", "title cannot be"),
    ],
)
async def test_grafanas_own_words_reach_the_caller(
    tool: str, arguments: dict[str, Any], code: str, told: str, tools: ToolCaller, world: World
) -> None:
    error = await tools.fails(tool, **arguments)
    assert (error["code"], error["backend"]) == (code, "grafana")
    assert told in error["message"]


async def test_a_folder_with_alert_rules_is_deleted_only_when_told(tools: ToolCaller, world: World) -> None:
    plan = await tools.ok(FOLDER, action="delete", uid="ops", dry_run=True)
    assert plan["item"]["takes_along"] == {"folder": 1, "dashboard": 1, "alertrule": 1}
    assert "force_delete_rules" in plan["warnings"][0]
    error = await tools.fails(FOLDER, action="delete", uid="ops")
    assert "contains alert rules" in error["message"]
    await tools.ok(FOLDER, action="delete", uid="ops", force_delete_rules=True)
    assert (world.main.folders, world.main.dashboards, world.main.rules) == ({}, {}, {})


async def test_readiness_says_what_is_absent(address: str, grafana: StandIn) -> None:
    from kmcp_grafana.client.backend import open_backend
    from kmcp_grafana.settings import GrafanaSettings
    from kmcp_runtime import ToolFailure

    async def trouble(**settings: object) -> ToolFailure:
        async with open_backend(GrafanaSettings.model_validate(settings)) as backend:
            with pytest.raises(ToolFailure) as raised:
                await backend.ready()
        return raised.value

    assert "set GRAFANA_URL" in str((await trouble()).hint)
    assert "GRAFANA_SERVICE_ACCOUNT_TOKEN" in str((await trouble(grafana_url=address)).hint)
    nobody = await trouble(grafana_url="http://127.0.0.1:9")
    assert (nobody.code, nobody.backend) == ("unavailable", "grafana")
    given = {"grafana_url": address, "grafana_username": "admin", "grafana_password": "admin-password"}
    async with open_backend(GrafanaSettings.model_validate(given)) as backend:
        await backend.ready()


async def test_the_stand_in_is_strict(address: str, grafana: StandIn, world: World) -> None:
    async def answered(method: str, path: str, body: object = None) -> int:
        async with httpx2.AsyncClient(auth=("admin", "admin-password")) as client:
            return (await client.request(method, address + path, json=body)).status_code

    assert await answered("GET", "/api/org?x=1") == 400
    assert await answered("GET", "/api/nothing") == 404
    assert await answered("DELETE", "/api/health/x") == 404
    assert await answered("POST", "/api/orgs", {"name": "x", "nme": "x"}) == 400
    assert await answered("POST", "/api/teams", {"email": "x"}) == 400
    assert await answered("POST", "/api/teams", {"name": 7}) == 400
    assert await answered("POST", "/api/admin/users/2/enable", {"x": 1}) == 400
    assert await answered("PUT", "/apis/playlist.grafana.app/v1/namespaces/default/playlists/wall", {"spec": {}}) == 400
    assert await answered("GET", "/apis/playlist.grafana.app/v1/namespaces/org-2/playlists/wall") == 403
    assert len(grafana.violations) == 7
    assert grafana.accepted == []
    grafana.violations.clear()
