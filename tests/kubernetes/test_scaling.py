"""The number of pods of a workload."""

import pytest

from kmcp_runtime.kube.api import KubeApi
from tests.kubernetes.test_manifests import deployment
from tests.mcp import ToolCaller

pytestmark = pytest.mark.cluster


async def test_scale(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    await api.send("POST", path, (), {**deployment("web"), "spec": {**deployment("web")["spec"], "paused": True}})
    rehearsed = await tools.ok("k8s_scale", name="web", replicas=3, namespace=namespace, dry_run=True)
    assert (rehearsed["from"], rehearsed["to"], rehearsed["changed"], rehearsed["dry_run"]) == (0, 3, True, True)
    assert (await api.get(f"{path}/web"))["spec"]["replicas"] == 0

    done = await tools.ok("k8s_scale", name="web", replicas="3", namespace=namespace)
    assert (done["kind"], done["name"], done["namespace"]) == ("Deployment", "web", namespace)
    assert (done["from"], done["to"], done["result"]) == (0, 3, "scaled")
    assert "-  replicas: 0\n+  replicas: 3" in done["diff"]
    assert "autoscaler" not in done
    assert (await api.get(f"{path}/web"))["spec"]["replicas"] == 3

    again = await tools.ok("k8s_scale", name="web", replicas=3, namespace=namespace, resource_type="deploy")
    assert (again["changed"], again["result"]) == (False, "unchanged")


async def test_scale_names_the_autoscaler(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    await api.send("POST", f"/apis/apps/v1/namespaces/{namespace}/deployments", (), deployment("web"))
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    autoscaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "by-load"},
        "spec": {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 2},
    }
    await api.send("POST", f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers", (), autoscaler)
    done = await tools.ok("k8s_scale", name="web", replicas=5, namespace=namespace, dry_run=True)
    assert done["autoscaler"] == "by-load"
    assert "undo" in done["warnings"][0]


async def test_what_does_not_scale(tools: ToolCaller, namespace: str) -> None:
    for kind, said in [
        ("daemonset", "one pod on each node"),
        ("job", "runs until it ends"),
        ("configmap", "no scale subresource"),
    ]:
        failed = await tools.fails("k8s_scale", name="x", replicas=1, resource_type=kind, namespace=namespace)
        assert failed["code"] == "bad_argument"
        assert said in failed["message"]


async def test_bad_numbers_and_names(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    for replicas in (-1, "many", 1.5):
        failed = await tools.fails("k8s_scale", name="web", replicas=replicas, namespace=namespace)
        assert failed["code"] == "bad_argument"
        assert "replicas" in failed["message"]
    await api.send("POST", f"/apis/apps/v1/namespaces/{namespace}/deployments", (), deployment("web"))
    failed = await tools.fails("k8s_scale", name="wbe", replicas=1, namespace=namespace)
    assert failed["code"] == "not_found"
    assert "web" in failed["hint"]
