"""Nodes as agents know them."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field

from kmcp_cilium.agents.answers import SpreadPage
from kmcp_cilium.arguments import AnyNode, EveryNode
from kmcp_cilium.client import Cilium
from kmcp_cilium.declaring import agent_tool
from kmcp_runtime import Cursor, Effect, Limit, Page


class ClusterNode(BaseModel):
    """A node of the cluster, or of a connected one (`cluster/name`)."""

    name: str
    ipv4: str | None = None
    pod_cidr_v4: str | None = None
    ipv6: str | None = None
    pod_cidr_v6: str | None = None
    health_ip: str | None = None
    ingress_ip: str | None = None
    source: str | None = Field(default=None, description="How the agent learned of it")


class ClusterNodes(Page[ClusterNode]):
    """Nodes, by name."""


class NodeId(BaseModel):
    """The ID that one agent has given to a node, for its datapath."""

    node: str = Field(description="Node of the agent that assigned it")
    id: int
    id_hex: str
    ips: list[str]


class NodeIds(SpreadPage[NodeId]):
    """Node IDs, by node and ID."""


@agent_tool(Effect.READ)
async def cilium_list_cluster_nodes(
    cilium: Cilium, node_name: AnyNode = None, limit: Limit = 100, cursor: Cursor = None
) -> ClusterNodes:
    """List the nodes that Cilium knows with their addresses and pod ranges, including those of connected clusters."""
    agent = await cilium.find_any_agent(node_name)
    nodes = sorted((_node(entry) for entry in await agent.call_json("node", "list")), key=lambda node: node.name)
    return cilium.page(ClusterNodes, nodes, limit, cursor)


@agent_tool(Effect.READ)
async def cilium_list_node_ids(
    cilium: Cilium, node_name: EveryNode = None, limit: Limit = 200, cursor: Cursor = None
) -> NodeIds:
    """List the IDs that each agent has given to node addresses, as in encryption and BPF maps."""
    answers = await cilium.ask_agents(node_name, lambda agent: agent.call_json("nodeid", "list"))
    ids = [
        NodeId(node=node, id=entry["id"], id_hex=hex(entry["id"]), ips=sorted(entry["ips"] or ()))
        for node, entries in answers
        # Each agent numbers nodes by itself, so an ID means nothing on another node.
        for entry in sorted(entries or (), key=lambda entry: int(entry["id"]))
    ]
    hint = None if ids else "No agent has given a node an ID; a cluster of one node has none."
    return cilium.page(NodeIds, ids, limit, cursor, hint, unreachable=answers.unreachable)


def _node(entry: Mapping[str, Any]) -> ClusterNode:
    # Only nodes with these functions have the addresses.
    primary, health, ingress = (
        entry.get(key) or {} for key in ("primary-address", "health-endpoint-address", "ingress-address")
    )
    ipv4, ipv6 = primary.get("ipv4") or {}, primary.get("ipv6") or {}
    return ClusterNode(
        name=entry["name"],
        source=entry.get("source"),
        ipv4=ipv4.get("ip"),
        pod_cidr_v4=ipv4.get("alloc-range"),
        ipv6=ipv6.get("ip"),
        pod_cidr_v6=ipv6.get("alloc-range"),
        health_ip=_ip(health),
        ingress_ip=_ip(ingress),
    )


def _ip(addressing: Mapping[str, Any]) -> str | None:
    found = (addressing.get("ipv4") or addressing.get("ipv6") or {}).get("ip")
    return str(found) if found else None
