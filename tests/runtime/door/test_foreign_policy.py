"""What a policy says of foreign servers' tools: it holds, and what nobody can know yet is no fault."""

import logging
from pathlib import Path

import pytest
from fastmcp import Client

from kmcp_runtime import ERROR_META, SettingsError
from tests.mcp import ToolCaller, unframed
from tests.runtime.door.foreigners import Program, beside, listed
from tests.waiting import until

PERMIT = "permit (principal, action, resource);\n"
RULES = """
@id("no-swearing") forbid (principal, action, resource)
when { context.arguments has swear_word && context.arguments.swear_word == "darn" };
@id("one-of-them") forbid (principal, action in Action::"program", resource in Server::"program")
when { context.arguments has only_there && context.arguments.only_there };
@id("no-other") forbid (principal, action == Action::"program_other", resource);
@id("no-third") forbid (principal, action, resource) when { action == Action::"program_third" };
"""


async def test_rules_may_name_foreign_servers_their_tools_and_arguments(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "kmcp.policy")
    (tmp_path / "rules.cedar").write_text(PERMIT + RULES)
    properties = {"swear_word": {"type": "string"}, "only_there": {"type": "boolean"}}
    schema = {"type": "object", "properties": properties}
    reads = {"inputSchema": schema, "annotations": {"readOnlyHint": True}}
    program = Program([{"name": name, **reads} for name in ("act", "other", "third")])
    async with beside(program, tmp_path, policy=str(tmp_path / "rules.cedar")) as found:
        told = [record for record in caplog.records if record.name == "kmcp.policy"]
        warned = [record.getMessage() for record in told if record.levelno >= logging.WARNING]
        assert len(warned) == 1, warned
        assert "arguments never has 'swear_word'; unknown is whether a foreign server's has it" in warned[0]
        assert any("program_other, of a foreign server: unknown" in record.getMessage() for record in told)
        async with Client(f"{found.url}?tools=all") as client:
            caller = ToolCaller(client)
            shown = await listed(client, "program_act", "shelf_list")
            assert not {"program_other", "program_third"} & shown.keys()
            assert unframed(await caller.text("program_act", swear_word="gosh")) == "done"
            assert (await caller.fails("program_act", swear_word="darn"))["rule"] == "no-swearing"
            assert (await caller.fails("program_act", only_there=True))["rule"] == "one-of-them"


@pytest.mark.parametrize(
    "rule",
    [
        'forbid (principal, action in Action::"program", resource) when { context.arguments.only_there };',
        'forbid (principal, action in Action::"program", resource in Server::"program");',
        'forbid (principal, action, resource in Server::"program") when { context.arguments has only_there };',
        'forbid (principal, action == Action::"program_act", resource) when { context.arguments.only_there };',
    ],
)
async def test_each_form_of_a_rule_on_a_foreign_tool_starts_and_holds(tmp_path: Path, rule: str) -> None:
    (tmp_path / "rules.cedar").write_text(PERMIT + rule)
    schema = {"type": "object", "properties": {"only_there": {"type": "boolean"}}}
    program = Program([{"name": "act", "inputSchema": schema, "annotations": {"readOnlyHint": True}}])
    async with beside(program, tmp_path, policy=str(tmp_path / "rules.cedar")) as found, Client(found.url) as client:

        async def is_denied() -> bool:
            result = await client.call_tool("program_act", {"only_there": True}, raise_on_error=False)
            return bool((result.meta or {}).get(ERROR_META, {}).get("code") == "denied")

        await until(is_denied)
        assert program.calls == 0


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ('forbid (principal, action in Action::"shelf", resource) when { context.arguments has nmae };', "never has"),
        ('forbid (principal, action, resource in Server::"shelf") when { context.arguments has nmae };', "never has"),
        ("forbid (principal, action, resource) when { resource has nmae };", "never has"),
    ],
)
async def test_what_no_tool_can_have_is_a_fault_beside_foreign_servers_too(
    tmp_path: Path, rule: str, words: str
) -> None:
    (tmp_path / "rules.cedar").write_text(PERMIT + rule)
    with pytest.raises(SettingsError, match=words):
        async with beside(Program(), tmp_path, policy=str(tmp_path / "rules.cedar")):
            pass


async def test_a_name_that_nobody_has_is_told_beside_foreign_servers_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "rules.cedar").write_text(PERMIT + 'forbid (principal, action == Action::"shelf_lisst", resource);')
    async with beside(Program(), tmp_path, policy=str(tmp_path / "rules.cedar")):
        assert "the tool shelf_lisst, which is not of this process: did you mean shelf_list" in caplog.text
