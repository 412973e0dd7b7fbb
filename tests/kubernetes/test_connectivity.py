"""k8s_check_service_connectivity against real Services: through the API server, from a pod, and where it fails."""

import asyncio
from typing import Any

import pytest
from fastmcp import Client

from kmcp_kubernetes.server import SERVER
from kmcp_kubernetes.services import probe_pod
from kmcp_kubernetes.settings import KubernetesSettings
from kmcp_runtime.engine.assembly import assemble
from kmcp_runtime.kube.api import KubeApi
from tests.cluster.model import Cluster
from tests.kubernetes.conftest import pod
from tests.kubernetes.making import make, pod_when, pods_path, running
from tests.mcp import ToolCaller
from tests.patience import patient
from tests.waiting import until

TOOL = "k8s_check_service_connectivity"
PAGE = "mkdir /tmp/www; echo hello from httpd > /tmp/www/index.html; exec httpd -f -p 8080 -h /tmp/www"


def _service(name: str, selector: dict[str, str] | None, **spec: Any) -> dict[str, Any]:
    body = {"ports": [{"name": "web", "port": 80, "targetPort": 8080}], **spec}
    return {"metadata": {"name": name}, "spec": {**body, **({"selector": selector} if selector else {})}}


async def _make(api: KubeApi, namespace: str, body: dict[str, Any]) -> None:
    await make(api, f"/api/v1/namespaces/{namespace}/services", body)


async def _with_endpoints(api: KubeApi, namespace: str, name: str) -> None:
    path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"

    async def look() -> list[Any]:
        slices = (await api.get(path, [("labelSelector", f"kubernetes.io/service-name={name}")]))["items"]
        return [endpoint for piece in slices for endpoint in piece.get("endpoints") or ()]

    await until(look, lambda found: any(each["conditions"]["ready"] for each in found), 60, f"endpoints of {name}")


async def _probes(api: KubeApi, namespace: str) -> list[Any]:
    return list((await api.get(pods_path(namespace), [("labelSelector", probe_pod.LABEL)]))["items"])


@pytest.mark.pods
async def test_a_service_that_answers(tools: ToolCaller, api: KubeApi, cluster: Cluster, namespace: str) -> None:
    body = pod("web", cluster.image, "sh", "-c", PAGE)
    body["spec"]["containers"][0]["ports"] = [{"name": "http", "containerPort": 8080}]
    await running(api, namespace, body)
    two = [{"name": "web", "port": 80, "targetPort": 8080}, {"name": "dead", "port": 81, "targetPort": 9}]
    await _make(api, namespace, _service("web", {"app": "web"}, ports=two))
    await _make(
        api, namespace, _service("named", {"app": "web"}, ports=[{"name": "x", "port": 80, "targetPort": "nobody"}])
    )
    await _make(api, namespace, _service("headless", {"app": "web"}, clusterIP="None"))
    await asyncio.gather(*(_with_endpoints(api, namespace, name) for name in ("web", "named", "headless")))
    await _through_the_proxy(tools, namespace)
    await _from_a_pod(tools, namespace)
    named = await tools.ok(TOOL, service_name="named", namespace=namespace)
    assert (named["reachable"], named["stage"]) == (False, "endpoints")
    assert "'nobody'" in named["reason"]
    assert await _probes(api, namespace) == []


async def _through_the_proxy(tools: ToolCaller, namespace: str) -> None:
    page = await tools.ok(TOOL, service_name="web:80", namespace=namespace)
    assert (page["reachable"], page["http_status"], page["body_excerpt"]) == (True, 200, "hello from httpd\n")
    assert (page["service_type"], page["ready_endpoints"], page["not_ready_endpoints"]) == ("ClusterIP", 1, 0)
    assert page["latency_ms"] > 0
    assert "stage" not in page
    for spelling in (f"web.{namespace}:web", f"web.{namespace}.svc:80", f"web.{namespace}.svc.cluster.local:80"):
        assert (await tools.ok(TOOL, service_name=spelling))["reachable"] is True
    absent = await tools.ok(TOOL, service_name="web", namespace=namespace, port=80, path="/nothing?x=1")
    assert (absent["reachable"], absent["http_status"]) == (True, 404)
    dead = await tools.ok(TOOL, service_name="web", namespace=namespace, port="dead")
    assert (dead["reachable"], dead["stage"]) == (False, "connect")
    assert "refused" in dead["reason"]
    assert dead["hint"] == "nothing listens on port 9 of its pods; they declare 8080 (http): correct targetPort"
    unchosen = await tools.fails(TOOL, service_name="web", namespace=namespace)
    assert (unchosen["code"], unchosen["hint"]) == ("bad_argument", "its ports: 80 (web), 81 (dead)")
    unknown = await tools.fails(TOOL, service_name="web", namespace=namespace, port="82")
    assert unknown["code"] == "bad_argument"


async def _from_a_pod(tools: ToolCaller, namespace: str) -> None:
    where = {"namespace": namespace, "mode": "pod"}
    cluster_ip, headless, dead = await asyncio.gather(
        tools.ok(TOOL, service_name="web:web", **where),
        tools.ok(TOOL, service_name="headless:80", **where),
        tools.ok(TOOL, service_name="web:dead", **where, timeout_seconds=3),
    )
    assert cluster_ip["reachable"] is True
    assert headless["reachable"] is True
    assert (dead["reachable"], dead["stage"]) == (False, "connect")
    rehearsed = await tools.ok(TOOL, service_name="web:web", **where, dry_run=True)
    assert rehearsed["dry_run"] is True
    assert "reachable" not in rehearsed


@pytest.mark.pods
async def test_a_cancelled_check_leaves_no_pod(
    tools: ToolCaller, api: KubeApi, cluster: Cluster, namespace: str
) -> None:
    await running(api, namespace, pod("web", cluster.image, "sh", "-c", PAGE))
    # Nobody answers at this address: the probe would wait for its whole time.
    await _make(api, namespace, _service("hole", {"app": "web"}, type="ExternalName", externalName="192.0.2.1"))
    arguments = {"service_name": "hole:80", "namespace": namespace, "mode": "pod", "timeout_seconds": 60}
    call = asyncio.create_task(tools.client.call_tool(TOOL, arguments))
    await until(lambda: _probes(api, namespace), what="the probe pod")
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    await until(lambda: _probes(api, namespace), lambda found: not found, 20, "the probe pod's end")


@pytest.mark.pods
async def test_a_probe_that_cannot_run_says_nothing_of_the_service(
    settings: KubernetesSettings, api: KubeApi, cluster: Cluster, namespace: str
) -> None:
    await running(api, namespace, pod("web", cluster.image, "sh", "-c", PAGE))
    await _make(api, namespace, _service("web", {"app": "web"}))
    await _with_endpoints(api, namespace, "web")
    lacking = settings.model_copy(update={"probe_image": "INVALID/none"})
    async with Client(assemble(SERVER, lacking, patient())) as client:
        refused = await ToolCaller(client).fails(TOOL, service_name="web", namespace=namespace, mode="pod")
    assert refused["code"] == "unavailable"
    assert "KMCP_PROBE_IMAGE" in refused["hint"]
    assert await _probes(api, namespace) == []


@pytest.mark.cluster
async def test_why_no_endpoint_is_ready(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    await make(api, pods_path(namespace), pod("later", "none", schedulerName="none"))
    await _make(api, namespace, _service("nobody", {"app": "nobody"}))
    await _make(api, namespace, _service("later", {"app": "later"}))
    await _make(api, namespace, _service("manual", None))
    await _make(api, namespace, _service("elsewhere", None, type="ExternalName", externalName="example.org"))
    await make(api, pods_path(namespace), pod("picky", "none", nodeSelector={"nobody": "has"}))
    await _make(api, namespace, _service("picky", {"app": "picky"}))
    asked = [("PodScheduled", "False")]
    await pod_when(
        api,
        namespace,
        "picky",
        lambda seen: [(each["type"], each["status"]) for each in seen["status"].get("conditions") or ()] == asked,
        "the scheduler's word",
    )
    reasons = {"nobody": "matches no pod", "later": "is running (phase Pending)", "manual": "no selector"}
    reasons["picky"] = "phase Pending): pod picky: Unschedulable: 0/"
    for name, reason in reasons.items():
        found = await tools.ok(TOOL, service_name=name, namespace=namespace)
        assert (found["reachable"], found["stage"], found["ready_endpoints"]) == (False, "endpoints", 0)
        assert reason in found["reason"]
    external = await tools.ok(TOOL, service_name="elsewhere", namespace=namespace)
    assert (external["reachable"], external["stage"]) == (False, "service")
    assert "mode=pod" in external["reason"]


@pytest.mark.pods
async def test_a_pod_that_is_not_ready(tools: ToolCaller, api: KubeApi, cluster: Cluster, namespace: str) -> None:
    body = pod("sick", cluster.image, "sleep", "3600")
    body["spec"]["containers"][0]["readinessProbe"] = {"exec": {"command": ["false"]}}
    await make(api, pods_path(namespace), body)
    await _make(api, namespace, _service("sick", {"app": "sick"}))
    await pod_when(api, namespace, "sick", lambda found: found["status"].get("phase") == "Running", "running")

    async def look() -> dict[str, Any]:
        return await tools.ok(TOOL, service_name="sick", namespace=namespace)

    found = await until(look, lambda seen: seen["not_ready_endpoints"] == 1, 30, "an endpoint that is not ready")
    assert (found["reachable"], found["stage"]) == (False, "endpoints")
    assert "1 of its 1 pods run but are not ready: container main of pod sick, its readinessProbe" in found["reason"]


@pytest.mark.pods
async def test_a_pod_that_ends(tools: ToolCaller, api: KubeApi, cluster: Cluster, namespace: str) -> None:
    body = pod("ends", cluster.image, "sh", "-c", "trap '' TERM; sleep 3600", terminationGracePeriodSeconds=600)
    await running(api, namespace, body)
    await _make(api, namespace, _service("ends", {"app": "ends"}))
    await _with_endpoints(api, namespace, "ends")
    await api.send("DELETE", pods_path(namespace, "ends"))

    async def look() -> dict[str, Any]:
        return await tools.ok(TOOL, service_name="ends", namespace=namespace)

    found = await until(look, lambda seen: seen.get("terminating_endpoints") == 1, 60, "a terminating endpoint")
    assert (found["not_ready_endpoints"], found["stage"]) == (1, "endpoints")
    assert "all of its 1 pods are terminating" in found["reason"]
    await api.send("DELETE", pods_path(namespace, "ends"), [("gracePeriodSeconds", "0")])


@pytest.mark.cluster
async def test_bad_arguments(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    await _make(api, namespace, _service("web", {"app": "web"}))
    absent = await tools.fails(TOOL, service_name="wbe", namespace=namespace)
    assert (absent["code"], absent["hint"]) == ("not_found", "did you mean web?")
    for name in ("web.example.com", "-web", "we/b", "", "web..svc"):
        assert (await tools.fails(TOOL, service_name=name, namespace=namespace))["code"] == "bad_argument"
    twice = await tools.fails(TOOL, service_name="web:80", port="81", namespace=namespace)
    assert twice["code"] == "bad_argument"
    assert (await tools.fails(TOOL, service_name="web", mode="shell"))["code"] == "bad_argument"


@pytest.mark.cluster
async def test_read_only_keeps_the_proxy(settings: KubernetesSettings) -> None:
    async with Client(assemble(SERVER, settings, patient(read_only=True))) as client:
        tool = next(tool for tool in await client.list_tools() if tool.name == TOOL)
        assert tool.input_schema["properties"]["mode"]["const"] == "proxy"
        refused = await ToolCaller(client).fails(TOOL, service_name="web", mode="pod")
    assert (refused["code"], "KMCP_READ_ONLY" in refused["message"]) == ("denied", True)
