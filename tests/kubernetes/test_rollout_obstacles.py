"""A rollout that cannot succeed ends its wait, and says what is in its way (G9, G18)."""

import asyncio
import time
from typing import Any

import pytest

from kmcp_runtime.kube.api import KubeApi
from tests.cluster.model import Cluster
from tests.kubernetes.making import make
from tests.mcp import ToolCaller
from tests.slowness import scaled, whole
from tests.waiting import until

LONG = 240
"""Seconds that nobody should wait in these tests."""
NEVER_READY = {"readinessProbe": {"exec": {"command": ["false"]}, "periodSeconds": 1}}
"""Without a probe a program that ends soon is ready until then, and the rollout done."""


def body(name: str, image: str, *command: str, kind: str = "Deployment", **spec: Any) -> dict[str, Any]:
    container = {"name": "main", "image": image, "imagePullPolicy": "IfNotPresent", "command": list(command)}
    container |= spec.pop("container", {})
    pod = {"containers": [container], "terminationGracePeriodSeconds": 0, **spec}
    template = {"metadata": {"labels": {"app": name}}, "spec": pod}
    content: dict[str, Any] = {"selector": {"matchLabels": {"app": name}}, "template": template}
    if kind == "StatefulSet":
        content["serviceName"] = name
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": content}


class Rollouts:
    """Workloads of a namespace, made and followed."""

    def __init__(self, tools: ToolCaller, api: KubeApi, namespace: str) -> None:
        self.tools, self.api, self.namespace = tools, api, namespace

    async def create(self, content: dict[str, Any]) -> None:
        await make(self.api, f"/apis/apps/v1/namespaces/{self.namespace}/{content['kind'].lower()}s", content)

    async def status(self, name: str, kind: str = "deployment", **arguments: Any) -> dict[str, Any]:
        about = {"resource_type": kind, "resource_name": name, "namespace": self.namespace}
        return await self.tools.ok("k8s_rollout", action="status", **about, **arguments)

    async def ends_early(self, content: dict[str, Any], *words: str) -> None:
        """The wait ends long before its time, with these words in the reason."""
        await self.create(content)
        begun = time.monotonic()
        kind, name = content["kind"].lower(), content["metadata"]["name"]
        told = await self.status(name, kind, wait=True, timeout_seconds=whole(LONG))
        assert time.monotonic() - begun < scaled(LONG) / 2
        assert (told["done"], told.get("timed_out")) == (False, None), told
        assert "cannot succeed" in told["message"]
        assert all(word in told["stuck_reason"] for word in words), told


@pytest.fixture
def rollouts(tools: ToolCaller, api: KubeApi, namespace: str) -> Rollouts:
    return Rollouts(tools, api, namespace)


@pytest.mark.pods
async def test_a_wait_ends_when_it_is_of_no_use(rollouts: Rollouts, cluster: Cluster) -> None:
    image = cluster.image
    absent: dict[str, Any] = {"volumes": [{"name": "v", "configMap": {"name": "nowhere"}}]}
    mounts = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    unset = {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "nowhere", "key": "a"}}}]}
    await asyncio.gather(
        rollouts.ends_early(body("program", image, "/no/such/program"), "/no/such/program"),
        rollouts.ends_early(
            body("crash", image, "sh", "-c", "exit 3", container=NEVER_READY), "CrashLoopBackOff", "exit code 3"
        ),
        rollouts.ends_early(body("volume", image, "sleep", "9", container=mounts, **absent), "FailedMount", "nowhere"),
        rollouts.ends_early(body("unset", image, "sleep", "9", container=unset), "CreateContainerConfigError"),
        rollouts.ends_early(body("name", "Not:A:Name", "true"), "InvalidImageName"),
        rollouts.ends_early(
            body("node", image, "true", kind="StatefulSet", nodeSelector={"no": "one"}), "Unschedulable"
        ),
    )


@pytest.mark.pods
async def test_a_failing_probe_is_named(rollouts: Rollouts, cluster: Cluster) -> None:
    command = (cluster.image, "sleep", "600")
    await rollouts.create(body("sick", *command, container=NEVER_READY))
    await rollouts.create(body("gated", *command, readinessGates=[{"conditionType": "example.org/open"}]))
    await until(lambda: rollouts.status("sick"), lambda seen: "Readiness probe failed" in seen.get("stuck_reason", ""))
    await until(lambda: rollouts.status("gated"), lambda seen: "gate example.org/open" in seen.get("stuck_reason", ""))
    # The program may become ready at any time: only its own deadline ends the wait.
    waited = await rollouts.status("sick", wait=True, timeout_seconds=4)
    assert waited["timed_out"] is True


@pytest.mark.pods
async def test_what_the_old_revision_does_ends_no_wait(rollouts: Rollouts, cluster: Cluster) -> None:
    await rollouts.ends_early(body("w", cluster.image, "sh", "-c", "exit 3", container=NEVER_READY), "CrashLoopBackOff")
    container = "/spec/template/spec/containers/0"
    command: list[dict[str, Any]] = [{"op": "replace", "path": f"{container}/command", "value": ["sleep", "600"]}]
    command.append({"op": "remove", "path": f"{container}/readinessProbe"})
    path = f"/apis/apps/v1/namespaces/{rollouts.namespace}/deployments/w"
    await rollouts.api.send("PATCH", path, (), command, "application/json-patch+json")
    told = await rollouts.status("w", wait=True, timeout_seconds=whole(60))
    assert told["done"] is True


@pytest.mark.cluster
@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
async def test_what_a_quota_refuses_is_named(rollouts: Rollouts, kind: str) -> None:
    quotas = f"/api/v1/namespaces/{rollouts.namespace}/resourcequotas"
    await make(rollouts.api, quotas, {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}})

    async def counted() -> bool:
        return "used" in ((await rollouts.api.get(f"{quotas}/none")).get("status") or {})

    await until(counted)
    await rollouts.create(body("w", "none", "true", kind=kind))
    told = await until(lambda: rollouts.status("w", kind.lower()), lambda seen: "stuck_reason" in seen)
    assert "exceeded quota: none" in told["stuck_reason"]
