"""The image of the Dockerfile under the chart's own server: a real pod, as restricted as the namespace demands."""

from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client

from kmcp_controller.render import render
from kmcp_controller.spec import Platform, parse
from kmcp_runtime.kube.api import KubeApi
from tests.applying import apply
from tests.chart.rendering import Chart
from tests.chart.test_release import release
from tests.cluster import suite_images
from tests.cluster.images import import_image
from tests.cluster.model import Cluster
from tests.mcp import ToolCaller
from tests.waiting import listening, until

IMAGE = suite_images.reference("kubernetes")
PREFIX, _, TAG = IMAGE.partition("kubernetes:")
PLATFORM = Platform(suite_images=(PREFIX.removesuffix("-"),))
SETS = ("controller.replicaCount=0", f"image.repository={PREFIX}controller", f"image.tag={TAG}")


@pytest.fixture
def image(cluster: Cluster) -> str:
    """The image of the Kubernetes server, on the node."""
    if reason := suite_images.why_no_images() or (None if cluster.ctr else f"no way into the node of {cluster.kind}"):
        pytest.skip(f"images of the suite: {reason}")
    import_image(cluster, suite_images.suite_image("kubernetes", print))
    return IMAGE


@pytest.mark.pods
@pytest.mark.timeout(600)
async def test_the_kubernetes_server_runs_and_answers(
    image: str, api: KubeApi, cluster: Cluster, namespace: str, chart: Chart, tmp_path: Path
) -> None:
    label = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    await api.send("PATCH", f"/api/v1/namespaces/{namespace}", (), label, "application/merge-patch+json")
    async with release(chart, cluster, namespace, tmp_path, *SETS):
        manifest = await api.get(f"/apis/kagent.dev/v1alpha1/namespaces/{namespace}/mcpservers/kmcp-kubernetes")
        assert manifest["spec"]["deployment"]["image"] == image
        for found in render(parse(manifest, PLATFORM), PLATFORM):
            await apply(api, found, namespace)
        await until(
            lambda: _status(api, namespace), lambda status: status.get("availableReplicas") == 1, 120, "the pod"
        )
        service = await api.get(f"/api/v1/namespaces/{namespace}/services/kmcp-kubernetes")
        host, port = service["spec"]["clusterIP"], service["spec"]["ports"][0]["port"]
        await listening(host, port)
        async with Client(f"http://{host}:{port}/mcp") as client:
            caller = ToolCaller(client)
            pods = await caller.ok("k8s_get_resources", resource_type="pods", namespace=namespace, output="names")
            assert [name.startswith("kmcp-kubernetes-") for name in pods["items"]] == [True]
            secrets = await caller.fails("k8s_get_resources", resource_type="secrets", namespace=namespace)
            assert secrets["code"] == "forbidden"


async def _status(api: KubeApi, namespace: str) -> dict[str, Any]:
    found = await api.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/kmcp-kubernetes")
    return dict(found.get("status", {}))
