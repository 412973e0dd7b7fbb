"""k8s_resource_tree: what an object owns, with the health of each, as the API server has it."""

from operator import itemgetter
from typing import Any

import pytest

from kmcp_kubernetes.reading.descendants import health_of
from kmcp_runtime.kube.api import KubeApi
from tests.kubernetes.making import deployment_of, make
from tests.mcp import ToolCaller
from tests.paging import brings_each_once
from tests.waiting import until

TOOL = "k8s_resource_tree"


def deployment(name: str, replicas: int, image: str) -> dict[str, Any]:
    container = {"name": "main", "image": image, "imagePullPolicy": "IfNotPresent", "command": ["sleep", "3600"]}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0}
    return deployment_of(name, replicas, spec)


@pytest.mark.cluster
async def test_a_deployment_owns_its_replica_sets_and_they_their_pods(
    tools: ToolCaller, api: KubeApi, namespace: str
) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    await make(api, path, deployment("web", 2, "registry.invalid/none:1"))
    await make(api, path, deployment("other", 1, "registry.invalid/none:1"))

    async def look() -> dict[str, Any]:
        return await tools.ok(TOOL, resource_type="deploy", resource_name="web", namespace=namespace)

    # Before its controller has looked, a Deployment says that.
    told = "0 of 2 updated replicas are available"
    seen = await until(
        look, lambda found: (found["total"], found["items"][0].get("reason")) == (4, told), 60, "its two pods"
    )
    rows = seen["items"]
    assert [(row["level"], row["kind"]) for row in rows] == [
        (0, "Deployment"),
        (1, "ReplicaSet"),
        (2, "Pod"),
        (2, "Pod"),
    ]
    assert rows[0]["health"] == "progressing"
    pods = (await api.get(f"/api/v1/namespaces/{namespace}/pods", [("labelSelector", "app=web")]))["items"]
    assert [row["name"] for row in rows[2:]] == sorted(each["metadata"]["name"] for each in pods)
    cut = await tools.ok(TOOL, resource_type="deploy", resource_name="web", namespace=namespace, limit=3)
    rest = await tools.ok(
        TOOL, resource_type="deploy", resource_name="web", namespace=namespace, limit=3, cursor=cut["cursor"]
    )
    # By name: how a pod is changes from read to read.
    assert [row["name"] for row in [*cut["items"], *rest["items"]]] == [row["name"] for row in rows]
    about = {"resource_type": "deploy", "resource_name": "web", "namespace": namespace}
    await brings_each_once(tools, TOOL, 4, key=itemgetter("name"), **about)
    whole = await tools.ok(TOOL, resource_type="ns", resource_name=namespace)
    assert [(row["level"], row["kind"], row["name"]) for row in whole["items"] if row["level"] < 2] == [
        (0, "Namespace", namespace),
        (1, "Deployment", "other"),
        (1, "Deployment", "web"),
    ]
    absent = await tools.fails(TOOL, resource_type="deploy", resource_name="wbe", namespace=namespace)
    assert absent["code"] == "not_found"
    assert "web" in absent["hint"]


@pytest.mark.cluster
async def test_what_owns_nothing_says_so(tools: ToolCaller, namespace: str) -> None:
    seen = await tools.ok(TOOL, resource_type="serviceaccount", resource_name="default", namespace=namespace)
    assert [row["kind"] for row in seen["items"]] == ["ServiceAccount"]
    assert seen["hint"] == "ServiceAccount default owns nothing."


def made(kind: str, status: dict[str, Any], spec: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": "x", **metadata}, "spec": spec or {}, "status": status}


def conditions(**states: str) -> dict[str, Any]:
    return {"conditions": [{"type": name, "status": state, "reason": f"No{name}"} for name, state in states.items()]}


WAITING = {"name": "main", "ready": False, "restartCount": 0, "state": {"waiting": {"reason": "ImagePullBackOff"}}}


@pytest.mark.parametrize(
    ("found", "health", "reason"),
    [
        (made("Pod", {"phase": "Running", **conditions(Ready="True")}), "healthy", None),
        (made("Pod", {"phase": "Succeeded"}), "healthy", None),
        (made("Pod", {"phase": "Failed", "reason": "Evicted"}), "degraded", "Evicted"),
        (made("Pod", {"phase": "Pending"}), "progressing", "Pending, not ready"),
        (made("Pod", {"phase": "Pending", "containerStatuses": [WAITING]}), "degraded", "ImagePullBackOff"),
        (made("Pod", {"phase": "Running"}, deletionTimestamp="now"), "progressing", "is being deleted"),
        (made("ReplicaSet", {"observedGeneration": 1}, {"replicas": 0}), "healthy", "scaled to 0"),
        (made("Job", {}, {"suspend": True}), "suspended", None),
        (made("Job", {"failed": 4, **conditions(Failed="True")}), "degraded", "NoFailed"),
        (made("Job", {"succeeded": 1}), "healthy", None),
        (made("CronJob", {}, {"suspend": True}), "suspended", None),
        (made("PersistentVolumeClaim", {"phase": "Pending"}), "progressing", "Pending, not bound"),
        (made("MCPServer", conditions(Accepted="True", Ready="False")), "degraded", "NoReady"),
        (made("MCPServer", conditions(Ready="True", Available="True")), "healthy", None),
        (made("MCPServer", conditions(Ready="Unknown")), None, None),
        (made("ConfigMap", {}), None, None),
    ],
)
def test_the_health_of_an_object(found: dict[str, Any], health: str | None, reason: str | None) -> None:
    assert health_of(found) == (health, reason)
