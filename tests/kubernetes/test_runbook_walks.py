"""Each runbook of the Kubernetes server is followed to a planted fault."""

from typing import Any

import pytest

from kmcp_runtime.kube.api import KubeApi
from tests.applying import apply
from tests.cluster.model import Cluster
from tests.kubernetes.conftest import pod
from tests.kubernetes.making import make, pods_path
from tests.kubernetes.test_rollout_obstacles import NEVER_READY, body
from tests.mcp import ToolCaller
from tests.runbooks.walking import Walk
from tests.waiting import until

pytestmark = pytest.mark.pods
LAST_WORDS = "echo 'FATAL: cannot open /etc/shop.conf'; exit 7"
MERGE = "application/merge-patch+json"


async def test_diagnose_pod(tools: ToolCaller, api: KubeApi, cluster: Cluster, namespace: str) -> None:
    await make(api, pods_path(namespace), pod("shop", cluster.image, "sh", "-c", LAST_WORDS))
    walk = Walk("diagnose-pod", tools, pod="shop", namespace=namespace)
    await walk.step(1, "last_termination")
    await walk.step(2, "BackOff")
    assert "/etc/shop.conf" in await walk.step(3, "FATAL")
    walk.end()


async def test_crash_loop(tools: ToolCaller, api: KubeApi, cluster: Cluster, namespace: str) -> None:
    await make(api, pods_path(namespace), pod("shop", cluster.image, "sh", "-c", LAST_WORDS))
    walk = Walk("crash-loop", tools, pod="shop", namespace=namespace, container="main")
    assert "exit code 7" in await walk.step(1, "last_termination", "exit code")
    assert "/etc/shop.conf" in await walk.step(2, "FATAL")
    await walk.step(3, "BackOff")
    # What the log names is mounted nowhere.
    assert "/etc/shop.conf\n" not in await walk.step(4, "command", "volumeMounts")
    await walk.step(5, "0 of 0 items")
    walk.end()


async def test_why_not_ready(tools: ToolCaller, api: KubeApi, cluster: Cluster, namespace: str) -> None:
    content = body("web", cluster.image, "sleep", "3600", container=NEVER_READY)
    await make(api, f"/apis/apps/v1/namespaces/{namespace}/deployments", content)
    walk = Walk("why-not-ready", tools, kind="deployment", name="web", namespace=namespace)
    told = await walk.step(1, "stuck_reason")
    stuck = told.partition("stuck_reason: pod ")[2].partition(":")[0]
    assert stuck in await walk.step(2, "related")
    await walk.step(3, "readinessProbe", pod=stuck)
    await walk.step(4, "Unhealthy", pod=stuck)
    assert cluster.image in await walk.step(5, "images")
    walk.end()


async def test_why_pending(tools: ToolCaller, api: KubeApi, cluster: Cluster, namespace: str) -> None:
    await make(api, pods_path(namespace), pod("big", cluster.image, "true", nodeSelector={"disk": "ssd"}))
    walk = Walk("why-pending", tools, pod="big", namespace=namespace)
    await walk.step(1, "Unschedulable", "node affinity/selector", "node_selector")
    assert "disk" not in await walk.step(2, "taints")
    node = (await api.get("/api/v1/nodes"))["items"][0]["metadata"]["name"]
    await walk.step(3, "allocated", "allocatable", node=node)
    await walk.step(4, "0 of 0 items")
    walk.end()


async def test_claim_pending(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "fastest",
        "resources": {"requests": {"storage": "1Gi"}},
    }
    claims = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"
    await make(api, claims, {"metadata": {"name": "data"}, "spec": spec})
    walk = Walk("claim-pending", tools, claim="data", namespace=namespace)
    await walk.step(1, "state: missing", "ProvisioningFailed")
    assert "fastest" not in await walk.step(2)
    await walk.step(3)
    assert '"fastest" not found' in await walk.step(4, "ProvisioningFailed")
    walk.end()


async def test_no_traffic(tools: ToolCaller, api: KubeApi, cluster: Cluster, namespace: str) -> None:
    await make(api, pods_path(namespace), pod("web", cluster.image, "sleep", "3600"))
    spec = {"selector": {"app": "wep"}, "ports": [{"port": 80, "targetPort": 8080}]}
    await make(api, f"/api/v1/namespaces/{namespace}/services", {"metadata": {"name": "web"}, "spec": spec})
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "closed"}}
    await apply(api, {**policy, "spec": {"podSelector": {}, "policyTypes": ["Ingress"]}}, namespace)
    walk = Walk("no-traffic", tools, service="web", namespace=namespace)
    assert "app is web, not wep" in await walk.step(1, "matches no pod", "nearest")
    await walk.step(2, "stage: endpoints")
    assert "closed" in await walk.step(3)
    await walk.step(3, "nothing is let through", call=1, policy="closed")
    await walk.step(4, "Ports", "Endpoints")
    walk.end()


async def test_roll_back(tools: ToolCaller, api: KubeApi, cluster: Cluster, namespace: str) -> None:
    collection = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    await make(api, collection, body("web", cluster.image, "sleep", "3600"))
    walk = Walk("roll-back", tools, kind="deployment", name="web", namespace=namespace)
    await until(lambda: _is_done(tools, namespace), what="the first revision")
    probe = {"name": "main", **NEVER_READY}
    change = {"spec": {"template": {"spec": {"containers": [probe]}}}}
    await api.send("PATCH", f"{collection}/web", (), change, "application/strategic-merge-patch+json")
    await walk.step(1, "replicas")
    await until(lambda: _revisions(tools, namespace), lambda found: found == 2, what="the second revision")
    await walk.step(2, "revision", "images")
    assert "-          exec" in await walk.step(3, "diff")
    assert "rolled back to revision 1" in await walk.change(3)
    await walk.step(5, "done: true")
    walk.end()


async def _is_done(tools: ToolCaller, namespace: str) -> bool:
    about = {"resource_type": "deployment", "resource_name": "web", "namespace": namespace}
    return bool((await tools.ok("k8s_rollout", action="status", **about))["done"])


async def _revisions(tools: ToolCaller, namespace: str) -> int:
    about = {"resource_type": "deployment", "resource_name": "web", "namespace": namespace}
    return len((await tools.ok("k8s_rollout", action="history", **about))["items"])


async def test_node_pressure(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    """On a node without a machine: none that runs pods is short of anything."""
    name = f"planted-{namespace}"
    taint = {"key": "planted", "effect": "NoSchedule"}
    await make(api, "/api/v1/nodes", {"metadata": {"name": name}, "spec": {"taints": [taint], "unschedulable": True}})
    try:
        await _report(api, name, namespace)
        walk = Walk("node-pressure", tools, node=name)
        told = await walk.step(1, "MemoryPressure", "unschedulable")
        assert "KubeletHasInsufficientMemory" in told
        await walk.step(2, "EvictionThresholdMet")
        await walk.step(3)
        await walk.step(4)
        walk.end()
    finally:
        await api.send("DELETE", f"/api/v1/nodes/{name}")


async def _report(api: KubeApi, name: str, namespace: str) -> None:
    """What its kubelet would report."""
    short: dict[str, Any] = {"type": "MemoryPressure", "status": "True", "reason": "KubeletHasInsufficientMemory"}
    await api.send("PATCH", f"/api/v1/nodes/{name}/status", (), {"status": {"conditions": [short]}}, MERGE)
    event = {
        "metadata": {"name": f"planted.{namespace}", "namespace": "default"},
        "involvedObject": {"kind": "Node", "name": name, "uid": name, "apiVersion": "v1"},
        "reason": "EvictionThresholdMet",
        "message": "Attempting to reclaim memory",
        "type": "Warning",
        "count": 1,
        "source": {"component": "kubelet"},
    }
    await make(api, "/api/v1/namespaces/default/events", event)
