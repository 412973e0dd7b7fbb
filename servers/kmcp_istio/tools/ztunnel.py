"""What ztunnel, the node proxy of the ambient mesh, knows."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from kmcp_istio import pods
from kmcp_istio.ambient import ztunnel_dump
from kmcp_istio.arguments import NodeName, PodName
from kmcp_istio.client import Mesh, Object
from kmcp_istio.envoy import logging
from kmcp_istio.rights import FORWARD, PODS, WORKLOADS
from kmcp_runtime import (
    Cursor,
    Effect,
    Limit,
    OptionalNamespace,
    Page,
    bad_argument,
    did_you_mean,
    not_found,
    sliced,
    tool,
    unavailable,
)

_ONE_NODE = ("certificate", "connections")
_OF_A_WORKLOAD = ("workload", "connections")


class ZtunnelOverview(BaseModel):
    """One type of configuration, with its number of objects."""

    type: str
    count: int


Row = ZtunnelOverview | ztunnel_dump.Row | logging.Logger


class ZtunnelConfig(Page[Row]):
    """Rows of one type, as one ztunnel has them."""

    pod: str = Field(description="The ztunnel that was asked")
    node: str
    config_type: str


@tool(
    Effect.READ,
    needs=(PODS, WORKLOADS, FORWARD),
    verified="stand-in",
    why="no ztunnel could be had: recorded dumps of one, served on the loopback of a real pod",
)
async def istio_ztunnel_config(
    mesh: Mesh,
    config_type: Annotated[
        Literal["all", "workload", "service", "policy", "certificate", "connections", "log"], "Type"
    ] = "all",
    pod_name: PodName | None = None,
    node_name: NodeName = None,
    namespace: OptionalNamespace = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> ZtunnelConfig:
    """Show what a node's ztunnel knows of the ambient mesh: workloads, services, policies, certificates."""
    tunnels = await _list_ztunnels(mesh)
    pod, target = await _choose(mesh, tunnels, pod_name, node_name, namespace, config_type)
    pods.check_runs(pod)
    rows = await _read_rows(mesh, pod, config_type, namespace, target)
    node = pod["spec"].get("nodeName", "")
    bound_to = {
        "context": mesh.context.name,
        "type": config_type,
        "pod": pod["metadata"]["name"],
        "namespace": namespace,
        "target": target and pods.proxy_of(target),
    }
    return sliced(
        ZtunnelConfig,
        rows,
        limit,
        cursor,
        bound_to,
        pod=pod["metadata"]["name"],
        node=node,
        config_type=config_type,
        hint=_hint(config_type, namespace, target, bool(rows)),
    )


async def _list_ztunnels(mesh: Mesh) -> list[Object]:
    """The ztunnels in istiod's namespace, or in any other."""
    found = await mesh.list_objects("pods", mesh.settings.istio_namespace, selector="app=ztunnel")
    found = found or await mesh.list_objects("pods", None, selector="app=ztunnel")
    if not found:
        raise unavailable(
            "no ztunnel is running in this cluster: the ambient mesh is not installed",
            "istio_install_istio profile=ambient installs it; for sidecars use istio_proxy_config",
        )
    return sorted(found, key=lambda pod: str(pod["spec"].get("nodeName")))


async def _choose(
    mesh: Mesh,
    tunnels: Sequence[Object],
    pod_name: str | None,
    node_name: str | None,
    namespace: str | None,
    config_type: str,
) -> tuple[Object, Object | None]:
    """The ztunnel to ask, and the workload pod that a caller named."""
    if pod_name:
        named = {name: pod for pod in tunnels for name in (pod["metadata"]["name"], pods.proxy_of(pod))}
        if pod_name in named:
            return named[pod_name], None
        target = await pods.find_pod(mesh, pod_name, mesh.namespace(namespace))
        if pods.proxy_in(target) == "envoy":
            raise bad_argument(
                f"{pods.title(target)} has its own Envoy, so ztunnel does not serve it",
                f"istio_proxy_config pod_name={target['metadata']['name']} namespace={target['metadata']['namespace']}",
            )
        return _on_node(tunnels, str(target["spec"].get("nodeName"))), target
    if node_name:
        return _on_node(tunnels, node_name), None
    if config_type in _ONE_NODE and len(tunnels) > 1:
        nodes = ", ".join(str(pod["spec"].get("nodeName")) for pod in tunnels)
        raise bad_argument(
            f"node_name: {config_type} differs between nodes, so one is needed", f"nodes: {nodes}; or give pod_name"
        )
    # Workloads, services and policies are the same on every node, so any ztunnel can answer.
    return next((pod for pod in tunnels if pod["status"].get("phase") == "Running"), tunnels[0]), None


def _on_node(tunnels: Sequence[Object], node: str) -> Object:
    by_node: Mapping[str, Object] = {str(pod["spec"].get("nodeName")): pod for pod in tunnels}
    if node not in by_node:
        near = did_you_mean(node, by_node)
        raise not_found(f"no ztunnel is running on node {node}", near or f"nodes with one: {', '.join(by_node)}")
    return by_node[node]


async def _read_rows(
    mesh: Mesh, pod: Object, config_type: str, namespace: str | None, target: Object | None
) -> list[Row]:
    if config_type == "log":
        answer = await pods.ask_admin(mesh, pod, "/logging", "POST")
        return [*logging.rows(answer.decode(errors="replace"))]
    dump = ztunnel_dump.Dump(await pods.ask_admin(mesh, pod, "/config_dump"), f"the ztunnel of {pods.title(pod)}")
    kinds = ztunnel_dump.KINDS if config_type == "all" else (config_type,)
    kept = {kind: [shown.row for shown in dump.rows(kind) if _keeps(shown, kind, namespace, target)] for kind in kinds}
    if config_type == "all":
        return [ZtunnelOverview(type=kind, count=len(rows)) for kind, rows in kept.items()]
    return [*kept[config_type]]


def _keeps(shown: ztunnel_dump.Shown, kind: str, namespace: str | None, target: Object | None) -> bool:
    if target is not None and kind in _OF_A_WORKLOAD:
        metadata = target["metadata"]
        return (shown.workload, shown.namespace) == (metadata["name"], metadata["namespace"])
    # A pod was named: for types that have no workload, all rows of its node are of interest.
    return target is not None or namespace in (None, shown.namespace)


def _hint(config_type: str, namespace: str | None, target: Object | None, shown: bool) -> str | None:
    if config_type == "all":
        return "Choose a config_type to see its rows; log is another type."
    if shown:
        return None
    if target is not None:
        return f"ztunnel has no {config_type} for {pods.title(target)}: is its namespace labelled for the ambient mesh?"
    return f"ztunnel has no {config_type}{f' in namespace {namespace}' if namespace else ''}."
