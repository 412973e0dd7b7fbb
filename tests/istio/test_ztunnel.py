"""istio_ztunnel_config of pods with a recording of a real ztunnel: every part, and which ztunnel is asked."""

import json
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client

from kmcp_istio.server import SERVER
from kmcp_istio.settings import IstioSettings
from kmcp_runtime.engine.assembly import assemble
from kmcp_runtime.kube.api import KubeApi
from tests.cluster.model import Cluster
from tests.hiding import without_labelled
from tests.istio import recordings
from tests.istio.proxies import proxy_pod, serve_recording
from tests.kubernetes.conftest import pod
from tests.kubernetes.making import make, running
from tests.mcp import ToolCaller
from tests.paging import brings_each_once
from tests.patience import patient

pytestmark = pytest.mark.pods
DATA = "writer/ztunnel/configdump/testdata"
LOGGING = "current log level is info,hickory_server::server::server_future=off\n"


@pytest.fixture
def settings(settings: IstioSettings, namespace: str) -> IstioSettings:
    return settings.model_copy(update={"istio_namespace": namespace})


@pytest.fixture
async def tunnel(api: KubeApi, namespace: str, proxy_image: str) -> str:
    """The node of the only ztunnel."""
    files = {"config_dump": recordings.text(f"{DATA}/dump.json"), "logging": LOGGING}
    return str(
        (await serve_recording(api, namespace, ztunnel_pod("ztunnel-a", proxy_image), files))["spec"]["nodeName"]
    )


def ztunnel_pod(name: str, image: str) -> dict[str, Any]:
    body = proxy_pod(name, image)
    body["metadata"]["labels"] = {"app": "ztunnel"}
    return body


async def rows(tools: ToolCaller, config_type: str, **more: Any) -> list[dict[str, Any]]:
    told = await tools.ok("istio_ztunnel_config", config_type=config_type, limit=500, **more)
    items: list[dict[str, Any]] = told["items"]
    return items


def printed(*headers: str) -> list[dict[str, str]]:
    return recordings.table(recordings.text(f"{DATA}/allsummary.txt"), *headers)


async def test_rows_are_what_istioctl_prints(tools: ToolCaller, tunnel: str) -> None:
    assert [
        (each["namespace"], each["name"], each["ip"], each["node"], each.get("waypoint", "None"), each["protocol"])
        for each in await rows(tools, "workload")
    ] == [tuple(each.values()) for each in printed("NAMESPACE", "POD NAME", "ADDRESS", "NODE", "WAYPOINT", "PROTOCOL")]
    assert [
        (each["namespace"], each["name"], each["vips"], each.get("waypoint", "None"), each["endpoints"])
        for each in await rows(tools, "service")
    ] == [tuple(each.values()) for each in printed("NAMESPACE", "SERVICE NAME", "SERVICE VIP", "WAYPOINT", "ENDPOINTS")]
    assert [
        (each["namespace"], each["name"], each["action"], each["scope"]) for each in await rows(tools, "policy")
    ] == [tuple(each.values()) for each in printed("NAMESPACE", "POLICY NAME", "ACTION", "SCOPE")]
    titles = ("CERTIFICATE NAME", "TYPE", "STATUS", "VALID CERT", "SERIAL NUMBER", "NOT AFTER")
    assert [
        (
            each["identity"],
            each.get("type", "NA"),
            each["state"],
            str(each["valid"]).lower(),
            each.get("serial", "NA"),
            each.get("not_after", "NA"),
        )
        for each in await rows(tools, "certificate")
    ] == [(*list(each.values())[:5], each["NOT AFTER"].split()[0]) for each in printed(*titles)]


async def test_connections_are_what_istioctl_prints(tools: ToolCaller, tunnel: str) -> None:
    titles = ("WORKLOAD", "DIRECTION", "LOCAL", "REMOTE", "REMOTE TARGET", "PROTOCOL")
    found = await rows(tools, "connections")
    assert [
        (each["workload"], each["direction"].title(), *_ends(each), each.get("target", ""), each["protocol"])
        for each in found
    ] == [tuple(each.values()) for each in printed(*titles)]


def _ends(connection: dict[str, Any]) -> tuple[str, str]:
    """Local and remote, as istioctl calls them."""
    ends = (connection["src"], connection["dst"])
    return ends if connection["direction"] == "outbound" else ends[::-1]


async def test_counts_filters_and_pages(tools: ToolCaller, tunnel: str, namespace: str) -> None:
    dump = json.loads(recordings.text(f"{DATA}/dump.json"))
    counted = {each["type"]: each["count"] for each in await rows(tools, "all")}
    assert counted["workload"] == len(dump["workloads"])
    assert counted["service"] == len(dump["services"])
    assert counted["policy"] == len(dump["policies"])
    shown = await tools.ok("istio_ztunnel_config", config_type="workload", namespace="bookinfo", limit=2)
    assert (shown["pod"], shown["node"], shown["returned"]) == ("ztunnel-a", tunnel, 2)
    assert {each["namespace"] for each in shown["items"]} == {"bookinfo"}
    rest = await rows(tools, "workload", namespace="bookinfo", cursor=shown["cursor"])
    assert [*shown["items"], *rest] == await rows(tools, "workload", namespace="bookinfo")
    await brings_each_once(tools, "istio_ztunnel_config", 9, config_type="workload", namespace="bookinfo")
    assert await rows(tools, "log") == [
        {"logger": "default", "level": "info"},
        {"logger": "hickory_server::server::server_future", "level": "off"},
    ]
    nothing = await tools.ok("istio_ztunnel_config", config_type="policy", namespace="nowhere")
    assert nothing["hint"] == "ztunnel has no policy in namespace nowhere."


async def test_which_ztunnel_is_asked(
    tools: ToolCaller, api: KubeApi, cluster: Cluster, tunnel: str, namespace: str, proxy_image: str
) -> None:
    for name in ("ztunnel-a", f"ztunnel-a.{namespace}"):
        assert (await tools.ok("istio_ztunnel_config", pod_name=name))["pod"] == "ztunnel-a"
    assert (await tools.ok("istio_ztunnel_config", node_name=tunnel))["pod"] == "ztunnel-a"
    await running(api, namespace, pod("cart", cluster.image, "sleep", "3600"))
    served = await tools.ok("istio_ztunnel_config", config_type="connections", pod_name=f"cart.{namespace}")
    assert (served["pod"], served["items"]) == ("ztunnel-a", [])
    assert "labelled for the ambient mesh" in served["hint"]
    sidecar = pod("side", cluster.image, "sleep", "3600")
    sidecar["spec"]["containers"][0]["name"] = "istio-proxy"
    await running(api, namespace, sidecar)
    other = await tools.fails("istio_ztunnel_config", pod_name="side", namespace=namespace)
    assert other["code"] == "bad_argument"
    assert f"istio_proxy_config pod_name=side namespace={namespace}" in other["hint"]
    reverse = await tools.fails("istio_proxy_config", pod_name="ztunnel-a", namespace=namespace)
    assert reverse["code"] == "bad_argument"
    assert "istio_ztunnel_config pod_name=ztunnel-a" in reverse["hint"]
    nowhere = await tools.fails("istio_ztunnel_config", node_name=f"{tunnel}x")
    assert (nowhere["code"], nowhere["hint"]) == ("not_found", f"did you mean {tunnel}?")
    second = ztunnel_pod("ztunnel-b", proxy_image)
    second["spec"]["nodeName"] = "elsewhere"
    await make(api, f"/api/v1/namespaces/{namespace}/pods", second)
    ambiguous = await tools.fails("istio_ztunnel_config", config_type="certificate")
    assert ambiguous["code"] == "bad_argument"
    assert f"elsewhere, {tunnel}" in ambiguous["hint"]
    pending = await tools.fails("istio_ztunnel_config", config_type="certificate", node_name="elsewhere")
    assert pending["code"] == "conflict"
    assert (await tools.ok("istio_ztunnel_config", config_type="workload"))["pod"] == "ztunnel-a"


async def test_an_answer_that_is_no_dump(tools: ToolCaller, api: KubeApi, namespace: str, proxy_image: str) -> None:
    await serve_recording(api, namespace, ztunnel_pod("ztunnel-x", proxy_image), {"config_dump": "[]"})
    broken = await tools.fails("istio_ztunnel_config", config_type="workload")
    assert broken["code"] == "unavailable"
    assert "did not answer with a config dump" in broken["message"]


async def test_a_cluster_without_ztunnel(api: KubeApi, tmp_path: Path) -> None:
    async with without_labelled(api, tmp_path, "app=ztunnel") as kubeconfig:
        settings = IstioSettings(kubeconfig=str(kubeconfig))
        async with Client(assemble(SERVER, settings, patient())) as client:
            absent = await ToolCaller(client).fails("istio_ztunnel_config")
    assert absent["code"] == "unavailable"
    assert "no ztunnel is running in this cluster" in absent["message"]
    assert "istio_install_istio profile=ambient" in absent["hint"]
    assert "istio_proxy_config" in absent["hint"]


@pytest.mark.parametrize("arguments", [{"config_type": "ztunnel"}, {"node_name": "-x"}, {"pod_name": "x/y"}])
async def test_arguments_that_cannot_be_meant(tools: ToolCaller, arguments: dict[str, Any]) -> None:
    assert (await tools.fails("istio_ztunnel_config", **arguments))["code"] == "bad_argument"
