"""Each of the 91 actions is sent as published and accepted, rehearsed unsent, and hidden where it may only read."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest
from pydantic import SecretStr

from kmcp_grafana.server import SERVER
from kmcp_grafana.settings import GrafanaSettings
from kmcp_runtime import Effect
from tests.asked import refused_as_changed, yes_after
from tests.grafana.conftest import connected
from tests.grafana.every_action import (
    ALERT,
    ANNOTATION,
    DASHBOARD,
    FOLDER,
    MISC,
    ORG,
    SOURCE,
    TEAM,
    USER,
    Case,
    cases,
)
from tests.grafana.standin import StandIn
from tests.grafana.standin.state import new_state
from tests.grafana.world import MODEL, SECRET, World, populated
from tests.mcp import ToolCaller

NINE = {declared.name: declared for declared in SERVER.tools() if not declared.extra}
CASES = cases(populated(new_state()))
NAMES = [f"{case.tool}-{case.action}" for case in CASES]
CHANGING = [case for case in CASES if NINE[case.tool].effect_of({"action": case.action}) is not Effect.READ]
DESTROYING = [case for case in CHANGING if NINE[case.tool].effect_of({"action": case.action}) is Effect.DESTROY]
VERSIONS = pytest.mark.parametrize("older", [False, True], ids=["current", "older"])


def actions(tool: str) -> list[str]:
    schema = NINE[tool].input_schema()["properties"]["action"]
    return list(schema["enum"])


def test_no_action_is_left_out() -> None:
    declared = {(tool, action) for tool in NINE for action in actions(tool)}
    assert len(NINE) == 9
    assert len(declared) == 91
    assert {(case.tool, case.action) for case in CASES} == declared
    assert len(CASES) == 91


@pytest.fixture(scope="session")
async def both(address: str) -> AsyncIterator[dict[bool, ToolCaller]]:
    """A server for each version, since it asks once which APIs there are."""
    # To switch the organisation is the one action that is off by default.
    async with connected(address, grafana_switch_org=True) as current:
        async with connected(address, grafana_switch_org=True) as older:
            yield {False: current, True: older}


@pytest.fixture
def all_tools(both: dict[bool, ToolCaller], older: bool) -> ToolCaller:
    return both[older]


@VERSIONS
@pytest.mark.parametrize("case", CASES, ids=NAMES)
async def test_it_is_sent_as_published_and_accepted(
    case: Case, older: bool, grafana: StandIn, world: World, all_tools: ToolCaller
) -> None:
    if case.action == "enable_user":
        world.state.users[3].is_disabled = True
    answer = await all_tools.ok(case.tool, action=case.action, **case.arguments)
    assert case.wanted(older) in grafana.accepted
    assert SECRET not in json.dumps(answer)
    if case in CHANGING:
        assert answer["changed"] is True
        assert case.wanted(older) in grafana.wrote()
        assert "dry_run" not in answer
    else:
        assert grafana.wrote() == []


@VERSIONS
@pytest.mark.parametrize("case", CHANGING, ids=[f"{case.tool}-{case.action}" for case in CHANGING])
async def test_a_rehearsal_shows_the_request_and_sends_none(
    case: Case, older: bool, grafana: StandIn, world: World, all_tools: ToolCaller
) -> None:
    if case.action == "enable_user":
        world.state.users[3].is_disabled = True
    answer = await all_tools.ok(case.tool, action=case.action, dry_run=True, **case.arguments)
    assert grafana.wrote() == []
    assert (answer["dry_run"], answer["changed"]) == (True, False)
    assert answer["result"].startswith("would be ")
    method = case.wanted(older).split()[0]
    assert answer["request"].startswith(f"{method} /api")
    assert answer.get("diff") or answer.get("item")
    assert SECRET not in json.dumps(answer)


@pytest.mark.parametrize("tool", list(NINE))
async def test_in_read_only_mode_no_changing_action_is_in_the_schema(tool: str, address: str, world: World) -> None:
    changing = {case.action for case in CHANGING if case.tool == tool}
    async with connected(address, {"read_only": True}) as caller:
        listed = {found.name: found for found in await caller.client.list_tools()}
        whole = json.dumps(listed[tool].input_schema)
        schema = listed[tool].input_schema["properties"]["action"]
        offered = schema.get("enum", [schema.get("const")])
        assert set(offered) == set(actions(tool)) - changing
        assert not [action for action in changing if f'"{action}"' in whole or f"{action}(" in whole.split()]
        for case in CHANGING:
            if case.tool == tool:
                error = await caller.fails(tool, action=case.action, **case.arguments)
                assert error["code"] in ("bad_argument", "denied")


@pytest.mark.parametrize("case", DESTROYING, ids=[f"{case.tool}-{case.action}" for case in DESTROYING])
async def test_destruction_waits_for_a_yes(case: Case, address: str, grafana: StandIn, world: World) -> None:
    async with connected(address, {"approval": "plan"}) as caller:
        asked = await caller.fails(case.tool, action=case.action, **case.arguments)
        assert asked["code"] == "approval_required"
        assert asked["plan"]["dry_run"] is True
        assert grafana.wrote() == []
        await caller.ok(case.tool, action=case.action, **case.arguments, approval=asked["approval"])
        assert case.wanted(older=False) in grafana.wrote()


LIGHT = [case for case in CHANGING if case not in DESTROYING]


@VERSIONS
@pytest.mark.parametrize("case", LIGHT, ids=[f"{case.tool}-{case.action}" for case in LIGHT])
async def test_what_loses_nothing_asks_nobody(
    case: Case, older: bool, address: str, grafana: StandIn, world: World
) -> None:
    if case.action == "enable_user":
        world.state.users[3].is_disabled = True
    async with connected(address, {"approval": "ask"}, grafana_switch_org=True) as caller:
        await caller.ok(case.tool, action=case.action, **case.arguments)
    assert case.wanted(older) in grafana.wrote()


def _new_version(world: World) -> None:
    found = world.main.dashboards["web"]
    found.version, found.spec = found.version + 1, {**found.spec, "title": "Of somebody else"}


def _another_in_the_folder(world: World) -> None:
    """As many dashboards as before, but not the same ones."""
    world.main.dashboards["other"] = replace(world.main.dashboards.pop("web"), uid="other")


MEANWHILE: dict[tuple[str, str], Callable[[World], object]] = {
    (ORG, "delete_user"): lambda world: world.main.members.update({world.user: "Admin"}),
    (ORG, "delete_org"): lambda world: world.state.organisations[world.org].members.update({3: "Viewer"}),
    (TEAM, "delete"): lambda world: world.main.teams[world.team]["members"].append(3),
    (TEAM, "remove_member"): lambda world: setattr(world.state.users[world.user], "login", "another"),
    (ALERT, "delete_rule"): lambda world: world.main.rules["errors"].update({"for": "1h"}),
    (ALERT, "delete_contact_point"): lambda world: world.main.points["hook"]["settings"].update(recipient="#web"),
    (ALERT, "update_notification_policies"): lambda world: world.main.policies.update(routes=[{"receiver": "hook"}]),
    (ALERT, "delete_mute_timing"): lambda world: world.main.timings["nights"].update(version="v2"),
    (ANNOTATION, "delete"): lambda world: world.main.annotations[world.annotation].update(text="rolled back"),
    (MISC, "delete_snapshot"): lambda world: world.main.snapshots["snap"].update(dashboard={**MODEL, "panels": []}),
    (MISC, "delete_playlist"): lambda world: world.main.playlists["wall"].update(items=[]),
    (DASHBOARD, "delete"): _new_version,
    (DASHBOARD, "update_permissions"): lambda world: world.main.dashboards["web"].permissions.clear(),
    (FOLDER, "delete"): _another_in_the_folder,
    (FOLDER, "update_permissions"): lambda world: world.main.folders["ops"].permissions.append(
        {"role": "Viewer", "permission": 4}
    ),
    (SOURCE, "delete"): lambda world: world.main.datasources["prom"].update(url="http://elsewhere:9090", version=2),
    (USER, "delete_user"): lambda world: setattr(world.state.users[world.user], "is_admin", True),
    (USER, "disable_user"): lambda world: setattr(world.state.users[world.user], "login", "another"),
    (USER, "update_password"): lambda world: setattr(world.state.users[world.user], "login", "another"),
}
"""What others do between the plan and the yes."""


@VERSIONS
@pytest.mark.parametrize("case", DESTROYING, ids=[f"{case.tool}-{case.action}" for case in DESTROYING])
async def test_A4_what_changed_while_a_person_thinks_survives(
    case: Case, older: bool, address: str, grafana: StandIn, world: World
) -> None:
    async def meanwhile() -> None:
        MEANWHILE[case.tool, case.action](world)

    settings = GrafanaSettings(
        grafana_url=address, grafana_username="admin", grafana_password=SecretStr("admin-password")
    )
    async with yes_after(SERVER, settings, meanwhile) as caller:
        await refused_as_changed(caller, case.tool, action=case.action, **case.arguments)
    assert grafana.wrote() == []
