"""The services in one node's load balancer."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from kmcp_cilium.arguments import OneNode, as_text
from kmcp_cilium.client import Cilium
from kmcp_cilium.declaring import agent_tool
from kmcp_cilium.state import load_balancer
from kmcp_cilium.state.load_balancer import Service, check_service_id
from kmcp_runtime import Cursor, Effect, Limit, Page, Result, check_name


def _check_object(value: str | None) -> str | None:
    if value is None:
        return None
    namespace, _, name = value.partition("/")
    if not name:
        raise ValueError(f"{value!r} does not name a Service: write namespace/name")
    return f"{check_name(namespace)}/{check_name(name)}"


ServiceId = Annotated[str, BeforeValidator(as_text), AfterValidator(check_service_id), "ID, or IP:PORT[/PROTO]"]


class Services(Page[Service]):
    """Services, by ID."""

    node: str


class ServiceInformation(Result):
    """One service."""

    node: str
    service: Service


@agent_tool(Effect.READ)
async def cilium_list_services(
    cilium: Cilium,
    show_cluster_mesh_affinity: Annotated[bool, "Mark preferred backends"] = False,
    node_name: OneNode = None,
    service: Annotated[str | None, AfterValidator(_check_object), "Only of namespace/name"] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Services:
    """List a node's load balancer: each frontend and where its traffic goes; compare with EndpointSlices."""
    agent = await cilium.find_one_agent(node_name)
    found = await load_balancer.list_services(agent, show_cluster_mesh_affinity)
    hint = None
    if service:
        # A Service has a frontend for each port and address, so the agent has several entries of it.
        found = load_balancer.of_object(found, *service.split("/"))
        hint = None if found else "Not in the load balancer: does the Service exist, and is it not headless?"
    return cilium.page(Services, found, limit, cursor, hint, node=agent.node)


@agent_tool(Effect.READ)
async def cilium_get_service_information(
    cilium: Cilium, service_id: ServiceId, node_name: OneNode = None
) -> ServiceInformation:
    """Show one service of a node's load balancer with its backends and their states."""
    agent = await cilium.find_one_agent(node_name)
    return ServiceInformation(node=agent.node, service=await load_balancer.find_service(agent, service_id))
