"""Security identities: the sets of labels that policies select."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from kmcp_cilium.agents.agent import Agent
from kmcp_cilium.arguments import AnyNode, Elements
from kmcp_cilium.client import Cilium
from kmcp_cilium.declaring import agent_tool
from kmcp_cilium.state.labels import matching
from kmcp_runtime import Cursor, Effect, Limit, Page, Result, ToolFailure, bad_argument, not_found

Kind = Literal["cluster", "reserved", "cidr", "remote_node"]
# Numeric identities: up to 255 reserved, above that the upper 8 bits are the scope (pkg/identity/numericidentity.go).
_LAST_RESERVED = 255
_SCOPE_BITS = 24
_SCOPES: dict[int, Kind] = {0: "cluster", 1: "cidr", 2: "remote_node"}
_MOST_ENDPOINTS = 100


class Identity(BaseModel):
    """An identity and its labels."""

    id: int
    labels: list[str]
    ref_count: int | None = Field(default=None, description="Endpoints of that node that have it")


class Identities(Page[Identity]):
    """Identities, by number."""


class Bearer(BaseModel):
    """An address that has an identity."""

    ip: str
    namespace: str | None = None
    pod: str | None = None


class IdentityDetail(Result):
    """One identity."""

    id: int
    kind: Kind
    labels: list[str]
    endpoints: list[Bearer] = Field(description="Addresses that have it")
    endpoints_total: int


@agent_tool(Effect.READ)
async def cilium_list_identities(
    cilium: Cilium,
    labels: Annotated[Elements | None, "Having all of these: k8s:app=web"] = None,
    endpoints: Annotated[bool, "Only those of the node's endpoints"] = False,
    node_name: AnyNode = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Identities:
    """List identities with their labels: the numbers in policies, flows and BPF maps."""
    agent = await cilium.find_any_agent(node_name)
    answer = await agent.call_json("identity", "list", *(("--endpoints",) if endpoints else ()))
    found = sorted((_identity(each) for each in answer), key=lambda identity: identity.id)
    kept = [identity for identity in found if matching(identity.labels, labels or ())]
    hint = None if kept else "No identity has these labels; write them with their source, such as k8s:app=web."
    return cilium.page(Identities, kept, limit, cursor, hint)


@agent_tool(Effect.READ)
async def cilium_get_identity_details(
    cilium: Cilium,
    identity_id: Annotated[int | None, "Number", Field(ge=0, le=(1 << 32) - 1)] = None,
    labels: Annotated[Elements | None, "Or exactly its labels"] = None,
    node_name: AnyNode = None,
) -> IdentityDetail:
    """Show what an identity's number means: its labels, its kind and its addresses."""
    if (identity_id is None) == (not labels):
        raise bad_argument("give exactly one of identity_id and labels", "cilium_list_identities lists them")
    agent = await cilium.find_any_agent(node_name)
    identity = _identity(await _find(agent, identity_id, labels or []))
    # The IP cache has the addresses of all nodes, an agent's endpoints only its own.
    bearers = [_bearer(each) for each in await agent.call_json("ip", "list") if each.get("identity") == identity.id]
    return IdentityDetail(
        id=identity.id,
        kind=_kind(identity.id),
        labels=identity.labels,
        endpoints=bearers[:_MOST_ENDPOINTS],
        endpoints_total=len(bearers),
    )


async def _find(agent: Agent, identity_id: int | None, labels: list[str]) -> Mapping[str, Any]:
    words = [str(identity_id)] if identity_id is not None else ["--label", ",".join(labels)]
    what = f"identity {identity_id}" if identity_id is not None else f"identity with exactly {', '.join(labels)}"
    hint = "cilium_list_identities lists them, with labels= only those that have these labels"
    try:
        # An unknown number fails, unknown labels give an empty list.
        found: list[dict[str, Any]] = await agent.call_json("identity", "get", *words)
    except ToolFailure as failure:
        if failure.code != "not_found":
            raise
        raise not_found(f"no {what}", hint) from None
    if not found:
        raise not_found(f"no {what}", hint)
    return found[0]


def _identity(each: Mapping[str, Any]) -> Identity:
    inner = each.get("identity") or each
    return Identity(id=inner.get("id", 0), labels=sorted(inner.get("labels") or ()), ref_count=each.get("refCount"))


def _kind(number: int) -> Kind:
    return "reserved" if number <= _LAST_RESERVED else _SCOPES.get(number >> _SCOPE_BITS, "cluster")


def _bearer(entry: Mapping[str, Any]) -> Bearer:
    metadata = entry.get("metadata") or {}
    return Bearer(ip=entry["cidr"], namespace=metadata.get("namespace"), pod=metadata.get("name"))
