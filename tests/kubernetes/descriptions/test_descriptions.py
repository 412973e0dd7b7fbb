"""What kubectl describes, we describe (G7, G24); kubectl describes the same objects beside us."""

import asyncio
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from kmcp_runtime.kube.api import KubeApi
from tests.cluster.model import Cluster
from tests.kubernetes.descriptions import page
from tests.kubernetes.descriptions.objects import AROUND, IN_ORDER, NAMES, OBJECTS, OURS
from tests.mcp import ToolCaller
from tests.waiting import until

pytestmark = pytest.mark.cluster


async def kubectl_run(kubectl: Path, cluster: Cluster, *arguments: str, text: str = "") -> str:
    command = [str(kubectl), f"--kubeconfig={cluster.kubeconfig}", *arguments]
    environment = {**os.environ, **cluster.proxy_bypass()}
    done = await asyncio.to_thread(
        subprocess.run, command, input=text, text=True, capture_output=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


async def furnish(kubectl: Path, cluster: Cluster, api: KubeApi, namespace: str) -> None:
    """Every object, and what controllers make of them."""
    items = [{"apiVersion": OBJECTS[kind][0], "kind": kind, **OBJECTS[kind][1]} for kind in IN_ORDER]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items}).replace("{ns}", namespace)
    await kubectl_run(kubectl, cluster, "create", "--filename=-", text=text)
    spaced = f"namespaces/{namespace}"

    async def is_settled() -> bool:
        quota = await api.get(f"/api/v1/{spaced}/resourcequotas/most")
        claims = await api.get(f"/api/v1/{spaced}/persistentvolumeclaims")
        deployment = await api.get(f"/apis/apps/v1/{spaced}/deployments/web")
        counted = "services" in ((quota.get("status") or {}).get("used") or {})
        conditions = (deployment.get("status") or {}).get("conditions") or ()
        made = {each["metadata"]["name"] for each in claims["items"]}
        return counted and {"files", "data-store-0", "alone-fleeting"} <= made and len(conditions) == 2

    await until(is_settled, what="what the controllers make")


async def test_every_value_that_kubectl_shows_is_shown(
    tools: ToolCaller, api: KubeApi, cluster: Cluster, kubectl: Path, namespace: str
) -> None:
    await furnish(kubectl, cluster, api, namespace)

    async def both(kind: str) -> tuple[str, dict[str, Any]]:
        name = NAMES.get(kind, namespace)
        about = {"resource_type": kind, "resource_name": name}
        about |= {"namespace": namespace} if kind in OBJECTS else {}
        theirs = await kubectl_run(kubectl, cluster, "describe", kind, name, f"--namespace={namespace}")
        return theirs, await tools.ok("k8s_describe_resource", **about)

    every: dict[str, list[page.Shown]] = {}
    missing = []
    for kind in (*OBJECTS, "Namespace"):
        theirs, ours = await both(kind)
        every[kind] = shown = list(page.compared(kind, theirs, ours))
        missing += [f"{kind}: {each}" for each in shown if page.place(kind, each) is None]
        expected = {*AROUND.get(kind, ()), *OURS.get(kind, ())}
        assert expected <= {each.value for each in shown}, (kind, expected, theirs)
    assert not missing, "\n".join(missing)
    text = page.HEAD + page.table(every)
    if os.environ.get(page.WRITE):
        page.PATH.write_text(text)
    assert page.PATH.read_text() == text, "run python -m tests.kubernetes.descriptions.page"
    affinity = [
        "must be on a node with zone in north",
        "should be on a node with gpu-of-it (weight 50)",
        "must be apart from pods app=noisy by kubernetes.io/hostname",
    ]
    assert (await both("Deployment"))[1]["details"]["affinity"] == affinity
    alone = (await both("Pod"))[1]
    _check_words(alone["details"])
    assert {each["name"] for each in alone["related"]} == {"files", "alone-fleeting"}
    scaler = (await both("HorizontalPodAutoscaler"))[1]["details"]
    assert scaler["metrics"] == ["Resource cpu: unknown of 65% of the request", "Pods queue: unknown of 7 on average"]
    assert "wants unknown" in scaler["replicas"]


def _check_words(details: dict[str, Any]) -> None:
    """What a value alone does not say."""
    [main] = details["containers"]
    assert main["probes"] == {
        "startupProbe": "run cat /started, every 10s, fails after 9, timeout 1s",
        "readinessProbe": "connect to port 8080 of other.example, every 10s, fails after 3, timeout 1s, passes after 2",
        "livenessProbe": "HTTPS GET /alive on port http, every 7s, fails after 3, timeout 1s, first after 41s",
    }
    variables = {each["name"]: each.get("from") for each in main["env"]}
    assert variables["CORES"] == "resourceFieldRef limits.cpu"
    assert variables["LATER"] == "secretKeyRef later one, optional"
    assert main["state"] == "not started: the pod has no node"
    assert details["problem"] == "the pod has no node, and the scheduler nobody has said nothing about it yet"
    assert details["readiness_gates"] == ["gates.example/open: not set"]
    assert {
        "share: nfs /exports/of-it, server files.example, read-only",
        "driver: csi vault.csi.example, volumeAttributes providerClass=class-of-it, nodePublishSecretRef publishing, "
        "read-only",
        "picture: image pictures.example/one:3, pullPolicy IfNotPresent",
        "merged: projected secret maybe-there, optional, serviceAccountToken token for 3600s, audience vault-of-it",
        "fleeting: ephemeral claim, 5Gi ReadWriteOncePod, class brief",
    } <= set(details["volumes"])
