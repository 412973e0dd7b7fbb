"""Names in policies: the DNS answers that agents have seen, and the names that policies select."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from kmcp_cilium.agents.agent import Agent, parsed
from kmcp_cilium.agents.answers import SpreadPage
from kmcp_cilium.arguments import EveryNode, as_text, check_operand
from kmcp_cilium.client import Cilium
from kmcp_cilium.declaring import agent_tool
from kmcp_cilium.rights import AGENTS
from kmcp_cilium.state.labels import selector
from kmcp_runtime import Cursor, DryRun, Effect, EffectByArgument, Limit, bad_argument


def _check_number(value: str | None) -> str | None:
    if value is not None and not value.isdigit():
        raise ValueError(f"{value!r} is not the ID of an endpoint; cilium_get_endpoints_list lists them")
    return value


class Lookup(BaseModel):
    """A name and its addresses, as one endpoint asked for it."""

    node: str
    endpoint_id: int
    source: str | None = Field(default=None, description="lookup: a DNS answer; connection: still in use")
    fqdn: str
    ips: list[str]
    ttl: int
    expires: str | None = None


class FqdnCache(SpreadPage[Lookup]):
    """Cached names; after a clean those that were cached before."""

    cleared: bool | None = Field(default=None, description="True when they were removed")
    dry_run: bool | None = None


class Selector(BaseModel):
    """A name or pattern of policies, and the expression that names must match."""

    node: str
    selector: str
    regex: str


class DnsNames(SpreadPage[Selector]):
    """Names that policies select, by node."""

    names: list[str] = Field(description="Names that agents look up regularly")


@agent_tool(Effect.WRITE, by=EffectByArgument("command", {"list": Effect.READ}, needs=AGENTS))
async def cilium_fqdn_cache(
    cilium: Cilium,
    command: Annotated[Literal["list", "clean"], "What to do"],
    match_pattern: Annotated[str | None, AfterValidator(lambda v: v and check_operand(v)), "Such as *.example.com"] = (
        None
    ),
    endpoint_id: Annotated[
        str | None, BeforeValidator(as_text), AfterValidator(_check_number), "Only list this endpoint's"
    ] = None,
    source: Annotated[Literal["lookup", "connection"] | None, "Only list these"] = None,
    node_name: EveryNode = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    dry_run: DryRun = False,
) -> FqdnCache:
    """List the addresses that pods got for names (which toFQDNs policies allow), or clean one node's cache."""
    pattern = ("-p", match_pattern) if match_pattern else ()
    if command == "list":
        # clean has no filters by endpoint or source, so they are not offered for it.
        narrowed = (*(("-e", endpoint_id) if endpoint_id else ()), *(("-s", source) if source else ()))
        return await _list_cache(cilium, node_name, (*pattern, *narrowed), limit, cursor)
    if endpoint_id or source:
        raise bad_argument("command=clean takes only match_pattern", "omit endpoint_id and source")
    agent = await cilium.find_one_agent(node_name)
    # Listed before the clean: afterwards nobody can say what was in the cache.
    found = await _list_cache(cilium, agent.node, pattern, limit, cursor)
    if not dry_run:
        await agent.call("fqdn", "cache", "clean", "-f", *pattern)
    return found.model_copy(update={"cleared": not dry_run, "dry_run": dry_run or None})


@agent_tool(Effect.READ)
async def cilium_show_dns_names(
    cilium: Cilium,
    node_name: EveryNode = None,
    match: Annotated[str | None, "Part of the name"] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> DnsNames:
    """Show the names and patterns that toFQDNs rules of policies select, as each agent sees them."""

    async def ask(agent: Agent) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = parsed(await agent.call("fqdn", "names"), "cilium-dbg fqdn names")
        return answer

    answers = await cilium.ask_agents(node_name, ask)
    selectors = [
        Selector(node=node, selector=selector(each.get("selectorString", "")), regex=each.get("regexString", ""))
        for node, answer in answers
        for each in answer.get("FQDNPolicySelectors") or ()
    ]
    # In Python, since the command has no filter.
    kept = [each for each in selectors if match is None or match.lower() in each.selector.lower()]
    kept.sort(key=lambda each: (each.node, each.selector))
    polled = {name for _, answer in answers for name in answer.get("DNSPollNames") or ()}
    hint = None if kept else "No toFQDNs rule selects such a name."
    return cilium.page(DnsNames, kept, limit, cursor, hint, names=sorted(polled), unreachable=answers.unreachable)


async def _list_cache(
    cilium: Cilium, node: str | None, words: tuple[str, ...], limit: int, cursor: str | None
) -> FqdnCache:
    answers = await cilium.ask_agents(node, lambda agent: agent.call_json("fqdn", "cache", "list", *words))
    found = [_lookup(name, each) for name, answer in answers for each in answer or ()]
    found.sort(key=lambda each: (each.node, each.fqdn, each.endpoint_id, each.source or ""))
    hint = None if found else "Nothing is cached: names come from DNS answers that a policy sends through the proxy."
    return cilium.page(FqdnCache, found, limit, cursor, hint, unreachable=answers.unreachable)


def _lookup(node: str, each: Mapping[str, Any]) -> Lookup:
    return Lookup(
        node=node,
        endpoint_id=each.get("endpoint-id", 0),
        source=each.get("source"),
        fqdn=each.get("fqdn", ""),
        ips=sorted(each.get("ips") or ()),
        ttl=each.get("ttl", 0),
        expires=each.get("expiration-time"),
    )
