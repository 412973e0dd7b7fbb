"""Each of the 91 actions is sent as published and accepted, rehearsed unsent, and hidden where it may only read."""

import json
from collections.abc import AsyncIterator

import pytest

from kmcp_grafana.server import SERVER
from kmcp_runtime import Effect
from tests.grafana.conftest import connected
from tests.grafana.every_action import Case, cases
from tests.grafana.standin import StandIn
from tests.grafana.standin.state import new_state
from tests.grafana.world import SECRET, World, populated
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
    assert (answer["dry_run"], answer["changed"]) == (True, True)
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
