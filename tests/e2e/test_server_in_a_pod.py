"""The Kubernetes server's image as a pod: its service account, its Service, its probes' pages, its filesystem."""

from typing import Any

import pytest
from fastmcp import Client

from kmcp_runtime.kube.api import KubeApi
from tests.e2e.conftest import Images
from tests.kubernetes.making import make, pod_when
from tests.mcp import ToolCaller
from tests.waiting import wait_for_listener

pytestmark = pytest.mark.pods
ARGUMENTS = ["--host", "0.0.0.0", "--port", "8083", "--allow-unauthenticated", "--read-only"]


def restricted(image: str) -> dict[str, Any]:
    """A pod as the controller makes them: nothing writable but a scratch volume, no privilege."""
    probe = {"httpGet": {"path": "/healthz", "port": 8081}, "periodSeconds": 1, "failureThreshold": 60}
    container = {
        "name": "mcp-server",
        "image": image,
        "imagePullPolicy": "Never",
        "args": ARGUMENTS,
        "readinessProbe": probe,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "env": [{"name": "TMPDIR", "value": "/scratch"}],
        "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
    }
    security = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {"containers": [container], "securityContext": security, "volumes": [{"name": "scratch", "emptyDir": {}}]}
    return {"metadata": {"name": "kmcp", "labels": {"app": "kmcp"}}, "spec": {**spec, "serviceAccountName": "viewer"}}


async def test_the_image_serves_the_cluster_that_it_runs_in(images: Images, api: KubeApi, namespace: str) -> None:
    core = f"/api/v1/namespaces/{namespace}"
    enforced = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    await api.send("PATCH", f"/api/v1/namespaces/{namespace}", (), enforced, "application/merge-patch+json")
    await make(api, f"{core}/serviceaccounts", {"metadata": {"name": "viewer"}})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
    subject = {"kind": "ServiceAccount", "name": "viewer", "namespace": namespace}
    bindings = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings"
    await make(api, bindings, {"metadata": {"name": "viewer"}, "roleRef": role, "subjects": [subject]})
    await make(api, f"{core}/pods", restricted(images("kubernetes")))
    service = {
        "metadata": {"name": "kmcp"},
        "spec": {"selector": {"app": "kmcp"}, "ports": [{"port": 3000, "targetPort": 8083}]},
    }
    address = (await make(api, f"{core}/services", service))["spec"]["clusterIP"]
    await pod_when(api, namespace, "kmcp", _ready, "readiness")
    await wait_for_listener(address, 3000)
    async with Client(f"http://{address}:3000/mcp") as client:
        caller = ToolCaller(client)
        pods = await caller.ok("k8s_get_resources", resource_type="pods", output="names")
        assert pods["items"] == ["kmcp"]
        assert pods["namespace"] == namespace
        configuration = await caller.ok("k8s_get_cluster_configuration")
        assert configuration["in_cluster"] is True
        refused = await caller.fails("k8s_get_resources", resource_type="secrets")
        assert refused["code"] == "forbidden"
        assert f"system:serviceaccount:{namespace}:viewer" in refused["message"]
        assert (await caller.fails("k8s_scale", name="x", replicas=1))["code"] == "denied"


def _ready(found: dict[str, Any]) -> bool:
    return all(status.get("ready") for status in found["status"].get("containerStatuses") or [{}])
