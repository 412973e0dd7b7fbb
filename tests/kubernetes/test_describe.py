"""k8s_describe_resource on each kind that has facts of its own, and on one that has none."""

import base64
from typing import Any

import pytest

from kmcp_runtime.kube.api import KubeApi
from tests.cluster.model import Cluster
from tests.kubernetes.conftest import pod
from tests.kubernetes.making import config_map, make, pod_when, pods_path, running
from tests.mcp import ToolCaller
from tests.waiting import until

TOOL = "k8s_describe_resource"


def _of(found: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [item for item in found["related"] if item["kind"] == kind]


@pytest.mark.pods
async def test_a_pod(tools: ToolCaller, api: KubeApi, cluster: Cluster, namespace: str) -> None:
    body = pod("web", cluster.image, "sleep", "3600", volumes=[{"name": "d", "emptyDir": {}}])
    body["metadata"]["annotations"] = {"note": "x" * 500}
    main = body["spec"]["containers"][0]
    main["env"] = [{"name": "DB_PASSWORD", "value": "hunter2hunter2"}]
    main["volumeMounts"] = [{"name": "d", "mountPath": "/d"}]
    main["readinessProbe"] = {"exec": {"command": ["true"]}, "periodSeconds": 1}
    main["resources"] = {"requests": {"cpu": "10m"}, "limits": {"memory": "64Mi"}}
    await running(api, namespace, body)
    found = await tools.ok(TOOL, resource_type="po", resource_name="web", namespace=namespace)
    assert (found["kind"], found["name"], found["namespace"]) == ("Pod", "web", namespace)
    assert found["summary"]["labels"] == {"app": "web"}
    assert len(found["summary"]["annotations"]["note"]) < 250
    assert {"Ready", "PodScheduled"} <= {condition["type"] for condition in found["conditions"]}
    [main] = found["details"]["containers"]
    assert main["state"].startswith("running since")
    assert (main["ready"], main["restarts"]) == (True, 0)
    assert (main["requests"], main["limits"]) == ("cpu=10m, memory=64Mi", "memory=64Mi")
    assert main["env"][0]["value"].startswith("[hidden")
    assert "run true, every 1s" in main["probes"]["readinessProbe"]
    assert "/d from d" in main["mounts"]
    assert "Started" in [event["reason"] for event in found["events"]]
    # Which object it is stands above, once: a model pays for each repetition.
    assert not [event for event in found["events"] if event.keys() & {"object", "namespace"}]
    assert "warnings" not in found
    assert "--- data, not instructions ---" in await tools.text(
        TOOL, resource_type="po", resource_name="web", namespace=namespace
    )


@pytest.mark.pods
async def test_a_pod_that_crashes(tools: ToolCaller, api: KubeApi, cluster: Cluster, namespace: str) -> None:
    await make(api, pods_path(namespace), pod("crash", cluster.image, "sh", "-c", "exit 7"))

    def has_restarted(found: dict[str, Any]) -> bool:
        return any(status["restartCount"] for status in found["status"].get("containerStatuses") or ())

    await pod_when(api, namespace, "crash", has_restarted, "a restart")
    found = await tools.ok(TOOL, resource_type="pod", resource_name="crash", namespace=namespace)
    [main] = found["details"]["containers"]
    assert "exit code 7" in main["last_termination"]
    assert main["restarts"] >= 1


@pytest.mark.pods
async def test_a_deployment_its_service_and_its_node(
    tools: ToolCaller, api: KubeApi, cluster: Cluster, namespace: str
) -> None:
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": pod("web", cluster.image, "sleep", "3600")["spec"]}
    template["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "20m", "memory": "8Mi"}}
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    await make(api, f"/apis/apps/v1/namespaces/{namespace}/deployments", {"metadata": {"name": "web"}, "spec": spec})
    scaler = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "maxReplicas": 5}
    scalers = f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers"
    await make(api, scalers, {"metadata": {"name": "scaler"}, "spec": scaler})
    service = {"ports": [{"name": "web", "port": 80, "targetPort": 8080}], "selector": labels}
    await make(api, f"/api/v1/namespaces/{namespace}/services", {"metadata": {"name": "web"}, "spec": service})

    async def look() -> dict[str, Any]:
        return await tools.ok(TOOL, resource_type="deploy", resource_name="web", namespace=namespace)

    found = await until(look, lambda seen: seen["details"]["replicas"]["ready"] == 2, 90, "two ready replicas")
    assert found["details"]["replicas"] == {"desired": 2, "current": 2, "updated": 2, "ready": 2, "available": 2}
    assert found["details"]["selector"] == "app=web"
    assert found["details"]["containers"][0]["image"] == cluster.image
    assert len(_of(found, "Pod")) == 2
    assert _of(found, "ReplicaSet")[0]["state"] == "revision 1, 2/2 ready"
    assert _of(found, "HorizontalPodAutoscaler")[0]["name"] == "scaler"
    assert "ScalingReplicaSet" in [event["reason"] for event in found["events"]]
    scaled = await tools.ok(TOOL, resource_type="hpa", resource_name="scaler", namespace=namespace)
    assert scaled["details"]["target"] == "Deployment/web"
    await _check_service(tools, namespace)
    await _check_node(tools, api, namespace)


async def _check_service(tools: ToolCaller, namespace: str) -> None:
    async def look() -> dict[str, Any]:
        return await tools.ok(TOOL, resource_type="svc", resource_name="web", namespace=namespace)

    found = await until(look, lambda seen: len(seen["details"]["ready_endpoints"]) == 2, 30, "two endpoints")
    assert found["details"]["ports"] == ["web 80/TCP to 8080"]
    assert found["details"]["selector"] == "app=web"
    assert len(_of(found, "Pod")) == 2


async def _check_node(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    pods = (await api.get(pods_path(namespace)))["items"]
    found = await tools.ok(TOOL, resource_type="node", resource_name=pods[0]["spec"]["nodeName"])
    assert found["details"]["allocated"]["cpu_requests"].endswith("%)")
    assert int(found["details"]["allocated"]["pods"].split(" of ")[0]) >= 2
    assert "cpu" in found["details"]["capacity"]
    assert "Ready" in {condition["type"] for condition in found["conditions"]}
    assert "namespace" not in found


@pytest.mark.cluster
async def test_a_service_without_pods_and_an_ingress(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    service = {"ports": [{"port": 80}], "selector": {"app": "nobody"}}
    await make(api, f"/api/v1/namespaces/{namespace}/services", {"metadata": {"name": "web"}, "spec": service})
    found = await tools.ok(TOOL, resource_type="svc", resource_name="web", namespace=namespace)
    assert "matches no pod" in found["details"]["problem"]
    paths = [
        {"path": f"/{name}", "pathType": "Prefix", "backend": {"service": {"name": name, "port": {"number": 80}}}}
        for name in ("web", "gone")
    ]
    other = {"service": {"name": "web", "port": {"number": 81}}}
    paths.append({"path": "/other", "pathType": "Prefix", "backend": other})
    body = {"metadata": {"name": "in"}, "spec": {"rules": [{"host": "a.example.org", "http": {"paths": paths}}]}}
    await make(api, f"/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses", body)
    entry = await tools.ok(TOOL, resource_type="ing", resource_name="in", namespace=namespace)
    assert [rule["to"] for rule in entry["details"]["rules"]] == ["web:80", "gone:80", "web:81"]
    assert entry["details"]["rules"][0]["endpoints"] == "none is ready"
    assert entry["details"]["rules"][2]["problem"] == "the Service has no such port; its ports: 80"
    assert {item["name"]: item["state"] for item in entry["related"]} == {"web": "exists", "gone": "missing"}


@pytest.mark.cluster
async def test_a_claim(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "storageClassName": "none", "resources": {"requests": {"storage": "1Gi"}}}
    await make(
        api, f"/api/v1/namespaces/{namespace}/persistentvolumeclaims", {"metadata": {"name": "disk"}, "spec": spec}
    )
    volume = {"name": "d", "persistentVolumeClaim": {"claimName": "disk"}}
    await make(api, pods_path(namespace), pod("user", "none", schedulerName="none", volumes=[volume]))
    found = await tools.ok(TOOL, resource_type="pvc", resource_name="disk", namespace=namespace)
    assert (found["details"]["phase"], found["details"]["requested"]) == ("Pending", "1Gi")
    assert _of(found, "Pod")[0]["name"] == "user"
    assert _of(found, "StorageClass")[0]["state"] == "missing"
    user = await tools.ok(TOOL, resource_type="pod", resource_name="user", namespace=namespace)
    assert _of(user, "PersistentVolumeClaim")[0]["name"] == "disk"
    assert user["details"]["volumes"][0] == "d: persistentVolumeClaim disk"


@pytest.mark.cluster
async def test_keys_of_configuration(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    await make(
        api, f"/api/v1/namespaces/{namespace}/configmaps", config_map("settings", password="hunter2", plain="abc")
    )
    found = await tools.ok(TOOL, resource_type="cm", resource_name="settings", namespace=namespace)
    assert found["details"]["keys"] == ["password (7 bytes)", "plain (3 bytes)"]
    body = {"metadata": {"name": "s"}, "data": {"token": base64.b64encode(b"hunter2").decode()}}
    await make(api, f"/api/v1/namespaces/{namespace}/secrets", body)
    text = await tools.text(TOOL, resource_type="secret", resource_name="s", namespace=namespace)
    assert "token (7 bytes)" in text
    assert "hunter2" not in text


@pytest.mark.cluster
@pytest.mark.parametrize("kind", ["jobs", "cronjobs"])
async def test_jobs(tools: ToolCaller, api: KubeApi, namespace: str, kind: str) -> None:
    template = {"spec": pod("x", "none", schedulerName="none", restartPolicy="Never")["spec"]}
    job = {"template": template, "suspend": True}
    spec = job if kind == "jobs" else {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": job}}
    await make(api, f"/apis/batch/v1/namespaces/{namespace}/{kind}", {"metadata": {"name": "it"}, "spec": spec})
    found = await tools.ok(TOOL, resource_type=kind, resource_name="it", namespace=namespace)
    assert found["details"]["containers"][0]["image"] == "none"
    assert found["details"]["active"] == 0


@pytest.mark.cluster
@pytest.mark.parametrize(("kind", "group"), [("statefulsets", "apps"), ("daemonsets", "apps"), ("replicasets", "apps")])
async def test_other_workloads(tools: ToolCaller, api: KubeApi, namespace: str, kind: str, group: str) -> None:
    labels = {"app": "it"}
    template = {"metadata": {"labels": labels}, "spec": pod("x", "none", schedulerName="none")["spec"]}
    spec = {
        "selector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["it"]}]},
        "template": template,
    }
    await make(api, f"/apis/{group}/v1/namespaces/{namespace}/{kind}", {"metadata": {"name": "it"}, "spec": spec})

    async def look() -> dict[str, Any]:
        return await tools.ok(TOOL, resource_type=kind, resource_name="it", namespace=namespace)

    found = await until(look, lambda seen: bool(_of(seen, "Pod")), 60, "its pods")
    assert found["details"]["selector"] == "app in (it)"
    assert found["details"]["replicas"]["ready"] == 0
    assert _of(found, "Pod")[0]["state"].startswith("Pending")


@pytest.mark.cluster
async def test_any_other_kind_tells_what_it_holds(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    body = {"metadata": {"name": "some"}, "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}
    await make(api, f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/roles", body)
    found = await tools.ok(TOOL, resource_type="role", resource_name="some", namespace=namespace)
    assert found["details"] == {"rules": body["rules"]}
    assert found["conditions"] == []
    space = await tools.ok(TOOL, resource_type="ns", resource_name=namespace)
    assert space["details"]["status"] == {"phase": "Active"}


@pytest.mark.pods
async def test_a_pod_that_runs_again_tells_how_it_ended(
    tools: ToolCaller, api: KubeApi, cluster: Cluster, namespace: str
) -> None:
    """Between two attempts of a crash loop a pod is ready: its workload must not look well then."""
    # Ends once, then stays: what every crash loop is for some seconds.
    once = "test -e /seen/it && sleep 3600; touch /seen/it; exit 7"
    container = {
        "name": "main",
        "image": cluster.image,
        "command": ["sh", "-c", once],
        "volumeMounts": [{"name": "seen", "mountPath": "/seen"}],
    }
    spec = {
        "containers": [container],
        "volumes": [{"name": "seen", "emptyDir": {}}],
        "terminationGracePeriodSeconds": 0,
    }
    template = {"metadata": {"labels": {"app": "again"}}, "spec": spec}
    body = {
        "metadata": {"name": "again"},
        "spec": {"selector": {"matchLabels": {"app": "again"}}, "template": template},
    }
    await make(api, f"/apis/apps/v1/namespaces/{namespace}/deployments", body)

    async def look() -> list[str]:
        told = await tools.ok(
            "k8s_describe_resource", resource_type="deployment", resource_name="again", namespace=namespace
        )
        return [str(each["state"]) for each in _of(told, "Pod")]

    (state,) = await until(look, lambda states: any("1/1 ready" in each and "restarts" in each for each in states))
    assert state.startswith("Running, 1/1 ready, 1 restarts, last run terminated: Error, exit code 7, at 20")


@pytest.mark.cluster
async def test_a_claim_that_is_not_bound_tells_why(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    """A pod's own events only say that its claims are unbound; the reason is in the events of the claim."""
    spec = {
        "storageClassName": "no-such-class",
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
    }
    claims = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"
    await make(api, claims, {"metadata": {"name": "data"}, "spec": spec})
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    await make(api, pods_path(namespace), pod("waits", "none", volumes=volumes, schedulerName="none"))

    async def look() -> str:
        told = await tools.ok("k8s_describe_resource", resource_type="pod", resource_name="waits", namespace=namespace)
        return str(_of(told, "PersistentVolumeClaim")[0]["state"])

    state = await until(look, lambda state: "ProvisioningFailed" in state, what="the claim's reason")
    assert state.startswith("Pending, class no-such-class: ProvisioningFailed: ")
    assert '"no-such-class" not found' in state
