"""The agents' pods (`k8s-app=cilium`), and which of them a call means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kmcp_runtime import ToolFailure, bad_argument, nearest, not_found, quoted_list, unavailable
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.pages import FORMS

SELECTOR = "k8s-app=cilium"
CONTAINER = "cilium-agent"
USUAL_NAMESPACE = "kube-system"
_NAMED = 10
"""How many nodes a hint names."""


@dataclass(frozen=True)
class AgentPod:
    """One agent's pod as the API server's table shows it."""

    node: str
    namespace: str
    name: str
    state: str
    """The pod's status with its ready containers: `Running 1/1`."""
    restarts: str
    ip: str
    """Also the node's address, since agents use the node's own network."""

    @property
    def ready(self) -> bool:
        phase, _, containers = self.state.partition(" ")
        ready, _, all_of_them = containers.partition("/")
        return phase == "Running" and ready == all_of_them

    @property
    def key(self) -> tuple[str, str, str]:
        """A key that changes with every start of the agent."""
        return self.namespace, self.name, self.restarts


async def find_home(api: KubeApi) -> str | None:
    """The namespace of the agents; None when there are none."""
    namespaces: list[str] = []
    # One pod of each namespace, so that a large cluster answers as a small one.
    while len(namespaces) < _NAMED:
        others = ",".join(f"metadata.namespace!={name}" for name in namespaces)
        query = (("labelSelector", SELECTOR), ("fieldSelector", others), ("limit", "1"))
        found = await api.get("/api/v1/pods", query, FORMS["names"])
        if not found["items"]:
            break
        namespaces += [item["metadata"]["namespace"] for item in found["items"]]
    if not namespaces:
        return None
    # Where several namespaces have agents, those of kube-system are the ones of a usual installation.
    if USUAL_NAMESPACE in namespaces:
        return USUAL_NAMESPACE
    if len(namespaces) > 1:
        raise unavailable(
            f"Cilium agents run in several namespaces: {quoted_list(namespaces)}",
            "set KMCP_CILIUM_NAMESPACE to the right one",
        )
    return str(namespaces[0])


_COLUMNS = frozenset({"name", "ready", "status", "restarts", "ip", "node"})


async def list_pods(api: KubeApi, namespace: str, selector: str = SELECTOR) -> list[AgentPod]:
    """The pods that a selector matches, by node; by default those of the agents."""
    # A table without objects: a row each instead of whole pods, of which a large cluster has thousands.
    query = (("labelSelector", selector), ("includeObject", "None"), ("resourceVersion", "0"))
    table = await api.get(f"/api/v1/namespaces/{namespace}/pods", query, FORMS["table"])
    # Columns by name: their order is the API server's own.
    columns = [column["name"].lower() for column in table.get("columnDefinitions") or ()]
    missing = sorted(_COLUMNS - set(columns)) if table.get("rows") else []
    if missing:
        raise unavailable(
            f"the API server's table of pods has no column {', '.join(missing)}", "check what answers there"
        )
    rows = [dict(zip(columns, row["cells"], strict=False)) for row in table.get("rows") or ()]
    # Ready pods first: during an update a node has two.
    return sorted((_pod(namespace, row) for row in rows), key=lambda pod: (pod.node, not pod.ready, pod.name))


def _pod(namespace: str, row: Mapping[str, Any]) -> AgentPod:
    return AgentPod(
        node=str(row["node"]),
        namespace=namespace,
        name=str(row["name"]),
        state=f"{row['status']} {row['ready']}",
        # The column shows "3 (5m ago)" after a restart.
        restarts=str(row["restarts"]).split(" ")[0],
        ip=str(row["ip"]),
    )


def on_node(pods: Sequence[AgentPod], node: str) -> AgentPod:
    """The Ready agent of a node."""
    there = [pod for pod in pods if pod.node == node]
    if not there:
        names = sorted({pod.node for pod in pods})
        near = nearest(node, names)
        hint = f"did you mean {quoted_list(near)}?" if near else f"agents run on {_some(names)}"
        raise not_found(f"node_name: no Cilium agent on node {node!r}", hint)
    if not there[0].ready:
        raise not_ready(there[0])
    return there[0]


def first_ready(pods: Sequence[AgentPod]) -> AgentPod:
    ready = [pod for pod in pods if pod.ready]
    if not ready:
        raise not_ready(pods[0])
    return ready[0]


def only(pods: Sequence[AgentPod]) -> AgentPod:
    """The only agent; with several the caller must name a node."""
    if len({pod.node for pod in pods}) > 1:
        raise bad_argument(
            f"node_name: required, since {len(pods)} nodes run an agent",
            f"nodes: {_some(sorted({p.node for p in pods}))}",
        )
    return first_ready(pods)


def not_ready(pod: AgentPod) -> ToolFailure:
    return unavailable(
        f"the agent on node {pod.node} (pod {pod.namespace}/{pod.name}) is not ready: {pod.state}",
        f"k8s_get_pod_logs pod_name={pod.name} namespace={pod.namespace} container={CONTAINER}",
    )


def absent(namespace: str) -> ToolFailure:
    return unavailable(
        f"Cilium is not installed: no pod {SELECTOR} in namespace {namespace}",
        "cilium_install_cilium installs it; set KMCP_CILIUM_NAMESPACE if it runs elsewhere",
    )


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return quoted_list(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
