"""The configuration of running agents."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field

from kmcp_cilium import changes
from kmcp_cilium.agents.agent import Agent
from kmcp_cilium.agents.answers import Spread
from kmcp_cilium.arguments import OneNode, as_text
from kmcp_cilium.changes import POLICY_ENFORCEMENT
from kmcp_cilium.client import Cilium
from kmcp_cilium.declaring import agent_tool
from kmcp_runtime import DryRun, Effect, bad_argument

Option = Literal[
    "ConntrackAccounting",
    "Debug",
    "DebugLB",
    "DebugPolicy",
    "DebugTagged",
    "DropNotification",
    "MonitorAggregationLevel",
    "PolicyAccounting",
    "PolicyAuditMode",
    "PolicyEnforcement",
    "PolicyVerdictNotification",
    "SourceIPVerification",
    "TraceNotification",
]
ALL = "all"
_LOST_AT_RESTART = (
    "It is lost when the agent restarts: for lasting changes use values of the chart (cilium_upgrade_cilium) or a "
    "CiliumNodeConfig."
)


class Difference(BaseModel):
    """An option whose value differs between nodes."""

    key: str
    values: dict[str, Any] = Field(description="By node")


class Configuration(Spread):
    """The options of one agent and their values."""

    node: str = Field(description="Whose options they are")
    options: dict[str, Any]
    differs: list[Difference] | None = Field(default=None, description="With node_name=all")


class Toggled(BaseModel):
    """An option on one node."""

    node: str
    before: str | None
    after: str
    changed: bool = Field(description="With dry_run: whether it would be")


class OptionToggle(Spread):
    """An option before and after, by node."""

    option: str
    nodes: list[Toggled]
    changed: bool
    persistent: bool = Field(default=False, description="False: it lasts until the agent restarts")
    dry_run: bool | None = None


@agent_tool(Effect.READ)
async def cilium_show_configuration_options(
    cilium: Cilium,
    list_all: Annotated[bool, "Read-only ones too"] = False,
    list_read_only: Annotated[bool, "Only read-only ones"] = False,
    list_options: Annotated[bool, "Explain the changeable ones"] = False,
    match: Annotated[str | None, "Part of the name"] = None,
    node_name: Annotated[OneNode, "Node; all compares"] = None,
) -> Configuration:
    """Show how agents are configured, or with node_name=all where nodes differ."""
    if sum((list_all, list_read_only, list_options)) > 1:
        raise bad_argument(
            "give only one of list_all, list_read_only and list_options", "list_all includes the read-only options"
        )
    if list_options:
        agent = await cilium.find_any_agent(None if node_name == ALL else node_name)
        return _shown(agent.node, _explained(await agent.call("config", "--list-options")), match)
    flag = ("-a",) if list_all else ("-r",) if list_read_only else ()
    if node_name != ALL:
        agent = await cilium.find_any_agent(node_name)
        return _shown(agent.node, _flat(await agent.call_json("config", *flag)), match)
    # Only differences are listed: a cluster has hundreds of equal options.
    answers = await cilium.ask_agents(None, lambda agent: agent.call_json("config", *flag))
    by_node = {node: _flat(answer) for node, answer in answers}
    first = next(iter(by_node))
    shown = _shown(first, by_node[first], match)
    return shown.model_copy(update={"differs": _differing(by_node, match), "unreachable": answers.unreachable})


@agent_tool(Effect.WRITE, idempotent=True)
async def cilium_toggle_configuration_option(
    cilium: Cilium,
    option: Annotated[Option, "Option"],
    value: Annotated[str, BeforeValidator(as_text), "true, false; none to max; default, always, never"],
    node_name: OneNode = None,
    all_nodes: Annotated[bool, "On every node"] = False,
    dry_run: DryRun = False,
) -> OptionToggle:
    """Change an agent's option until it restarts, for example to audit policies instead of enforcing them."""
    if all_nodes and node_name:
        raise bad_argument("give only one of node_name and all_nodes", "all_nodes means every node")
    wanted = changes.wanted(option, value)
    # Without all_nodes one agent is changed, and with several the caller must say which.
    node = node_name if all_nodes else (await cilium.find_one_agent(node_name)).node
    answers = await cilium.ask_agents(node, lambda agent: _toggle(agent, option, wanted, dry_run))
    nodes = [toggled for _, toggled in answers]
    changed = any(toggled.changed for toggled in nodes)
    return OptionToggle(
        option=option,
        nodes=nodes,
        changed=changed and not dry_run,
        dry_run=dry_run or None,
        hint=_LOST_AT_RESTART if changed else None,
        unreachable=answers.unreachable,
    )


async def _toggle(agent: Agent, option: str, wanted: str, dry_run: bool) -> Toggled:
    before = await _read_value(agent, option)
    after = wanted
    if before != wanted and not dry_run:
        await agent.call("config", f"{option}={wanted}")
        # Read back: the agent may refuse a value without an error.
        after = await _read_value(agent, option) or "absent"
    return Toggled(node=agent.node, before=before, after=after, changed=before != after)


async def _read_value(agent: Agent, option: str) -> str | None:
    answer = _flat(await agent.call_json("config", "-a")).get(option)
    return None if answer is None else changes.shown(option, answer)


def _flat(answer: Mapping[str, Any]) -> dict[str, Any]:
    """All options in one map."""
    # The command nests the changeable options below "options".
    flat = {**answer, **(answer.get("options") or {})} if isinstance(answer.get("options"), Mapping) else dict(answer)
    flat.pop("options", None)
    # It is shown under another name than the one that changes it.
    if "policy-enforcement" in flat:
        flat[POLICY_ENFORCEMENT] = flat.pop("policy-enforcement")
    return dict(sorted(flat.items()))


def _explained(text: str) -> dict[str, str]:
    """Options and their meanings, from lines of `Name   meaning`."""
    pairs = [line.split(None, 1) for line in text.splitlines() if line.strip()]
    return dict(sorted((pair[0], pair[1] if len(pair) > 1 else "") for pair in pairs))


def _shown(node: str, options: Mapping[str, Any], match: str | None) -> Configuration:
    kept = {key: value for key, value in options.items() if _matches(key, match)}
    hint = None
    if not kept:
        hint = f"No option's name contains {match!r}; list_all includes the read-only options."
    return Configuration(node=node, options=kept, hint=hint)


def _differing(by_node: Mapping[str, Mapping[str, Any]], match: str | None) -> list[Difference]:
    keys = sorted({key for options in by_node.values() for key in options if _matches(key, match)})
    rows = [Difference(key=key, values={node: answer.get(key) for node, answer in by_node.items()}) for key in keys]
    return [row for row in rows if len({repr(value) for value in row.values.values()}) > 1]


def _matches(key: str, match: str | None) -> bool:
    return match is None or match.lower() in key.lower()
