"""The state of connected clusters."""

import asyncio
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BaseModel, Field

from kmcp_cilium.agents.agent import Agent
from kmcp_cilium.agents.answers import Answers, Spread
from kmcp_cilium.chart import cluster_mesh, workloads
from kmcp_cilium.chart.workloads import Component
from kmcp_cilium.client import Cilium
from kmcp_cilium.declaring import agent_tool
from kmcp_cilium.state import daemon_status
from kmcp_cilium.state.daemon_status import Remote
from kmcp_cilium.state.fields import part
from kmcp_runtime import Effect, Rule, TimeoutSeconds, ToolFailure

_WHY = "no cluster is connected in the tests: real agents answer that there is none, a stand-in with connected ones"
_SELECTOR = "k8s-app=clustermesh-apiserver"
_CONTAINER = "kvstoremesh"
_EVERY_SECONDS = 2.0
_NO_MESH = "Cluster mesh is off: cilium_toggle_cluster_mesh switches it on."


class Connected(BaseModel):
    """A remote cluster as this one's agents see it."""

    name: str
    connected: bool
    ready_nodes: int
    total_nodes: int
    nodes: int
    endpoints: int
    services: int
    last_failure: str | None = None


class MeshService(BaseModel):
    """The Service that other clusters reach this one by."""

    type: str
    addresses: list[str]
    port: int | None = None


class MeshStatus(Spread):
    """The mesh as seen from this cluster."""

    enabled: bool
    service: MeshService | None = None
    apiserver: Component | None = None
    kvstoremesh: list[Remote] | None = Field(default=None, description="Clusters as the cache sees them")
    clusters: list[Connected]
    configured: list[str] = Field(description="Clusters that agents have settings for")
    problems: list[str]
    timed_out: bool | None = None


@agent_tool(
    Effect.READ,
    Rule("apps", ("daemonsets", "deployments"), ("list",)),
    Rule("", ("services", "secrets"), ("get",)),
    verified="cli",
    why=_WHY,
    timeout=60.0,
)
async def cilium_show_cluster_mesh_status(
    cilium: Cilium,
    wait: Annotated[bool, "Until all are connected"] = False,
    timeout_seconds: TimeoutSeconds = 60,
) -> MeshStatus:
    """Show whether connected clusters are reachable from every node, and what is known about them."""
    found = await _look(cilium)
    if not wait:
        return found
    deadline = asyncio.get_running_loop().time() + timeout_seconds
    while found.problems and asyncio.get_running_loop().time() < deadline:
        await cilium.call.step("; ".join(found.problems))
        await asyncio.sleep(_EVERY_SECONDS)
        found = await _look(cilium)
    return found.model_copy(update={"timed_out": True}) if found.problems else found


async def _look(cilium: Cilium) -> MeshStatus:
    service = await cluster_mesh.read_service(cilium)
    components = {each.name: each for each in await workloads.list_components(cilium)}
    answers = await cilium.try_agents(None, _list_remotes)
    clusters, configured = _connected(answers), await cluster_mesh.list_configured(cilium)
    apiserver = components.get(cluster_mesh.APISERVER)
    enabled = service is not None or bool(clusters) or bool(configured)
    cache, warnings = await _read_cache(cilium)
    return MeshStatus(
        enabled=enabled,
        service=_service(service),
        apiserver=apiserver,
        kvstoremesh=cache,
        warnings=warnings,
        clusters=clusters,
        configured=configured,
        unreachable=answers.unreachable,
        # Where no agent answers nobody knows what they have read.
        problems=_problems(apiserver, clusters, configured) if answers.by_node else ["no agent answers"],
        hint=None if enabled else _NO_MESH,
    )


async def _list_remotes(agent: Agent) -> list[Remote]:
    return daemon_status.remotes(await agent.call_json("status", "--require-k8s-connectivity=false"))


def _connected(answers: Answers[list[Remote]]) -> list[Connected]:
    by_name: dict[str, list[Remote]] = {}
    for _, remotes in answers:
        for remote in remotes:
            by_name.setdefault(remote.name, []).append(remote)
    return [_summary(name, seen, len(answers.by_node)) for name, seen in sorted(by_name.items())]


def _summary(name: str, seen: list[Remote], total: int) -> Connected:
    ready = sum(1 for each in seen if each.ready)
    failing = next((each for each in seen if not each.ready), None)
    return Connected(
        name=name,
        connected=all(each.connected for each in seen),
        ready_nodes=ready,
        total_nodes=total,
        # Agents catch up one after the other; the largest number is the newest.
        nodes=max(each.nodes for each in seen),
        endpoints=max(each.endpoints for each in seen),
        services=max(each.services for each in seen),
        last_failure=failing.status if failing else None,
    )


async def _read_cache(cilium: Cilium) -> tuple[list[Remote] | None, list[str] | None]:
    """Remote clusters as kvstoremesh sees them, None where it is not running; and why it could not be asked."""
    pod = await cilium.find_companion(_SELECTOR, _CONTAINER)
    if pod is None:
        return None, None
    # kvstoremesh reads each remote cluster once for all agents, so its view explains theirs.
    asked = await pod.try_json(cluster_mesh.APISERVER, "kvstoremesh-dbg", "status", "-o", "json")
    if isinstance(asked, ToolFailure):
        return None, [f"what kvstoremesh knows is not shown: {asked.message}"]
    return _remotes_of(asked), None


def _remotes_of(answer: Any) -> list[Remote]:
    clusters = answer.get("clusters") if isinstance(answer, dict) else answer
    return daemon_status.remotes({"cluster-mesh": {"clusters": clusters or []}})


def _service(service: Any) -> MeshService | None:
    if service is None:
        return None
    ingress = part(service, "status", "loadBalancer").get("ingress") or ()
    spec = part(service, "spec")
    port: dict[str, Any] = next(iter(spec.get("ports") or ()), {})
    return MeshService(
        type=spec.get("type", "ClusterIP"),
        port=port.get("nodePort") or port.get("port"),
        # Some load balancers have a host name instead of an address.
        addresses=[each.get("ip") or each.get("hostname", "") for each in ingress],
    )


def _problems(apiserver: Component | None, clusters: Iterable[Connected], configured: list[str]) -> list[str]:
    clusters = list(clusters)
    answer = []
    if apiserver is not None and apiserver.ready < apiserver.desired:
        answer.append(f"{apiserver.name}: {apiserver.ready} of {apiserver.desired} ready")
    answer += [
        f"{each.name}: ready on {each.ready_nodes} of {each.total_nodes} nodes"
        for each in clusters
        if each.ready_nodes < each.total_nodes
    ]
    unknown = sorted(set(configured) - {each.name for each in clusters})
    return answer + [f"{name}: configured, but no agent has read that yet" for name in unknown]
