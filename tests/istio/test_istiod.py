"""istiods that are absent, silent or odd: pods with recorded answers on the port that their annotation names."""

from typing import Any

import pytest
from fastmcp import Client

from kmcp_istio.server import SERVER
from kmcp_istio.settings import IstioSettings
from kmcp_runtime.engine.assembly import assemble
from kmcp_runtime.kube.api import KubeApi
from tests.cluster.model import Cluster
from tests.istio.conftest import Backend
from tests.istio.proxies import proxy_pod, serve_recording
from tests.kubernetes.making import make
from tests.mcp import ToolCaller
from tests.patience import patient
from tests.slowness import scaled

pytestmark = pytest.mark.pods
SYNC = """[
 {"proxy": "old.shop", "proxy_type": "sidecar", "cluster_id": "Kubernetes", "istio_version": "1.20.3",
  "cluster_sent": "a", "cluster_acked": "a", "listener_sent": "b", "listener_acked": "a"}
]"""
"""As istiods before 1.27 answer, without `resources`."""


@pytest.fixture
def settings(settings: IstioSettings, namespace: str) -> IstioSettings:
    return settings.model_copy(update={"istio_namespace": namespace, "istioctl": "/nowhere/istioctl"})


async def istiod(
    api: KubeApi, namespace: str, image: str, name: str, files: dict[str, str], **labels: str
) -> dict[str, Any]:
    body = proxy_pod(name, image)
    body["metadata"] |= {
        "labels": {"app": "istiod", **labels},
        "annotations": {"prometheus.io/port": "15000"},
    }
    found: dict[str, Any] = await serve_recording(api, namespace, body, files)
    return found


async def test_no_istiod(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    for tool in ("istio_proxy_status", "istio_version", "istio_remote_clusters"):
        absent = await tools.fails(tool)
        assert absent["code"] == "unavailable"
        assert f"not installed in namespace {namespace}" in absent["message"]
    pending = proxy_pod("istiod", "none")
    pending["metadata"]["labels"] = {"app": "istiod"}
    pending["spec"]["schedulerName"] = "none"
    await make(api, f"/api/v1/namespaces/{namespace}/pods", pending)
    waiting = await tools.fails("istio_version")
    assert waiting["code"] == "unavailable"
    assert "not in phase Running" in waiting["message"]


async def test_an_istiod_elsewhere(
    tools: ToolCaller, api: KubeApi, cluster: Cluster, namespace: str, proxy_image: str
) -> None:
    await istiod(api, namespace, proxy_image, "here", {})
    settings = IstioSettings(kubeconfig=str(cluster.kubeconfig), kube_timeout=scaled(30), istio_namespace="kube-public")
    async with Client(assemble(SERVER, settings, patient())) as client:
        absent = await ToolCaller(client).fails("istio_version")
    assert "not installed in namespace kube-public" in absent["message"]
    assert namespace in absent["hint"]
    assert "ISTIO_NAMESPACE" in absent["hint"]


async def test_a_debug_interface_that_is_off(tools: ToolCaller, api: KubeApi, namespace: str, proxy_image: str) -> None:
    await istiod(api, namespace, proxy_image, "quiet", {"version": "1.31.0-abc-Clean"})
    off = await tools.fails("istio_proxy_status")
    assert off["code"] == "unavailable"
    assert "/debug/syncz" in off["message"]
    assert "ENABLE_DEBUG_ON_HTTP" in off["hint"]
    told = await tools.ok("istio_version")
    assert told["control_plane"] == [{"pod": "quiet", "revision": "default", "version": "1.31.0"}]
    assert told["data_plane"] == []
    (silent,) = told["unreachable"]
    assert "/debug/syncz" in silent["message"]
    assert "ENABLE_DEBUG_ON_HTTP" in silent["hint"]


async def test_several_istiods_of_which_one_refuses(
    tools: ToolCaller, api: KubeApi, namespace: str, proxy_image: str
) -> None:
    revision = {"istio.io/rev": "old"}
    answers = {"debug_syncz": SYNC, "version": '{"clientVersion": {"version": "1.20.3"}}', "debug_clusterz": "[]"}
    await istiod(api, namespace, proxy_image, "a-good", answers, **revision)
    closed = {"debug_syncz.401": "", "debug_clusterz.500": "boom", "version": "1.31.0-abc-Clean"}
    await istiod(api, namespace, proxy_image, "b-closed", closed)
    told = await tools.ok("istio_proxy_status")
    assert told["items"] == [
        {
            "proxy": "old.shop",
            "type": "sidecar",
            "cluster": "Kubernetes",
            "istiod": "a-good",
            "version": "1.20.3",
            "cds": "SYNCED",
            "lds": "STALE",
            "eds": "NOT SENT",
            "rds": "NOT SENT",
            "ecds": "NOT SENT",
        }
    ]
    assert told["counts"] == {"proxies": 1, "synced": 0, "stale": 1, "error": 0}
    assert "total" not in told, "nobody knows what the other one has"
    (refusing,) = told["unreachable"]
    assert (refusing["pod"], refusing["code"]) == ("b-closed", "unavailable")
    assert "HTTP 401" in refusing["message"]
    clusters = await tools.ok("istio_remote_clusters")
    assert "boom" in clusters["unreachable"][0]["message"]
    assert not {"hint", "total"} & clusters.keys(), "nobody knows what the other one reads"
    alone = await tools.ok("istio_remote_clusters", revision="old")
    assert ("one cluster" in alone["hint"], alone["total"]) == (True, 0)
    version = await tools.ok("istio_version", revision="old")
    assert version["control_plane"] == [{"pod": "a-good", "revision": "old", "version": "1.20.3"}]
    assert "istioctl" not in version
    every = await tools.ok("istio_version")
    assert [(each["pod"], each["revision"]) for each in every["control_plane"]] == [
        ("a-good", "old"),
        ("b-closed", "default"),
    ]
    refused = await tools.fails("istio_proxy_status", revision="default")
    assert "HTTP 401" in refused["message"]
    assert "ENABLE_DEBUG_ENDPOINT_AUTH" in refused["hint"]
    unknown = await tools.fails("istio_proxy_status", revision="odl")
    assert (unknown["code"], unknown["hint"]) == ("not_found", "did you mean old?")


async def test_an_istioctl_of_another_minor_version(
    settings: IstioSettings, api: KubeApi, namespace: str, proxy_image: str, backend: Backend
) -> None:
    await istiod(api, namespace, proxy_image, "old", {"version": "1.20.3-abc-Clean", "debug_syncz": "[]"})
    own = settings.model_copy(update={"istioctl": str(backend("istio")["istioctl"])})
    async with Client(assemble(SERVER, own, patient())) as client:
        tools = ToolCaller(client)
        for tool, arguments in (
            ("istio_version", {}),
            ("istio_analyze_cluster_configuration", {"namespace": namespace}),
            ("istio_install_istio", {"profile": "empty", "dry_run": True}),
        ):
            told = await tools.ok(tool, **arguments)
            (warning,) = [each for each in told["warnings"] if "minor version" in each]
            assert "istioctl is 1.31.0" in warning, tool
            assert "istiod is 1.20.3" in warning, tool
