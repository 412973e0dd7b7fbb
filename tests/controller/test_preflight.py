"""`kmcp-suite preflight`: what a takeover would meet; nothing is written."""

import asyncio
from typing import Any

import pytest

from kmcp_controller.cli.commands import preflight
from tests.controller.driving import Driver
from tests.controller.test_reconcile import IMAGE
from tests.controller.test_reconcile_ownership import PODS, deployment

HELM = {"image": "localhost/kmcp/kmcp-helm:0.1.0", "replicas": 0}


async def summary_of(driver: Driver, capsys: pytest.CaptureFixture[str]) -> list[str]:
    flags = ["--kubeconfig", str(driver.given.kubeconfig), "--namespace", driver.namespace]
    assert await asyncio.to_thread(preflight, flags) == 0
    prefix = f"{driver.namespace}/"
    return [line.removeprefix(prefix) for line in capsys.readouterr().out.splitlines() if line.startswith(prefix)]


@pytest.mark.cluster
async def test_preflight_lists_what_a_takeover_meets(driver: Driver, capsys: pytest.CaptureFixture[str]) -> None:
    await driver.server(IMAGE, "with.dots")
    await driver.server(IMAGE, "default")
    await driver.server(IMAGE, httpTransport={"targetPort": 8084})
    await driver.create("Deployment", "time", spec=deployment({"app": "else"}))
    ports = [{"name": "http", "port": 3000, "targetPort": 3000}]
    await driver.create("Service", "time", metadata=await owned(driver), spec={"selector": PODS, "ports": ports})
    await driver.create("ConfigMap", "time", metadata=await owned(driver), data={})
    before = await driver.wanted("MCPServer", "Deployment", "Service", "ConfigMap")
    found = await summary_of(driver, capsys)
    for text in (
        "with.dots: will not be accepted: metadata.name: becomes a Service name",
        "default: its ServiceAccount becomes default-mcp",
        "time: Deployment time already exists and is not owned by this MCPServer",
        "time: Service time will send to port 8084 of the pods instead of 3000",
        "time: ConfigMap time is deleted once no pod mounts it",
    ):
        assert [line for line in found if line.startswith(text)], (text, found)
    assert await driver.wanted("MCPServer", "Deployment", "Service", "ConfigMap") == before


async def owned(driver: Driver) -> dict[str, Any]:
    """As upstream's controller owns an object."""
    found = await driver.get("MCPServer")
    assert found
    owner = {"apiVersion": found["apiVersion"], "kind": "MCPServer", "name": "time", "uid": found["metadata"]["uid"]}
    return {"ownerReferences": [owner]}


@pytest.mark.cluster
async def test_preflight_knows_pod_security_and_the_suites_tools(
    driver: Driver, capsys: pytest.CaptureFixture[str]
) -> None:
    label = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    content = "application/merge-patch+json"
    await driver.api.send("PATCH", f"/api/v1/namespaces/{driver.namespace}", (), label, content)
    await driver.server(IMAGE)
    await driver.server({**IMAGE, "podSecurityContext": {"runAsUser": 1000}}, "careful")
    await driver.server(HELM, "helm-a")
    await driver.server(HELM, "helm-b")
    found = await summary_of(driver, capsys)
    rooted = [line for line in found if "will not be allowed to run as root" in line]
    assert [line.partition(":")[0] for line in rooted] == ["time"]
    (shared,) = [line for line in found if "has tools with the same names" in line]
    assert shared.startswith("helm-b: ")
    assert "MCPServer helm-a" in shared


@pytest.mark.cluster
async def test_preflight_without_a_cluster_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert await asyncio.to_thread(preflight, ["--kubeconfig", "/nonexistent"]) == 1
    assert "kmcp-suite preflight: " in capsys.readouterr().err
