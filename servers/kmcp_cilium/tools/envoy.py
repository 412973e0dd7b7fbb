"""Envoy, the L7 proxy of a node."""

from typing import Annotated, Literal
from urllib.parse import quote

from kmcp_cilium.agents.agent import Agent
from kmcp_cilium.arguments import OneNode
from kmcp_cilium.client import Cilium
from kmcp_cilium.declaring import agent_tool
from kmcp_cilium.state import envoy_items
from kmcp_cilium.state.envoy_items import EnvoyItem
from kmcp_runtime import Cursor, Effect, Limit, Page, ToolFailure, bad_argument, pattern, unavailable

Resource = Literal["certs", "clusters", "config", "listeners", "logging", "metrics", "serverinfo"]
Section = Literal["all", "clusters", "endpoints", "listeners", "networkpolicies", "routes", "secrets"]
_NO_SOCKET = "admin.sock"


class EnvoyItems(Page[EnvoyItem]):
    """What Envoy answered."""

    node: str


@agent_tool(
    Effect.READ,
    verified="cli",
    why="no Envoy can be had for the tests: the real command line asks a server that answers as Envoy does",
)
async def cilium_list_envoy_config(
    cilium: Cilium,
    resource_name: Annotated[Resource, "Resource"],
    section: Annotated[Section, "Part of config"] = "all",
    filter: Annotated[str | None, "Expression for the name"] = None,
    node_name: OneNode = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> EnvoyItems:
    """Read a node's Envoy (L7 policies, Gateway API): clusters, listeners, routes, policies, metrics, log levels."""
    if section != "all" and resource_name != "config":
        raise bad_argument("section needs resource_name=config", "omit section")
    named = pattern(filter, "filter") if filter else None
    agent = await cilium.find_one_agent(node_name)
    text = await _read_admin(agent, _words(resource_name, section, filter))
    found = envoy_items.items(resource_name, text)
    kept = await named.kept(found, lambda item: item.name) if named else found
    hint = None if kept else "Envoy has none of these" + (" that the filter matches." if filter else ".")
    return cilium.page(EnvoyItems, kept, limit, cursor, hint, node=agent.node)


def _words(resource: str, section: str, filter: str | None) -> tuple[str, ...]:
    # The command line puts the expression into a URL as it is.
    named = quote(filter, safe="") if filter else None
    if resource == "config":
        return ("config", section, *(("-n", named) if named else ()))
    if resource == "metrics":
        return ("metrics", *(("-f", named) if named else ()))
    if resource == "logging":
        return ("logging", "list")
    return (resource, "-o", "json") if resource in ("clusters", "listeners") else (resource,)


async def _read_admin(agent: Agent, words: tuple[str, ...]) -> str:
    try:
        return await agent.call("envoy", "admin", *words)
    except ToolFailure as failure:
        # Without Envoy its socket is missing, and the command says only that.
        if _NO_SOCKET not in failure.message:
            raise
        raise unavailable(
            f"no Envoy is running {agent.where}: {failure.message}",
            "it is needed for L7 policies, Ingress and Gateway API: see the chart's values l7Proxy and envoy.enabled",
        ) from None
