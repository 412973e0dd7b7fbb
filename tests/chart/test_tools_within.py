"""V2 on the real API server: tools as the ServiceAccount that the chart makes, in its namespaces and beyond them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kmcp_kubernetes.server import SERVER
from kmcp_kubernetes.settings import KubernetesSettings
from kmcp_runtime.kube.api import KubeApi
from tests.applying import apply
from tests.chart.rendering import Chart, Object
from tests.cluster.model import Cluster
from tests.mcp import ToolCaller
from tests.rights import RBAC, acting

KINDS = ("ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")


@asynccontextmanager
async def server_of(
    chart: Chart, api: KubeApi, cluster: Cluster, namespace: str, folder: Path, values: Object
) -> AsyncIterator[ToolCaller]:
    """The Kubernetes server with the rights that a release with these values gives to its ServiceAccount."""
    objects = chart.rendered(values, namespace, namespace)
    made = [each for each in objects if each["kind"] in KINDS and "mcpservers" not in each["metadata"]["name"]]
    await apply(api, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "kmcp-kubernetes"}}, namespace)
    try:
        for each in made:
            await apply(api, each, each["metadata"].get("namespace", ""))
        settings = KubernetesSettings(kubeconfig=str(cluster.kubeconfig))
        async with acting(api, SERVER, settings, namespace, "kmcp-kubernetes", folder) as caller:
            yield caller
    finally:
        for each in made:
            if each["kind"].startswith("ClusterRole"):
                await api.send("DELETE", f"{RBAC}/{each['kind'].lower()}s/{each['metadata']['name']}")


@pytest.mark.cluster
@pytest.mark.parametrize(("rbac", "scoped"), [("view", "none"), ("full", "none"), ("view", "read")])
async def test_V2_tools_work_within_and_say_what_is_missing_beyond(
    chart: Chart, api: KubeApi, cluster: Cluster, namespace: str, tmp_path: Path, rbac: str, scoped: str
) -> None:
    values: Object = {
        "rbac": {"namespaces": [namespace], "clusterScoped": scoped},
        "servers": {"kubernetes": {"rbac": rbac}},
    }
    await apply(
        api, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "here"}, "data": {"a": "b"}}, namespace
    )
    async with server_of(chart, api, cluster, namespace, tmp_path, values) as tools:
        inside = await tools.ok("k8s_get_resources", resource_type="configmaps", namespace=namespace, output="names")
        assert "here" in inside["items"]
        for resource in ("configmaps", "secrets", "pods"):
            said = await tools.fails("k8s_get_resources", resource_type=resource, namespace="kube-system")
            assert (said["code"], f'cannot list resource "{resource}"' in said["message"]) == ("forbidden", True), said
        if scoped == "read":
            assert (await tools.ok("k8s_get_resources", resource_type="nodes", output="names"))["items"]
        else:
            said = await tools.fails("k8s_get_resources", resource_type="nodes")
            assert 'cannot list resource "nodes"' in said["message"]
        patch = {"resource_type": "configmap", "resource_name": "here", "patch": {"data": {"a": "c"}}}
        if rbac == "full":
            await tools.ok("k8s_patch_resource", namespace=namespace, **patch)
            assert (await api.get(f"/api/v1/namespaces/{namespace}/configmaps/here"))["data"] == {"a": "c"}
        else:
            assert (await tools.fails("k8s_patch_resource", namespace=namespace, **patch))["code"] == "forbidden"
