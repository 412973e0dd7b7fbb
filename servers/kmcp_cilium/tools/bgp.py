"""The BGP control plane: peers and routes."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field

from kmcp_cilium.agents.agent import Agent, parsed
from kmcp_cilium.agents.answers import SpreadPage
from kmcp_cilium.arguments import EveryNode
from kmcp_cilium.client import Cilium
from kmcp_cilium.declaring import agent_tool
from kmcp_cilium.prefixes import address
from kmcp_cilium.state import bgp_routes
from kmcp_cilium.state.fields import part
from kmcp_runtime import Cursor, Effect, Limit, Rule, ToolFailure, bad_argument, not_found

_WHY = "the real agent's peer never answers: an established session, and what it advertises, is a stand-in's"
_UNKNOWN = re.compile(r"(?:virtual router|neighbor) [^\"]*(?:does not|doesn't) exist")
_OFF = "BGP Control Plane is disabled"
_ENABLE = "The BGP control plane is off: set the chart's value bgpControlPlane.enabled=true."
_WANTED = "ciliumbgpnodeconfigs.cilium.io"
_NANOSECONDS = 1_000_000_000


class Family(BaseModel):
    """Routes of one address family of a session."""

    afi: str
    safi: str
    received: int
    accepted: int
    advertised: int


class Peer(BaseModel):
    """A peer of one node; its state is `configured only` when the agent has no session with it."""

    node: str
    local_asn: int | None = None
    peer_asn: int | None = None
    peer_address: str
    session_state: str
    uptime_seconds: int | None = None
    families: list[Family] | None = None


class Peers(SpreadPage[Peer]):
    """Peers, by node and address."""

    enabled: bool = Field(description="Whether an agent runs BGP")


class Route(BaseModel):
    """A route of one node."""

    node: str
    vrouter_asn: int
    neighbor: str | None = None
    prefix: str
    next_hops: list[str]
    age_seconds: int | None = None
    best: bool


class Routes(SpreadPage[Route]):
    """Routes, by node and prefix."""

    enabled: bool = Field(description="Whether an agent runs BGP")


@agent_tool(Effect.READ, Rule("cilium.io", ("ciliumbgpnodeconfigs",), ("list",)), why=_WHY)
async def cilium_list_bgp_peers(
    cilium: Cilium, node_name: EveryNode = None, limit: Limit = 100, cursor: Cursor = None
) -> Peers:
    """List BGP sessions of nodes with state and routes, and peers that are configured without a session."""
    answers = await cilium.ask_agents(node_name, lambda agent: _read_bgp(agent, "peers"))
    running = {node: answer for node, answer in answers if answer is not None}
    found = [_peer(node, each) for node, answer in running.items() for each in answer]
    # A peer whose session the agent never opened is missing from its answer, which is the fault most often looked for.
    found += await _list_without_session(cilium, found, node_name)
    found.sort(key=lambda peer: (peer.node, peer.peer_address))
    hint = _ENABLE if not running else None if found else "No CiliumBGPClusterConfig selects these nodes."
    return cilium.page(Peers, found, limit, cursor, hint, enabled=bool(running), unreachable=answers.unreachable)


@agent_tool(Effect.READ, why=_WHY)
async def cilium_list_bgp_routes(
    cilium: Cilium,
    node_name: EveryNode = None,
    table: Annotated[Literal["available", "advertised"], "Known, or advertised"] = "available",
    afi: Annotated[Literal["ipv4", "ipv6"], "Family"] = "ipv4",
    safi: Annotated[Literal["unicast"], "Subfamily"] = "unicast",
    vrouter_asn: Annotated[int | None, "Only of this router", Field(ge=1, le=4_294_967_295)] = None,
    peer: Annotated[str | None, AfterValidator(lambda v: v and address(v)), "Advertised to it"] = None,
    limit: Limit = 200,
    cursor: Cursor = None,
) -> Routes:
    """List the BGP routes that nodes know, or advertise to their peers."""
    if peer and table != "advertised":
        raise bad_argument("peer needs table=advertised", "omit peer, or use table=advertised")
    words = ["routes", table, afi, safi]
    words += ["vrouter", str(vrouter_asn)] if vrouter_asn else []
    words += ["peer", peer] if peer else []
    answers = await cilium.ask_agents(node_name, lambda agent: _read_bgp(agent, *words))
    running = {node: answer for node, answer in answers if answer is not None}
    found = [route for node, answer in running.items() for each in answer for route in _routes(node, each)]
    found.sort(key=lambda route: (route.node, route.prefix, not route.best))
    hint = _ENABLE if not running else None if found else f"No {table} routes of this family."
    return cilium.page(Routes, found, limit, cursor, hint, enabled=bool(running), unreachable=answers.unreachable)


async def _read_bgp(agent: Agent, *words: str) -> list[Mapping[str, Any]] | None:
    """The answer of a bgp command as data; None where BGP is off."""
    try:
        text = await agent.call("bgp", *words, "-o", "json")
    except ToolFailure as failure:
        # The agent reports an unknown router or neighbor in its message only.
        unknown = _UNKNOWN.search(failure.message)
        if unknown is None:
            raise
        raise not_found(f"{unknown[0]} {agent.where}", "cilium_list_bgp_peers shows local ASNs and peers") from None
    # The command says so in a sentence instead of JSON, with exit code 0.
    if _OFF in text:
        return None
    return list(parsed(text, f"cilium-dbg bgp {words[0]}") or ())


async def _list_without_session(cilium: Cilium, found: list[Peer], node_name: str | None) -> list[Peer]:
    """Peers of the cluster's configuration that no agent has a session with."""
    try:
        configs = await cilium.list_objects(_WANTED, None)
    except ToolFailure as failure:
        if failure.code != "not_found":
            raise
        return []
    there = {(peer.node, peer.peer_address) for peer in found}
    wanted = [peer for config in configs for peer in _configured(config) if node_name in (None, peer.node)]
    return [peer for peer in wanted if (peer.node, peer.peer_address) not in there]


def _configured(config: Mapping[str, Any]) -> list[Peer]:
    return [
        Peer(
            node=config["metadata"]["name"],
            local_asn=instance.get("localASN"),
            peer_asn=peer.get("peerASN"),
            peer_address=peer.get("peerAddress") or peer.get("name", ""),
            session_state="configured only",
        )
        for instance in part(config, "spec").get("bgpInstances") or ()
        for peer in instance.get("peers") or ()
    ]


def _peer(node: str, each: Mapping[str, Any]) -> Peer:
    counts = ("received", "accepted", "advertised")
    families = [
        Family(afi=family["afi"], safi=family["safi"], **{name: family.get(name, 0) for name in counts})
        for family in each.get("families") or ()
    ]
    uptime = each.get("uptime-nanoseconds")
    return Peer(
        node=node,
        local_asn=each.get("local-asn"),
        peer_asn=each.get("peer-asn"),
        peer_address=each.get("peer-address", ""),
        session_state=each.get("session-state", "unknown"),
        uptime_seconds=uptime // _NANOSECONDS if uptime else None,
        families=families or None,
    )


def _routes(node: str, each: Mapping[str, Any]) -> list[Route]:
    return [
        Route(
            node=node,
            vrouter_asn=each.get("router-asn", 0),
            neighbor=each.get("neighbor") or None,
            prefix=each.get("prefix", ""),
            next_hops=bgp_routes.next_hops(path.get("path-attributes") or ()),
            # Agents report nanoseconds.
            age_seconds=path.get("age-nanoseconds", 0) // _NANOSECONDS,
            best=bool(path.get("best")),
        )
        for path in each.get("paths") or ()
    ]
