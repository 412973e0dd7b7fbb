"""Whose objects are touched: refusal, adoption, takeover from upstream, replicas that others set."""

from typing import Any

import pytest

from kmcp_controller.cluster.client import LABEL, MANAGER
from tests.controller.driving import Driver
from tests.controller.test_reconcile import IMAGE, container, programmed
from tests.waiting import until

PODS = {"app.kubernetes.io/name": "time", "app.kubernetes.io/instance": "time"}


def deployment(labels: dict[str, str], **extra: Any) -> dict[str, Any]:
    pod = {"containers": [{"name": "mcp-server", "image": "localhost/theirs:1", **extra}]}
    template = {"metadata": {"labels": labels}, "spec": pod}
    return {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}


@pytest.mark.cluster
async def test_foreign_objects_are_refused(driver: Driver) -> None:
    theirs = await driver.create("Deployment", "time", spec=deployment(PODS))
    account = await driver.create("ServiceAccount", "time")
    await driver.start()
    await driver.server(IMAGE)
    refused = await driver.condition("Programmed", "False", "ForeignObject")
    assert "Deployment time" in refused["message"]
    assert "serviceAccountName" in refused["message"]
    await driver.condition("Ready", "False", "PodsNotReady")
    assert await driver.get("Service")
    assert await driver.get("ServiceAccount") == account
    found = await driver.get("Deployment")
    assert found
    assert found["spec"] == theirs["spec"]
    assert LABEL not in found["metadata"].get("labels", {})
    await driver.noticed("ForeignObject")
    for kind in ("Deployment", "ServiceAccount"):
        await driver.merge(kind, "time", {"metadata": {"annotations": {"kmcp-suite/adopt": "time"}}})
    await programmed(driver)
    found = await driver.get("Deployment")
    assert found
    assert found["metadata"]["uid"] == theirs["metadata"]["uid"]
    assert container(found)["image"] == IMAGE["image"]


@pytest.mark.cluster
async def test_another_selector_is_refused(driver: Driver) -> None:
    consent = {"annotations": {"kmcp-suite/adopt": "time"}}
    theirs = await driver.create("Deployment", "time", metadata=consent, spec=deployment({"app": "time"}))
    await driver.start()
    await driver.server(IMAGE)
    refused = await driver.condition("Programmed", "False", "ForeignObject")
    assert "has another pod selector" in refused["message"]
    found = await driver.get("Deployment")
    assert found
    assert found["spec"] == theirs["spec"]


@pytest.mark.cluster
async def test_takeover_from_upstream(driver: Driver) -> None:
    made = await driver.server(IMAGE)
    owner = {key: made[key] for key in ("apiVersion", "kind")} | {"name": "time", "uid": made["metadata"]["uid"]}
    metadata = {"ownerReferences": [owner]}
    stale = {"command": ["/old"], "env": [{"name": "OLD", "value": "1"}]}
    spec = deployment(PODS, volumeMounts=[{"name": "config", "mountPath": "/config"}], **stale)
    spec["template"]["spec"]["volumes"] = [{"name": "config", "configMap": {"name": "time"}}]
    old = await driver.create("Deployment", "time", metadata=metadata, spec=spec)
    ports = [{"name": "http", "port": 3000, "targetPort": 3000}]
    service = await driver.create("Service", "time", metadata=metadata, spec={"selector": PODS, "ports": ports})
    await driver.create("ServiceAccount", "time", metadata=metadata)
    await driver.create("ConfigMap", "time", metadata=metadata, data={})
    await driver.server({**IMAGE, "replicas": 0}, httpTransport={"targetPort": 8084})
    await driver.start()
    await programmed(driver)
    found = await driver.get("Deployment")
    assert found
    assert found["metadata"]["uid"] == old["metadata"]["uid"]
    assert "command" not in container(found)
    assert "env" not in container(found)
    assert "volumes" not in found["spec"]["template"]["spec"]
    now = await driver.get("Service")
    assert now
    assert now["metadata"]["uid"] == service["metadata"]["uid"]
    assert now["spec"]["clusterIP"] == service["spec"]["clusterIP"]
    assert now["spec"]["ports"][0]["targetPort"] == 8084
    await driver.noticed("Adopted")
    # It is labelled, and so pruned like one of ours.
    await until(lambda: driver.get("ConfigMap"), lambda seen: seen is None, what="upstream's ConfigMap to go")


@pytest.mark.cluster
async def test_orphans_of_a_recreated_server_are_adopted(driver: Driver) -> None:
    running = await driver.start()
    await driver.server(IMAGE)
    await programmed(driver)
    first = await driver.get("Deployment")
    assert first
    await running.end()
    options = {"propagationPolicy": "Orphan", "apiVersion": "v1", "kind": "DeleteOptions"}
    await driver.api.send("DELETE", driver.path("MCPServer", "time"), (), options)
    await driver.when_gone("MCPServer", "time")
    made = await driver.server(IMAGE)
    await driver.start()
    await programmed(driver)
    found = await driver.get("Deployment")
    assert found
    assert found["metadata"]["uid"] == first["metadata"]["uid"]
    assert [each["uid"] for each in found["metadata"]["ownerReferences"]] == [made["metadata"]["uid"]]


@pytest.mark.cluster
async def test_hpa_takes_and_returns_replicas(driver: Driver) -> None:
    await driver.start()
    await driver.server({**IMAGE, "replicas": 3})
    await programmed(driver)
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "time"}
    spec = {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 9}
    await driver.create("HorizontalPodAutoscaler", "time", spec=spec)
    await driver.when("Deployment", lambda seen: MANAGER not in _owners(seen), "replicas to be released")
    await driver.merge("Deployment", "time", {"spec": {"replicas": 5}}, "/scale")
    await driver.server({**IMAGE, "replicas": 3, "args": ["x"]})
    scaled = await driver.when("Deployment", lambda seen: container(seen).get("args") == ["x"], "an apply")
    assert scaled["spec"]["replicas"] == 5
    await driver.delete("HorizontalPodAutoscaler", "time")
    returned = await driver.when("Deployment", lambda seen: _owners(seen) == {MANAGER}, "replicas to return")
    assert returned["spec"]["replicas"] == 3
    await driver.server({**IMAGE, "replicas": 3}, extensions={"scaling": "external"})
    left = await driver.when("Deployment", lambda seen: MANAGER not in _owners(seen), "external scaling")
    assert left["spec"]["replicas"] == 3
    await driver.server({**IMAGE, "replicas": 3})  # nobody has scaled meanwhile
    await driver.when("Deployment", lambda seen: _owners(seen) == {MANAGER}, "replicas to be ours alone")
    await driver.noticed("ReplicasReleased", "ReplicasOwned")


def _owners(found: dict[str, Any]) -> set[str]:
    """Managers that the replicas belong to."""
    fields = found["metadata"]["managedFields"]
    return {each["manager"] for each in fields if "f:replicas" in each["fieldsV1"].get("f:spec", {})}
