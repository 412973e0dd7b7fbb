"""What belongs to an object."""

from typing import Any

from pydantic import Field

from kmcp_kubernetes.arguments import ResourceName, ResourceType
from kmcp_kubernetes.client import Kube
from kmcp_kubernetes.reading import descendants
from kmcp_runtime import Cursor, Effect, Limit, OptionalNamespace, Page, Rule, sliced, tool


class ResourceTree(Page[descendants.Node]):
    """An object and what descends from it, parents first."""

    namespace: str | None = Field(default=None, description="Absent for cluster-scoped kinds")


@tool(Effect.READ, needs=(Rule("*", ("*",), ("get", "list")),), extra=True, view="tree")
async def k8s_resource_tree(
    kube: Kube,
    resource_type: ResourceType,
    resource_name: ResourceName,
    namespace: OptionalNamespace = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> ResourceTree:
    """Show what an object owns, down to its pods, each with its health; of a namespace, what runs in it."""
    place = await kube.place(resource_type, namespace)
    root = await kube.read(place, resource_name)
    warnings: list[str] = []
    nodes = await descendants.read_tree(kube, place, root, warnings)
    bound_to: dict[str, Any] = {
        "context": kube.context.name,
        "kind": place.kind.full_name,
        "namespace": place.namespace,
        "name": resource_name,
    }
    result = sliced(ResourceTree, nodes, limit, cursor, bound_to, warnings=warnings, namespace=place.namespace)
    if len(nodes) == 1 and not warnings:
        result.hint = f"{place.kind.kind} {resource_name} owns nothing."
    return result
