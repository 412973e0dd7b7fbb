"""Endpoints: what Cilium knows of pods on its nodes."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from kmcp_cilium.agents.answers import SpreadPage
from kmcp_cilium.arguments import Elements, EveryNode, OneNode
from kmcp_cilium.client import Cilium
from kmcp_cilium.declaring import agent_tool
from kmcp_cilium.rights import PODS
from kmcp_cilium.state import endpoint_state
from kmcp_cilium.state.endpoint_state import Detail, Endpoint, EndpointId, LogEntry
from kmcp_cilium.state.fields import part
from kmcp_cilium.state.labels import of_its_own
from kmcp_runtime import Cursor, Effect, Limit, OptionalNamespace, Page, Result, Rule, bad_argument
from kmcp_runtime.kube.pages import Query, fetch

State = Literal[
    "ready",
    "not-ready",
    "waiting-for-identity",
    "waiting-to-regenerate",
    "regenerating",
    "restoring",
    "disconnecting",
    "disconnected",
    "invalid",
]
_CUSTOM_RESOURCE = "ciliumendpoints.cilium.io"
_PER_NODE = "For policy, health and the host endpoint, add node_name: only the node's agent has them."
_FEW = 32
"""Agents that are asked one by one when the cluster has no custom resources of endpoints."""


class Endpoints(SpreadPage[Endpoint]):
    """Endpoints, by node and ID, or by namespace and pod."""


class Details(SpreadPage[Detail]):
    """The endpoints that were meant."""


class Log(Page[LogEntry]):
    """Changes of an endpoint's state, the newest first."""

    node: str
    id: int


class Health(Result):
    """Which parts of an endpoint work."""

    node: str
    id: int
    pod: str | None = None
    overall: str
    bpf: str
    policy: str
    connected: bool = Field(description="Whether the agent manages its network")


@agent_tool(Effect.READ, Rule("cilium.io", ("ciliumendpoints",), ("list",)))
async def cilium_get_endpoints_list(
    cilium: Cilium,
    node_name: EveryNode = None,
    namespace: OptionalNamespace = None,
    state: Annotated[State | None, "Only in this state"] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Endpoints:
    """List endpoints (pods as Cilium sees them) with identity, state and policy; start here for a pod's network."""
    agents = 1 if node_name else len(await cilium.list_agent_pods())
    if agents > 1:
        found = await _list_from_objects(cilium, namespace, state, limit, cursor)
        # A cluster may be configured to write no CiliumEndpoints; then each agent is asked, while there are few.
        if found.items or cursor or agents > _FEW:
            return found
    answers = await cilium.ask_agents(node_name, lambda agent: agent.call_json("endpoint", "list"))
    rows = [endpoint_state.entry(node, each) for node, listed in answers for each in listed]
    kept = [row for row in rows if (not namespace or row.namespace == namespace) and (not state or row.state == state)]
    kept.sort(key=lambda row: (row.node, row.id))
    hint = None if kept else "No endpoint matches; without namespace and state all are listed."
    return cilium.page(Endpoints, kept, limit, cursor, hint, unreachable=answers.unreachable)


@agent_tool(Effect.READ, PODS, ignored=("output_format",))
async def cilium_get_endpoint_details(
    cilium: Cilium,
    endpoint_id: EndpointId | None = None,
    labels: Annotated[Elements | None, "Instead of endpoint_id: k8s:app=web"] = None,
    node_name: OneNode = None,
) -> Details:
    """Show one endpoint in detail: identity, addresses, realized policy, health, controllers, newest state changes."""
    if (endpoint_id is None) == (not labels):
        raise bad_argument("give exactly one of endpoint_id and labels", "cilium_get_endpoints_list lists them")
    if endpoint_id is not None:
        located = await endpoint_state.locate(cilium, endpoint_id, node_name)
        return Details(items=[endpoint_state.detail(located.agent.node, located.found)], total=1)
    words = ("endpoint", "get", "-l", ",".join(labels or ()))
    answers = await cilium.ask_agents(node_name, lambda agent: agent.call_json_or(("not_found",), [], *words))
    found = [endpoint_state.detail(node, each) for node, listed in answers for each in listed]
    hint = None if found else "No endpoint has these labels; cilium_get_endpoints_list shows labels."
    return Details(items=found, total=len(found), unreachable=answers.unreachable, hint=hint)


@agent_tool(Effect.READ, PODS)
async def cilium_get_endpoint_logs(
    cilium: Cilium,
    endpoint_id: EndpointId,
    node_name: OneNode = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Log:
    """Show the state changes of an endpoint, newest first: why it is not ready or regenerates."""
    located = await endpoint_state.locate(cilium, endpoint_id, node_name)
    entries = [
        endpoint_state.log_entry(change) for change in await located.agent.call_json("endpoint", "log", located.id)
    ]
    return cilium.page(Log, entries, limit, cursor, node=located.agent.node, id=int(located.id))


@agent_tool(Effect.READ, PODS)
async def cilium_get_endpoint_health(cilium: Cilium, endpoint_id: EndpointId, node_name: OneNode = None) -> Health:
    """Show whether an endpoint's BPF programs, policy and connection work."""
    located = await endpoint_state.locate(cilium, endpoint_id, node_name)
    answer = await located.agent.call_json("endpoint", "health", located.id)
    return Health(
        node=located.agent.node,
        id=int(located.id),
        pod=located.pod,
        overall=answer["overallHealth"],
        bpf=answer["bpf"],
        policy=answer["policy"],
        connected=answer.get("connected", False),
    )


async def _list_from_objects(
    cilium: Cilium, namespace: str | None, state: str | None, limit: int, cursor: str | None
) -> Endpoints:
    """A page of the CiliumEndpoints, one for each pod of the cluster."""
    kind = await cilium.discovery.resolve(_CUSTOM_RESOURCE)
    bound_to = {"context": cilium.context.name, "namespace": namespace, "state": state}
    # CiliumEndpoints have the address of their node, not its name.
    addresses = {pod.ip: pod.node for pod in await cilium.list_agent_pods()}
    while True:
        page = await fetch(cilium.api, Query(kind, namespace, limit=limit, form="objects"), cursor, bound_to)
        rows = [_row(item, addresses) for item in page.items]
        places = [place for place, row in enumerate(rows) if not state or row.state == state]
        cursor = page.cursor(bound_to)
        # A page that the state filter leaves empty is skipped: an empty page would look like the end.
        if places or cursor is None:
            break
    found = Endpoints(
        items=[rows[place] for place in places],
        # The API server cannot filter by state, so the number of matches is unknown.
        total=None if state else page.total,
        truncated=cursor is not None,
        cursor=cursor,
        hint=_PER_NODE,
    )
    found.continues_at(lambda kept: page.cursor_at(bound_to)(places[kept - 1] + 1))
    return found


def _row(item: Mapping[str, Any], addresses: Mapping[str, str]) -> Endpoint:
    metadata, status = item["metadata"], part(item, "status")
    identity, networking = part(status, "identity"), part(status, "networking")
    address = (networking.get("addressing") or [{}])[0]
    host = str(networking.get("node") or "")
    return Endpoint(
        node=addresses.get(host, host),
        id=status.get("id") or 0,
        identity=identity.get("id"),
        namespace=metadata["namespace"],
        pod=metadata["name"],
        state=status.get("state"),
        ipv4=address.get("ipv4"),
        ipv6=address.get("ipv6"),
        labels=of_its_own(identity.get("labels") or ()) or None,
    )
