"""CPU and memory that pods and nodes use."""

from typing import Annotated, Literal

from kmcp_kubernetes.client import Kube
from kmcp_kubernetes.reading import measurements
from kmcp_runtime import AllNamespaces, Effect, Limit, OptionalNamespace, Page, Rule, Selector, bad_argument, tool


class Top(Page[measurements.Usage]):
    """Usage, the greatest first."""


@tool(
    Effect.READ,
    needs=(Rule("metrics.k8s.io", ("pods", "nodes"), ("list",)), Rule("", ("pods", "nodes"), ("list",))),
    extra=True,
    verified="stand-in",
    why="no metrics server runs in the tests: its API is served as custom resources by the real API server",
)
async def k8s_top(
    kube: Kube,
    resource_type: Annotated[Literal["pods", "nodes"], "What to measure"],
    namespace: OptionalNamespace = None,
    all_namespaces: AllNamespaces = False,
    selector: Selector = None,
    sort: Annotated[Literal["cpu", "memory"], "Sort by, greatest first"] = "cpu",
    limit: Limit = 50,
) -> Top:
    """Show which pods or nodes use the most CPU and memory now, also as percentages of their limits."""
    if resource_type == "nodes" and namespace:
        raise bad_argument("Node is cluster-scoped and has no namespace", "leave namespace out")
    scope = (
        None if resource_type == "nodes" or (all_namespaces and not namespace) else namespace or kube.context.namespace
    )
    found = await measurements.read_measurements(kube, resource_type, scope, selector)
    found.sort(key=lambda item: item.cpu_millicores if sort == "cpu" else item.memory_bytes, reverse=True)
    # Only what is shown: the limits of every other pod would be read for nothing.
    shown, warning = await measurements.add_percentages(kube, resource_type, scope, selector, found[:limit])
    result = Top(items=shown, total=len(found), truncated=len(found) > limit, warnings=[warning] if warning else None)
    if result.truncated:
        result.hint = "The rest uses less: raise limit, or narrow with selector or namespace."
    elif not found:
        result.hint = await _explain_empty(kube, resource_type, scope, selector)
    return result


async def _explain_empty(kube: Kube, resource_type: str, namespace: str | None, selector: str | None) -> str:
    if namespace and await kube.namespace_is_missing(namespace):
        raise await kube.explain_missing_namespace(namespace)
    where = f" in namespace {namespace}" if namespace else ""
    matching = " that match the selector" if selector else ""
    return f"There are no measurements of {resource_type}{where}{matching}; new pods have none for about a minute."
