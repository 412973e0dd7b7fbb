"""G16: every write of a workload can wait for its rollout and says how far it is."""

from typing import Any

import pytest

from kmcp_runtime.kube.api import KubeApi
from tests.cluster.model import Cluster
from tests.kubernetes.conftest import pod
from tests.kubernetes.making import config_map, make
from tests.kubernetes.test_manifests import text
from tests.mcp import ToolCaller

SECONDS = 120


def web(image: str, *command: str, **spec: Any) -> dict[str, Any]:
    body = pod("web", image, *command)
    template = {"metadata": {"labels": {"app": "web"}}, "spec": body["spec"]}
    whole = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": whole}


@pytest.mark.pods
async def test_every_write_follows_the_rollout(tools: ToolCaller, cluster: Cluster, namespace: str) -> None:
    body = web(cluster.image, "sleep", "3600")
    manifest = text(body, config_map("beside"))
    here = {"namespace": namespace, "wait_seconds": SECONDS}
    applied = await tools.ok("k8s_apply_manifest", manifest=manifest, **here)
    assert applied["rollouts"] == {"Deployment web": {"done": True, "message": "successfully rolled out"}}
    scaled = await tools.ok("k8s_scale", name="web", replicas=2, **here)
    assert (scaled["to"], scaled["rollout"]["done"]) == (2, True)
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "INVALID"}]}}}}
    named = {"resource_type": "deployment", "resource_name": "web", "patch": patch, **here}
    patched = await tools.ok("k8s_patch_resource", **named)
    assert patched["rollout"]["done"] is False
    assert "InvalidImageName" in patched["rollout"]["stuck_reason"]
    rehearsed = await tools.ok("k8s_scale", name="web", replicas=1, dry_run=True, **here)
    assert "rollout" not in rehearsed


@pytest.mark.cluster
async def test_a_wait_that_ends_and_kinds_without_a_rollout(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    body = web("none")
    body["spec"]["template"]["spec"]["schedulerName"] = "none"
    await make(api, f"/apis/apps/v1/namespaces/{namespace}/deployments", body)
    here = {"namespace": namespace, "wait_seconds": 1}
    late = await tools.ok("k8s_scale", name="web", replicas=2, **here)
    assert late["rollout"]["done"] is False
    assert late["rollout"]["message"].endswith("not waited for longer")
    beside = await tools.ok("k8s_apply_manifest", manifest=text(config_map("m", a="1")), **here)
    assert "rollouts" not in beside
    unwaited = await tools.ok("k8s_scale", name="web", replicas=1, namespace=namespace)
    assert "rollout" not in unwaited


@pytest.mark.pods
async def test_an_apply_follows_single_pods_too(tools: ToolCaller, cluster: Cluster, namespace: str) -> None:
    """Until each is ready, has ended, or cannot start; the answer says which."""
    ended = pod("ended", cluster.image, "true", restartPolicy="Never")
    failed = pod("failed", cluster.image, "false", restartPolicy="Never")
    # Else it is ready in the instant between its start and its end, and a look at that instant is right to say so.
    failed["spec"]["containers"][0]["readinessProbe"] = {"exec": {"command": ["false"]}}
    bodies = (pod("well", cluster.image, "sleep", "3600"), pod("ill", "INVALID"), ended, failed)
    here = {"namespace": namespace, "wait_seconds": SECONDS}
    applied = await tools.ok("k8s_apply_manifest", manifest=text(*bodies), **here)
    states = applied["rollouts"]
    assert states["Pod well"] == {"done": True, "message": "ready"}
    assert states["Pod ended"] == {"done": True, "message": "ready"}
    assert states["Pod ill"]["done"] is False
    assert "InvalidImageName" in states["Pod ill"]["stuck_reason"]
    assert states["Pod failed"]["done"] is False
    assert states["Pod failed"]["message"] == "Failed, not ready"
    assert "exit code 1" in states["Pod failed"]["stuck_reason"]
