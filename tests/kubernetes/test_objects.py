"""k8s_get_resource_yaml and k8s_delete_resource: what is shown, what is hidden, what goes and what goes with it."""

from typing import Any

import pytest
import yaml
from fastmcp import Client

from kmcp_kubernetes.server import SERVER
from kmcp_kubernetes.settings import KubernetesSettings
from kmcp_runtime.engine.assembly import assemble
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.failures import StatusFailure
from tests.cluster.model import Cluster
from tests.kubernetes.conftest import pod
from tests.kubernetes.making import config_map, custom_kind, deployment_of, make, make_when_served, pods_path, running
from tests.mcp import ToolCaller
from tests.patience import patient
from tests.waiting import until

pytestmark = pytest.mark.cluster


async def _is_gone(api: KubeApi, path: str) -> bool:
    try:
        await api.get(path)
    except StatusFailure as failure:
        return failure.http_status == 404
    return False


async def test_yaml_of_an_object(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    maps = f"/api/v1/namespaces/{namespace}/configmaps"
    body = config_map("settings", text="a\nb\n", password="hunter2hunter2")
    body["metadata"]["annotations"] = {
        "kubectl.kubernetes.io/last-applied-configuration": '{"password":"hunter2hunter2"}'
    }
    await make(api, maps, body)
    found = await tools.ok("k8s_get_resource_yaml", resource_type="cm", resource_name="settings", namespace=namespace)
    assert (found["kind"], found["api_version"], found["name"], found["namespace"]) == (
        "ConfigMap",
        "v1",
        "settings",
        namespace,
    )
    shown = yaml.safe_load(found["yaml"])
    assert shown["data"]["text"] == "a\nb\n"
    assert shown["data"]["password"].startswith("[hidden")
    assert shown["metadata"]["resourceVersion"] == found["resource_version"]
    assert "managedFields" not in shown["metadata"]
    assert "hunter2" not in found["yaml"]
    managed = await tools.ok(
        "k8s_get_resource_yaml", resource_type="cm", resource_name="settings", namespace=namespace, managed_fields=True
    )
    assert "managedFields" in managed["yaml"]


async def test_yaml_of_a_secret_shows_its_keys(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    body = {"metadata": {"name": "s"}, "stringData": {"user": "root", "anything": "hunter2"}}
    await make(api, f"/api/v1/namespaces/{namespace}/secrets", body)
    found = await tools.ok("k8s_get_resource_yaml", resource_type="secret", resource_name="s", namespace=namespace)
    data = yaml.safe_load(found["yaml"])["data"]
    assert set(data) == {"user", "anything"}
    assert all(value.startswith("[hidden") for value in data.values())


async def test_a_large_object_is_cut_at_a_line(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    body = config_map("large", **{f"key-{number:05}": "x" * 50 for number in range(2_000)})
    await make(api, f"/api/v1/namespaces/{namespace}/configmaps", body)
    found = await tools.ok("k8s_get_resource_yaml", resource_type="cm", resource_name="large", namespace=namespace)
    assert found["truncated"] is True
    assert len(found["yaml"].encode()) < 32_000 < found["bytes_total"]
    assert yaml.safe_load(found["yaml"])["data"]["key-00000"] == "x" * 50


@pytest.mark.parametrize("tool", ["k8s_get_resource_yaml", "k8s_delete_resource", "k8s_describe_resource"])
async def test_what_cannot_be_found(tools: ToolCaller, api: KubeApi, namespace: str, tool: str) -> None:
    await make(api, f"/api/v1/namespaces/{namespace}/configmaps", config_map("settings"))
    near = await tools.fails(tool, resource_type="cm", resource_name="setings", namespace=namespace)
    assert (near["code"], near["hint"]) == ("not_found", "did you mean settings?")
    assert (await tools.fails(tool, resource_type="cmm", resource_name="x"))["code"] == "not_found"
    scoped = await tools.fails(tool, resource_type="node", resource_name="x", namespace=namespace)
    assert scoped["code"] == "bad_argument"
    assert (await tools.fails(tool, resource_type="pods", resource_name="../x"))["code"] == "bad_argument"


async def test_deleting(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    maps = f"/api/v1/namespaces/{namespace}/configmaps"
    await make(api, maps, config_map("doomed"))
    what = {"resource_type": "cm", "resource_name": "doomed", "namespace": namespace}
    plan = await tools.ok("k8s_delete_resource", **what, dry_run=True)
    assert (plan["result"], plan["changed"], plan["dry_run"]) == ("deleted", True, True)
    assert not await _is_gone(api, f"{maps}/doomed")
    done = await tools.ok("k8s_delete_resource", **what)
    assert (done["kind"], done["name"], done["namespace"], done["result"]) == (
        "ConfigMap",
        "doomed",
        namespace,
        "deleted",
    )
    assert "dry_run" not in done
    assert await _is_gone(api, f"{maps}/doomed")
    assert (await tools.fails("k8s_delete_resource", **what))["code"] == "not_found"


async def test_a_finalizer_keeps_an_object_terminating(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    body = config_map("held")
    body["metadata"]["finalizers"] = ["example.org/hold"]
    await make(api, path, body)
    what = {"resource_type": "cm", "resource_name": "held", "namespace": namespace}
    plan = await tools.ok("k8s_delete_resource", **what, dry_run=True)
    assert (plan["result"], plan["finalizers"]) == ("terminating", ["example.org/hold"])
    first = await tools.ok("k8s_delete_resource", **what)
    assert (first["result"], first["changed"], first["finalizers"]) == ("terminating", True, ["example.org/hold"])
    again = await tools.ok("k8s_delete_resource", **what)
    assert (again["result"], again["changed"]) == ("terminating", False)
    patch = {"metadata": {"finalizers": None}}
    await api.send("PATCH", f"{path}/held", (), patch, "application/merge-patch+json")
    assert await _is_gone(api, f"{path}/held")


async def _with_pods(api: KubeApi, namespace: str, name: str, count: int) -> None:
    spec = pod(name, "none", schedulerName="none")["spec"]
    await make(api, f"/apis/apps/v1/namespaces/{namespace}/deployments", deployment_of(name, count, spec))

    async def look() -> int:
        return len((await api.get(pods_path(namespace), [("labelSelector", f"app={name}")]))["items"])

    await until(look, lambda found: found == count, 60, "pods of the deployment")


async def test_dependents_are_counted(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    await _with_pods(api, namespace, "web", 2)
    what = {"resource_type": "deployment", "resource_name": "web", "namespace": namespace}
    plan = await tools.ok("k8s_delete_resource", **what, dry_run=True)
    assert plan["dependents"] == {"pods": 2, "replicasets": 1}
    orphaned = await tools.ok("k8s_delete_resource", **what, propagation="orphan")
    assert orphaned["hint"] == "Left behind: 2 pods, 1 replicasets" or orphaned["result"] == "terminating"
    deployment = f"/apis/apps/v1/namespaces/{namespace}/deployments/web"
    await until(lambda: _is_gone(api, deployment), what="end of the deployment")
    sets = (await api.get(f"/apis/apps/v1/namespaces/{namespace}/replicasets"))["items"]
    assert len(sets) == 1
    pods = [one["metadata"]["name"] for one in (await api.get(pods_path(namespace)))["items"]]
    await _hold(api, namespace, pods, ["example.org/hold"])  # else the set may be gone before it is looked at
    what = {"resource_type": "rs", "resource_name": sets[0]["metadata"]["name"], "namespace": namespace}
    foreground = await tools.ok("k8s_delete_resource", **what, propagation="foreground")
    assert (foreground["result"], foreground["finalizers"]) == ("terminating", ["foregroundDeletion"])
    assert foreground["dependents"] == {"pods": 2}
    await _hold(api, namespace, pods, None)


async def _hold(api: KubeApi, namespace: str, pods: list[str], finalizers: list[str] | None) -> None:
    for name in pods:
        patch = {"metadata": {"finalizers": finalizers}}
        await api.send("PATCH", f"{pods_path(namespace)}/{name}", (), patch, "application/merge-patch+json")


async def test_a_namespace_and_a_custom_kind_name_what_they_hold(
    tools: ToolCaller, api: KubeApi, namespace: str
) -> None:
    plural = "held" + namespace.removeprefix("t-") + "s"
    plural = "h" + "".join(letter for letter in plural if letter.isalnum())
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    await make(api, crds, custom_kind(plural, "example.org", plural.capitalize()))
    thing = {"apiVersion": "example.org/v1", "kind": plural.capitalize(), "metadata": {"name": "one"}}
    things = f"/apis/example.org/v1/namespaces/{namespace}/{plural}"
    await make_when_served(api, things, thing)

    async def plan() -> dict[str, Any]:
        return await tools.ok(
            "k8s_delete_resource", resource_type="crd", resource_name=f"{plural}.example.org", dry_run=True
        )

    await until(plan, lambda found: found.get("dependents") == {plural: 1}, what="the instance counted")
    held = await tools.ok("k8s_delete_resource", resource_type="ns", resource_name=namespace, dry_run=True)
    assert held["dependents"][plural] == 1
    assert held["dependents"]["configmaps"] == 1
    gone = await tools.ok(
        "k8s_delete_resource", resource_type=f"{plural}.example.org", resource_name="one", namespace=namespace
    )
    assert gone["result"] == "deleted"
    await tools.ok("k8s_delete_resource", resource_type="crd", resource_name=f"{plural}.example.org")


@pytest.mark.pods
async def test_grace_of_a_running_pod(tools: ToolCaller, api: KubeApi, cluster: Cluster, namespace: str) -> None:
    # Its shell is process 1 and ignores SIGTERM, so that the grace period counts.
    await running(api, namespace, pod("stays", cluster.image, "sleep", "3600", terminationGracePeriodSeconds=600))
    what = {"resource_type": "pod", "resource_name": "stays", "namespace": namespace}
    assert (await tools.ok("k8s_delete_resource", **what, dry_run=True))["result"] == "terminating"
    gentle = await tools.ok("k8s_delete_resource", **what)
    assert (gentle["result"], gentle["changed"]) == ("terminating", True)
    killed = await tools.ok("k8s_delete_resource", **what, grace_period_seconds=0)
    assert killed["result"] == "deleted"
    assert await _is_gone(api, pods_path(namespace, "stays"))


@pytest.mark.parametrize("arguments", [{"grace_period_seconds": -1}, {"propagation": "backgroud"}])
async def test_bad_values(tools: ToolCaller, arguments: dict[str, Any]) -> None:
    refused = await tools.fails("k8s_delete_resource", resource_type="cm", resource_name="x", **arguments)
    assert refused["code"] == "bad_argument"


async def test_nothing_goes_without_approval(settings: KubernetesSettings, api: KubeApi, namespace: str) -> None:
    maps = f"/api/v1/namespaces/{namespace}/configmaps"
    await make(api, maps, config_map("dear"))
    what = {"resource_type": "cm", "resource_name": "dear", "namespace": namespace}
    async with Client(assemble(SERVER, settings, patient())) as client:
        tools = ToolCaller(client)
        asked = await tools.fails("k8s_delete_resource", **what)
        assert asked["code"] == "approval_required"
        assert asked["plan"]["result"] == "deleted"
        assert not await _is_gone(api, f"{maps}/dear")
        done = await tools.ok("k8s_delete_resource", **what, approval=asked["approval"])
    assert done["result"] == "deleted"
    assert await _is_gone(api, f"{maps}/dear")
