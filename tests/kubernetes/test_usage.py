"""k8s_top: without the metrics API, and with one whose objects are kept by the real API server."""

from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from kmcp_kubernetes.server import SERVER
from kmcp_kubernetes.settings import KubernetesSettings
from kmcp_runtime.engine.assembly import assemble
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.quantities import millicores, whole_bytes
from tests.kubernetes.conftest import pod
from tests.kubernetes.making import kubeconfig, make, make_when_served, pods_path
from tests.kubernetes.metrics import GROUP, measuring
from tests.mcp import ToolCaller
from tests.patience import patient
from tests.serving import served
from tests.waiting import until


def _measured(name: str, *usage: tuple[str, str], kind: str = "PodMetrics") -> dict[str, Any]:
    amounts = [{"cpu": cpu, "memory": memory} for cpu, memory in usage]
    what = {"containers": [{"name": f"c{n}", "usage": each} for n, each in enumerate(amounts)]}
    return {
        "apiVersion": f"{GROUP}/v1beta1",
        "kind": kind,
        "metadata": {"name": name, "labels": {"app": name}},
        **(what if kind == "PodMetrics" else {"usage": amounts[0]}),
    }


async def _bounded(api: KubeApi, namespace: str, name: str, resources: dict[str, Any]) -> None:
    body = pod(name, "none", schedulerName="none")
    body["spec"]["containers"][0]["resources"] = resources
    await make(api, pods_path(namespace), body)


async def _with_sidecar(api: KubeApi, namespace: str) -> None:
    side = {"name": "side", "image": "none", "restartPolicy": "Always", "resources": {"limits": {"memory": "80Mi"}}}
    body = pod("beside", "none", schedulerName="none", initContainers=[side])
    body["spec"]["containers"][0]["resources"] = {"limits": {"memory": "20Mi"}}
    await make(api, pods_path(namespace), body)
    whole = {"limits": {"memory": "50Mi"}, "requests": {"memory": "50Mi"}}
    await make(api, pods_path(namespace), pod("whole", "none", schedulerName="none", resources=whole))


async def _bare(request: Request) -> JSONResponse:
    """Discovery of a cluster without any aggregated API."""
    return JSONResponse({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "items": []})


async def test_without_the_metrics_api(tmp_path: Path) -> None:
    app = Starlette(routes=[Route("/api", _bare), Route("/apis", _bare)])
    async with served(app) as url:
        settings = KubernetesSettings(kubeconfig=str(kubeconfig(url, tmp_path)))
        async with Client(assemble(SERVER, settings, patient())) as client:
            refused = await ToolCaller(client).fails("k8s_top", resource_type="pods")
    assert refused["code"] == "unavailable"
    assert "metrics server is not installed" in refused["message"]


@pytest.mark.cluster
async def test_usage_of_pods_and_nodes(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    await _bounded(api, namespace, "limited", {"limits": {"cpu": "200m", "memory": "100Mi"}})
    await _bounded(api, namespace, "asking", {"requests": {"cpu": "100m"}})
    await _bounded(api, namespace, "free", {})
    await _with_sidecar(api, namespace)
    async with measuring(api):
        path = f"/apis/{GROUP}/v1beta1/namespaces/{namespace}/pods"
        await make_when_served(api, path, _measured("limited", ("50m", "20Mi"), ("50000000n", "5Mi")))
        await make_when_served(api, path, _measured("asking", ("150m", "1Mi")))
        await make_when_served(api, path, _measured("free", ("1m", "900Mi")))
        await make_when_served(api, path, _measured("beside", ("1m", "10Mi"), ("1m", "40Mi")))
        await make_when_served(api, path, _measured("whole", ("1m", "30Mi")))
        await _check_pods(tools, namespace)
        await _check_nodes(tools, api)


async def _check_pods(tools: ToolCaller, namespace: str) -> None:
    async def look() -> bool:
        result = await tools.client.call_tool("k8s_top", {"resource_type": "pods"}, raise_on_error=False)
        return not result.is_error

    await until(look, seconds=90, what="discovery of the metrics API")
    by_cpu = await tools.ok("k8s_top", resource_type="pods", namespace=namespace)
    named = {item["name"]: item for item in by_cpu["items"]}
    assert [*named] == ["asking", "limited", "beside", "free", "whole"]
    asking, limited, free = named["asking"], named["limited"], named["free"]
    # A sidecar is measured, so its limit counts too; a limit of the whole pod counts instead of those of containers.
    assert (named["beside"]["memory_percent"], named["whole"]["memory_percent"]) == (50, 60)
    assert (limited["cpu_millicores"], limited["memory_bytes"]) == (100, 25 * 2**20)
    assert (limited["cpu_percent"], limited["memory_percent"], limited["percent_of"]) == (50, 25, "limit")
    assert (asking["cpu_percent"], asking["percent_of"]) == (150, "request")
    assert "memory_percent" not in asking
    assert "percent_of" not in free
    by_memory = await tools.ok("k8s_top", resource_type="pods", namespace=namespace, sort="memory", limit=1)
    assert [item["name"] for item in by_memory["items"]] == ["free"]
    assert (by_memory["total"], by_memory["truncated"]) == (5, True)
    selected = await tools.ok("k8s_top", resource_type="pods", namespace=namespace, selector="app=free")
    assert [item["name"] for item in selected["items"]] == ["free"]
    everywhere = await tools.ok("k8s_top", resource_type="pods", all_namespaces=True)
    assert namespace in {item["namespace"] for item in everywhere["items"]}
    nothing = await tools.ok("k8s_top", resource_type="pods", namespace="kube-system")
    assert nothing["items"] == []
    assert nothing["hint"]
    malformed = await tools.fails("k8s_top", resource_type="pods", selector="=x")
    assert malformed["code"] == "bad_argument"
    assert "position 1" in malformed["message"]


async def _check_nodes(tools: ToolCaller, api: KubeApi) -> None:
    node = (await api.get("/api/v1/nodes"))["items"][0]
    cores, memory = node["status"]["allocatable"]["cpu"], whole_bytes(node["status"]["allocatable"]["memory"])
    half = _measured(node["metadata"]["name"], (f"{millicores(cores) // 2}m", str(memory // 4)), kind="NodeMetrics")
    await make_when_served(api, f"/apis/{GROUP}/v1beta1/nodes", half)
    found = await tools.ok("k8s_top", resource_type="nodes")
    item = next(each for each in found["items"] if each["name"] == node["metadata"]["name"])
    assert (item["cpu_percent"], item["memory_percent"], item["percent_of"]) == (50, 25, "allocatable")
    scoped = await tools.fails("k8s_top", resource_type="nodes", namespace="default")
    assert scoped["code"] == "bad_argument"
