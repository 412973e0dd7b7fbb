"""XDP filters: ranges whose packets a node drops before anything else looks at them."""

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, Field

from kmcp_cilium.agents.agent import Agent
from kmcp_cilium.agents.answers import Answers, Spread, SpreadPage
from kmcp_cilium.arguments import Element, EveryNode, OneNode, split
from kmcp_cilium.client import Cilium
from kmcp_cilium.declaring import agent_tool
from kmcp_cilium.prefixes import completed, prefix
from kmcp_cilium.state.fields import part
from kmcp_runtime import DryRun, Effect, ToolFailure, bad_argument, conflict, live_state, unavailable

_OFF = "prefilter is not enabled"
_STALE = "Latest revision is"
_ENABLE = (
    "The prefilter is off: set the agent's option enable-xdp-prefilter (in extraConfig of the chart, which has no "
    "value for it)."
)
Prefixes = Annotated[list[Element], BeforeValidator(split), "Such as 192.0.2.0/24", Field(min_length=1, max_length=500)]
Revision = Annotated[int | None, "Expected revision of the filters", Field(ge=0)]
Command = Literal["update", "delete"]
AllNodes = Annotated[bool, "On every node"]


class NodeFilters(BaseModel):
    """The filters of one node."""

    node: str
    enabled: bool
    revision: int | None = None
    deny: list[str]


class Filters(SpreadPage[NodeFilters]):
    """Filters by node."""


class FilterChange(BaseModel):
    """What changed on one node."""

    node: str
    added: list[str] | None = None
    removed: list[str] | None = None
    revision: int


class FilterChanges(Spread):
    """What changed, by node."""

    nodes: list[FilterChange]
    result: str = Field(description="What happened")
    changed: bool
    dry_run: bool | None = None


@agent_tool(Effect.READ)
async def cilium_list_xdp_cidr_filters(cilium: Cilium, node_name: EveryNode = None) -> Filters:
    """List the address ranges whose packets nodes drop at once (XDP prefilter)."""
    answers = await cilium.ask_agents(node_name, _read_filters)
    items = [filters for _, filters in answers]
    hint = None if any(filters.enabled for filters in items) else _ENABLE
    return Filters(items=items, total=len(items), unreachable=answers.unreachable, hint=hint)


@agent_tool(Effect.DESTROY, idempotent=True)
async def cilium_update_xdp_cidr_filters(
    cilium: Cilium,
    cidr_prefixes: Prefixes,
    revision: Revision = None,
    node_name: OneNode = None,
    all_nodes: AllNodes = False,
    dry_run: DryRun = False,
) -> FilterChanges:
    """Drop all packets from these address ranges on one node, or with all_nodes on every node."""
    await _refuse_own(cilium, _ranges(cidr_prefixes))
    node = await _choose_node(cilium, node_name, all_nodes)
    return await _change_filters(cilium, node, "update", cidr_prefixes, revision, dry_run)


@agent_tool(Effect.DESTROY)
async def cilium_delete_xdp_cidr_filters(
    cilium: Cilium,
    cidr_prefixes: Prefixes,
    revision: Revision = None,
    node_name: OneNode = None,
    all_nodes: AllNodes = False,
    dry_run: DryRun = False,
) -> FilterChanges:
    """Let packets from these address ranges through again on one node, or with all_nodes on every node."""
    node = await _choose_node(cilium, node_name, all_nodes)
    return await _change_filters(cilium, node, "delete", cidr_prefixes, revision, dry_run)


async def _change_filters(
    cilium: Cilium, node: str | None, command: Command, given: list[str], revision: int | None, dry_run: bool
) -> FilterChanges:
    """Add ranges to the filters of one node or of all, or remove them; ranges that are already so are skipped."""
    prefixes, is_update = _ranges(given), command == "update"

    async def change(agent: Agent) -> FilterChange:
        filters = await _read_enabled(agent)
        differing = [each for each in prefixes if (each in filters.deny) is not is_update]
        live_state.bind(f"filters {agent.where}", {"revision": filters.revision, "deny": filters.deny})
        if differing and not dry_run:
            await _send(agent, command, differing, revision)
            filters = await _read_filters(agent)
        changed = {"added" if is_update else "removed": differing}
        return FilterChange(node=agent.node, revision=filters.revision or 0, **changed)

    answers = await cilium.ask_agents(node, change)
    return _result(answers, "filtered" if is_update else "let through", completed(given, prefixes), dry_run)


async def _choose_node(cilium: Cilium, node_name: str | None, all_nodes: bool) -> str | None:
    """The node to change; None for all of them, which the caller must request."""
    if all_nodes and node_name:
        raise bad_argument("give only one of node_name and all_nodes", "all_nodes means every node")
    return None if all_nodes else (await cilium.find_one_agent(node_name)).node


def _ranges(given: list[str]) -> list[str]:
    try:
        return [prefix(each) for each in given]
    except ValueError as error:
        raise bad_argument(f"cidr_prefixes: {error}", "write ranges as 192.0.2.0/24") from None


async def _read_filters(agent: Agent) -> NodeFilters:
    try:
        answer = await agent.call_json("prefilter", "list")
    except ToolFailure as failure:
        if _OFF not in failure.message:
            raise
        return NodeFilters(node=agent.node, enabled=False, deny=[])
    realized = part(answer, "status", "realized") or part(answer, "spec")
    return NodeFilters(
        node=agent.node, enabled=True, revision=realized.get("revision", 0), deny=sorted(realized.get("deny") or ())
    )


async def _read_enabled(agent: Agent) -> NodeFilters:
    filters = await _read_filters(agent)
    if not filters.enabled:
        raise unavailable(f"the prefilter is off {agent.where}", _ENABLE)
    return filters


async def _send(agent: Agent, command: Command, prefixes: list[str], revision: int | None) -> None:
    words = ["--cidr", ",".join(prefixes), *(("--revision", str(revision)) if revision else ())]
    try:
        await agent.call("prefilter", command, *words)
    except ToolFailure as failure:
        if _STALE not in failure.message:
            raise
        # For the hint: the next attempt must name the revision that was read last.
        current = (await _read_filters(agent)).revision
        raise conflict(
            f"revision: the filters have changed and are at revision {current} now ({failure.message})",
            f"check them with cilium_list_xdp_cidr_filters, then repeat with revision={current}",
        ) from None


async def _refuse_own(cilium: Cilium, prefixes: list[str]) -> None:
    """Refuse ranges that contain a node or the API server: they would cut off the cluster."""
    agent = await cilium.find_any_agent(None)
    own = {str(urlsplit(cilium.api.context.server).hostname): "the API server"}
    for node in await agent.call_json("node", "list"):
        # All addresses of a node: health checks and tunnels may use any.
        own |= dict.fromkeys(_addresses(node), f"node {node['name']}")
    for network in map(ip_network, prefixes):
        for address, whose in own.items():
            if _is_in(address, network):
                raise bad_argument(
                    f"cidr_prefixes: {network} contains {address}, the address of {whose}", "use a narrower range"
                )


def _addresses(node: Mapping[str, Any]) -> list[str]:
    primary = part(node, "primary-address")
    families = [primary.get(family) or {} for family in ("ipv4", "ipv6")]
    others = node.get("secondary-addresses") or []
    return [str(each["ip"]) for each in [*families, *others] if each.get("ip")]


def _is_in(address: str, network: IPv4Network | IPv6Network) -> bool:
    try:
        return ip_address(address) in network
    except ValueError:  # A host name.
        return False


def _result(answers: Answers[FilterChange], result: str, warnings: list[str] | None, dry_run: bool) -> FilterChanges:
    nodes = [change for _, change in answers]
    differs = any(change.added or change.removed for change in nodes)
    outcome = f"would be {result}" if dry_run and differs else result if differs else "unchanged"
    return FilterChanges(
        nodes=nodes,
        result=outcome,
        changed=differs and not dry_run,
        dry_run=dry_run or None,
        warnings=warnings,
        unreachable=answers.unreachable,
    )
