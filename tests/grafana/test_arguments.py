"""What is missing, foreign or misspelt is named before anything is sent, with what the action takes."""

from typing import Any

import pytest

from kmcp_grafana.actions.table import Action, Table, table_of
from kmcp_grafana.server import SERVER
from tests.grafana.every_action import DASHBOARD, ORG, SOURCE, Case
from tests.grafana.standin import StandIn
from tests.grafana.test_every_action import CASES, NINE
from tests.grafana.world import World
from tests.mcp import ToolCaller

TABLES: dict[str, Table] = {name: table_of(tool.function) for name, tool in NINE.items()}


def action_of(case: Case) -> Action:
    return TABLES[case.tool].actions[case.action]


NEEDING = [case for case in CASES if {*action_of(case).needs, *action_of(case).either} - {"limit"}]
SPECIFIED = [case for case in CASES if (spec := action_of(case).spec) and not spec.free and spec.required]


def named(case: Case) -> str:
    return f"{case.tool}-{case.action}"


@pytest.mark.parametrize("tool", list(TABLES))
def test_every_argument_of_an_action_is_one_of_its_tool(tool: str) -> None:
    published = set(NINE[tool].input_schema()["properties"])
    taken = {name for action in TABLES[tool].actions.values() for name in action.takes}
    assert taken | {"action", "dry_run", "approval"} == published


@pytest.mark.parametrize("case", NEEDING, ids=named)
async def test_what_an_action_needs_is_named_when_it_is_missing(
    case: Case, tools: ToolCaller, grafana: StandIn, world: World
) -> None:
    action = action_of(case)
    error = await tools.fails(case.tool, action=case.action)
    assert error["code"] == "bad_argument"
    for name in [name for name in (*action.needs, *action.either) if name != "limit"]:
        assert name in error["message"]
    assert action.usage() in error["hint"]
    assert grafana.accepted == []


@pytest.mark.parametrize("case", SPECIFIED, ids=named)
async def test_fields_of_spec_are_checked_and_all_of_them_are_told(
    case: Case, tools: ToolCaller, grafana: StandIn, world: World
) -> None:
    spec = action_of(case).spec
    assert spec is not None
    first = spec.required[0]
    wrong = {f"{first}x": "y"}
    error = await tools.fails(case.tool, action=case.action, **{**case.arguments, "spec": wrong})
    assert error["code"] == "bad_argument"
    assert f"spec has unknown field '{first}x': did you mean {first}" in error["message"]
    assert f"spec lacks {', '.join(spec.required)}" in error["message"]
    assert spec.whole() in error["hint"]
    assert grafana.accepted == []


@pytest.mark.parametrize(
    ("tool", "arguments", "told"),
    [
        (ORG, {"action": "update_org", "user_id": 2, "spec": {"name": "x"}}, "did you mean org_id?"),
        (ORG, {"action": "update_user", "org_id": 2, "role": "Admin"}, "does not take org_id"),
        ("grafana_team_management", {"action": "get", "user_id": 2}, "did you mean team_id?"),
        (DASHBOARD, {"action": "get", "query": "web"}, "did you mean uid?"),
        (DASHBOARD, {"action": "search", "uid": "web"}, "search does not take uid"),
        ("grafana_datasource_management", {"action": "get", "name": "x"}, "did you mean uid?"),
        ("grafana_misc_management", {"action": "get_snapshot", "uid": "x"}, "did you mean key?"),
        ("grafana_user_management", {"action": "switch_org", "user_id": 2}, "did you mean org_id?"),
    ],
)
async def test_an_identifier_of_another_action_is_told_apart(
    tool: str, arguments: dict[str, Any], told: str, tools: ToolCaller, grafana: StandIn
) -> None:
    error = await tools.fails(tool, **arguments)
    assert error["code"] == "bad_argument"
    assert told in error["message"]
    assert f"use {arguments['action']}(" in error["hint"]
    assert grafana.accepted == []


@pytest.mark.parametrize(
    ("tool", "arguments", "told"),
    [
        (DASHBOARD, {"action": "serch"}, "did you mean search"),
        (DASHBOARD, {"action": "get", "uid": "../org"}, "contains a character that the name of an object cannot have"),
        (DASHBOARD, {"action": "get", "uid": "-x"}, "starts with '-'"),
        (ORG, {"action": "get_org", "org_id": 0}, "must be at least 1"),
        (ORG, {"action": "update_user", "user_id": 2, "role": "Owner"}, "'Owner' is not one of"),
        (ORG, {"action": "create_org", "spec": {"name": ""}}, "spec.name is wrong: must have 1 or more characters"),
        (ORG, {"action": "create_org", "spec": {"name": 7}}, "spec.name is wrong: must be text"),
        (
            "grafana_user_management",
            {"action": "create_user", "spec": {"password": "long-enough"}},
            "create_user needs login or email",
        ),
        ("grafana_annotation_management", {"action": "get", "start": "yesterday"}, "'yesterday' is not a valid time"),
        (
            "grafana_annotation_management",
            {"action": "create", "spec": {"text": "x", "time": "soon"}},
            "spec.time: 'soon' is not a valid time",
        ),
        (
            SOURCE,
            {"action": "query", "uid": "prom", "start": "now", "end": "now-1h", "spec": {}},
            "start: must be before end",
        ),
        (
            "grafana_misc_management",
            {"action": "create_playlist", "spec": {"name": "x", "interval": "5m", "items": []}},
            "spec.items is wrong: must have 1 or more elements",
        ),
        (
            "grafana_misc_management",
            {
                "action": "create_playlist",
                "spec": {"name": "x", "interval": "5m", "items": [{"type": "x", "value": "y"}]},
            },
            "spec.items[0].type is wrong: 'x' is not one of",
        ),
        (
            "grafana_misc_management",
            {"action": "create_snapshot", "spec": {"uid": "web", "dashboard": {"title": "x"}}},
            "cannot be combined",
        ),
        (DASHBOARD, {"action": "update", "uid": "web", "spec": {"message": "x"}}, "needs operations or dashboard"),
        (
            DASHBOARD,
            {"action": "create", "spec": {"dashboard": {"id": 3, "title": "x"}}},
            "id belongs to an existing dashboard",
        ),
        (
            DASHBOARD,
            {"action": "update_permissions", "uid": "web", "spec": {"items": [{"permission": 1}]}},
            "exactly one of role, teamId and userId",
        ),
        (
            DASHBOARD,
            {"action": "update_permissions", "uid": "web", "spec": {"items": [{"userId": 1, "permission": 3}]}},
            "'3' is not one of 1, 2 or 4",
        ),
    ],
)
async def test_what_cannot_be_meant_is_refused(
    tool: str, arguments: dict[str, Any], told: str, tools: ToolCaller, grafana: StandIn, world: World
) -> None:
    error = await tools.fails(tool, **arguments)
    assert error["code"] == "bad_argument"
    assert told in error["message"]
    assert grafana.wrote() == []


def test_the_extra_table_takes_what_its_tool_has() -> None:
    state = next(tool for tool in SERVER.tools() if tool.name == "grafana_alert_state")
    taken = {name for action in table_of(state.function).actions.values() for name in action.takes}
    assert taken == {"state", "folder_uid", "matchers", "silence_id", "end", "comment", "limit"}


async def test_falsy_values_are_set(tools: ToolCaller, grafana: StandIn, world: World) -> None:
    world.main.rules["errors"]["isPaused"] = True
    await tools.ok(
        "grafana_alert_management", action="update_rule", uid="errors", spec={"isPaused": False, "labels": {}}
    )
    assert world.main.rules["errors"]["isPaused"] is False
    assert world.main.rules["errors"]["labels"] == {}
    await tools.ok("grafana_team_management", action="update", team_id="7", spec={"email": ""})
    assert (world.main.teams[7]["email"], world.main.teams[7]["name"]) == ("", "SRE")
