"""Addresses and the identities behind them: the IP cache."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel

from kmcp_cilium.agents.agent import parsed
from kmcp_cilium.arguments import AnyNode, Elements
from kmcp_cilium.client import Cilium
from kmcp_cilium.declaring import agent_tool
from kmcp_cilium.prefixes import prefix
from kmcp_runtime import Cursor, Effect, Limit, Page, ToolFailure, bad_argument, not_found


class Address(BaseModel):
    """An address or range, and who has it."""

    cidr: str
    identity: int | None = None
    host_ip: str | None = None
    encrypt_key: int | None = None
    namespace: str | None = None
    pod: str | None = None
    source: str | None = None


class Addresses(Page[Address]):
    """Addresses, by cidr."""


@agent_tool(Effect.READ)
async def cilium_list_ip_addresses(
    cilium: Cilium, node_name: AnyNode = None, limit: Limit = 200, cursor: Cursor = None
) -> Addresses:
    """List the IP cache: every address Cilium knows, its identity, pod and host."""
    agent = await cilium.find_any_agent(node_name)
    found = [_address(entry) for entry in await agent.call_json("ip", "list")]
    return cilium.page(Addresses, found, limit, cursor)


@agent_tool(Effect.READ)
async def cilium_show_ip_cache_information(
    cilium: Cilium,
    cidr: Annotated[str | None, AfterValidator(lambda text: text and prefix(text)), "Address or range"] = None,
    labels: Annotated[Elements | None, "Or exactly an identity's labels"] = None,
    node_name: AnyNode = None,
) -> Addresses:
    """Show who has an address, or which addresses the identity with these labels has."""
    if (cidr is None) == (not labels):
        raise bad_argument("give exactly one of cidr and labels", "cilium_list_ip_addresses lists all")
    agent = await cilium.find_any_agent(node_name)
    words = ("-l", ",".join(labels)) if labels else (str(cidr),)
    try:
        # As text: the header before the JSON would make it unreadable.
        answer = await agent.call("ip", "get", *words, "-o", "json")
    except ToolFailure as failure:
        if failure.code != "not_found":
            raise
        what = f"the labels {', '.join(labels)}" if labels else f"{cidr}"
        raise not_found(f"the IP cache of node {agent.node} has nothing for {what}", _NEARBY) from None
    found = [_address(entry) for entry in parsed(_without_header(answer), "cilium-dbg ip get")]
    return Addresses(items=found, total=len(found))


_NEARBY = "the range must match an entry exactly; cilium_list_ip_addresses lists the entries"


def _without_header(text: str) -> str:
    """The JSON in an answer that may begin with a header."""
    # With labels the command prints them first, between lines of =.
    return text.rpartition("=\n")[2]


def _address(entry: Mapping[str, Any]) -> Address:
    metadata = entry.get("metadata") or {}
    return Address(
        cidr=entry["cidr"],
        identity=entry.get("identity"),
        host_ip=entry.get("hostIP") or None,
        encrypt_key=entry.get("encryptKey"),
        namespace=metadata.get("namespace"),
        pod=metadata.get("name"),
        source=metadata.get("source"),
    )
