"""MCPServers become objects: upstream's contract and the defects that it had."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.controller.driving import OPTIONS, Driver, condition

IMAGE = {"image": "localhost/none:1", "replicas": 0}
OWNED = ("ServiceAccount", "Service", "Deployment")


async def programmed(driver: Driver, name: str = "time") -> None:
    await driver.condition("Programmed", "True", name=name)


def container(deployment: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = deployment["spec"]["template"]["spec"]["containers"][0]
    return found


@pytest.mark.cluster
async def test_owned_objects_are_watched(driver: Driver) -> None:
    await driver.start()
    made = await driver.server(IMAGE)
    await programmed(driver)
    first = await driver.get("Deployment")
    assert first
    await driver.delete("Deployment", "time")
    again = await driver.when("Deployment", lambda seen: seen["metadata"]["uid"] != first["metadata"]["uid"], "return")
    wrong = {"spec": {"template": {"spec": {"containers": [{"name": "mcp-server", "image": "localhost/wrong:1"}]}}}}
    await driver.merge("Deployment", "time", wrong)
    repaired = await driver.when(
        "Deployment",
        lambda seen: (
            container(seen)["image"] == IMAGE["image"]
            and seen["metadata"]["generation"] > again["metadata"]["generation"] + 1
        ),
        "the image to be repaired",
    )
    assert repaired["metadata"]["uid"] == again["metadata"]["uid"]
    server = await driver.get("MCPServer")
    assert server
    assert server["metadata"].get("annotations") == made["metadata"].get("annotations")
    assert "finalizers" not in server["metadata"]
    await driver.noticed("DriftRepaired")


@pytest.mark.cluster
async def test_hand_deleted_service_returns(driver: Driver) -> None:
    await driver.start()
    await driver.server(IMAGE)
    await programmed(driver)
    first = await driver.get("Service")
    assert first
    await driver.delete("Service", "time")
    await driver.when("Service", lambda seen: seen["metadata"]["uid"] != first["metadata"]["uid"], "return", seconds=5)
    await driver.noticed("DriftRepaired")


@pytest.mark.cluster
async def test_default_service_account_is_left_alone(driver: Driver) -> None:
    before = await driver.get("ServiceAccount", "default")
    await driver.start()
    await driver.server(IMAGE, name="default")
    await programmed(driver, "default")
    assert await driver.get("ServiceAccount", "default") == before
    deployment = await driver.get("Deployment", "default")
    assert deployment
    assert deployment["spec"]["template"]["spec"]["serviceAccountName"] == "default-mcp"
    assert await driver.get("ServiceAccount", "default-mcp")


@pytest.mark.cluster
async def test_service_reaches_the_container_port(driver: Driver) -> None:
    await driver.start()
    await driver.server(IMAGE, httpTransport={"targetPort": 8084})
    await driver.server({**IMAGE, "port": 4000}, "other", httpTransport={"targetPort": 8084})
    await programmed(driver)
    await programmed(driver, "other")
    service = await driver.get("Service")
    assert service
    assert [(each["port"], each["targetPort"]) for each in service["spec"]["ports"]] == [(3000, 8084)]
    assert "TargetPortDiffers" not in {each["reason"] for each in await driver.events()}
    await driver.noticed("TargetPortDiffers", name="other")


def has_args(*args: str) -> Callable[[dict[str, Any]], bool]:
    return lambda seen: container(seen).get("args") == list(args)


@pytest.mark.cluster
async def test_foreign_fields_survive(driver: Driver) -> None:
    await driver.start()
    await driver.server(IMAGE)
    await programmed(driver)
    for kind in OWNED:
        await driver.merge(kind, "time", {"metadata": {"labels": {"team": "a"}, "annotations": {"note": "b"}}})
    await driver.merge("ServiceAccount", "time", {"imagePullSecrets": [{"name": "pull"}]})
    restarted = {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}
    await driver.merge("Deployment", "time", {"spec": {"template": {"metadata": {"annotations": restarted}}}})
    for step in range(3):  # each a changed spec, hence an apply of every object
        changed = {"args": [f"{step}"], "port": 4000 + step, "serviceAccount": {"labels": {"step": f"{step}"}}}
        await driver.server({**IMAGE, **changed})
        await driver.when("Deployment", has_args(f"{step}"), "args")
    for kind in OWNED:
        found = await driver.get(kind)
        assert found
        assert found["metadata"]["labels"]["team"] == "a"
        assert found["metadata"]["annotations"]["note"] == "b"
        if kind == "ServiceAccount":
            assert found["imagePullSecrets"] == [{"name": "pull"}]
        if kind == "Deployment":
            assert found["spec"]["template"]["metadata"]["annotations"].items() >= restarted.items()


@pytest.mark.cluster
async def test_secret_rotation_rolls_pods(driver: Driver) -> None:
    await driver.create("Secret", "login", stringData={"TOKEN": "one"})
    running = await driver.start()
    await driver.server({**IMAGE, "secretRefs": [{"name": "login"}]})
    await programmed(driver)
    await driver.quiet(running)  # nothing but a look at the references, one each second, tells what follows
    first = await driver.get("Deployment")
    assert first
    await driver.merge("Secret", "login", {"metadata": {"labels": {"a": "b"}}})
    await driver.quiet(running)
    same = await driver.get("Deployment")
    assert same
    assert same["metadata"]["generation"] == first["metadata"]["generation"]
    await driver.merge("Secret", "login", {"stringData": {"TOKEN": "two"}})
    await driver.when("Deployment", lambda seen: _refs(seen) != _refs(first), "a new hash")
    rolled = await driver.get("Deployment")
    assert rolled
    assert rolled["metadata"]["generation"] == first["metadata"]["generation"] + 1
    await driver.noticed("ReferenceChanged")
    await running.end()
    await driver.delete("Secret", "login")
    await driver.create("Secret", "login", stringData={"TOKEN": "two"})
    await driver.start()
    await driver.when("Deployment", lambda seen: _refs(seen) != _refs(rolled), "a hash that is not of the value alone")


@pytest.mark.cluster
async def test_watched_secrets_count_at_once(driver: Driver) -> None:
    """Nothing polls here."""
    await driver.create("Secret", "login", stringData={"TOKEN": "one"})
    running = await driver.start(replace(OPTIONS, secrets="watch", references_seconds=3600.0))
    await driver.server({**IMAGE, "secretRefs": [{"name": "login"}]})
    await programmed(driver)
    await driver.quiet(running)
    first = await driver.get("Deployment")
    assert first
    await driver.merge("Secret", "login", {"stringData": {"TOKEN": "two"}})
    await driver.when("Deployment", lambda seen: _refs(seen) != _refs(first), "a new hash")
    await driver.quiet(running)
    await driver.delete("Secret", "login")
    await driver.condition("ResolvedRefs", "False", "SecretNotFound")


def _refs(deployment: dict[str, Any]) -> str:
    return str(deployment["spec"]["template"]["metadata"]["annotations"]["kmcp-suite/refs-hash"])


@pytest.mark.cluster
async def test_missing_secret_then_created(driver: Driver) -> None:
    running = await driver.start()
    env = [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "login", "key": "token"}}}]
    await driver.server(IMAGE, extensions={"env": env})
    missing = await driver.condition("ResolvedRefs", "False", "SecretNotFound")
    assert "Secret login does not exist" in missing["message"]
    assert await driver.get("Deployment")
    await driver.quiet(running)  # the Deployment's own news is over: what follows is seen by looking again
    await driver.create("Secret", "login", stringData={"other": "x"})

    def names_the_key(seen: dict[str, Any]) -> bool:
        return "no key token" in condition(seen, "ResolvedRefs")["message"]

    await driver.when("MCPServer", names_the_key, "the key to be named")
    await driver.quiet(running)
    await driver.merge("Secret", "login", {"stringData": {"token": "s3cr3t-value"}})
    await driver.condition("ResolvedRefs", "True")
    found = await driver.get("MCPServer")
    assert "s3cr3t-value" not in f"{found}{await driver.events()}"


@pytest.mark.cluster
async def test_names_that_cannot_work(driver: Driver) -> None:
    await driver.create("ConfigMap", "a.b", data={"key": "value"})
    await driver.start()
    await driver.server(IMAGE, "with.dots")
    refused = await driver.condition("Accepted", "False", "InvalidConfig", "with.dots")
    assert "no dots" in refused["message"]
    await driver.server({**IMAGE, "configMapRefs": [{"name": "a.b"}]})
    await programmed(driver)
    deployment = await driver.get("Deployment")
    assert deployment
    assert container(deployment)["volumeMounts"][0]["mountPath"] == "/configmaps/a.b"


@pytest.mark.cluster
async def test_a_bad_edit_changes_no_object(driver: Driver) -> None:
    running = await driver.start()
    await driver.server(IMAGE)
    await programmed(driver)
    before = [await driver.get(kind) for kind in OWNED]
    await driver.server({**IMAGE, "volumes": [{"name": "config"}]}, extensions={"readOnly": True})
    refused = await driver.condition("Accepted", "False", "InvalidConfig")
    assert "volumes" in refused["message"]
    assert "readOnly" in refused["message"]
    await driver.condition("Ready", "False", "InvalidConfig")
    await driver.quiet(running)
    assert [_settled(await driver.get(kind)) for kind in OWNED] == [_settled(each) for each in before]


def _settled(found: dict[str, Any] | None) -> tuple[str, Any]:
    assert found
    return found["metadata"]["uid"], found["metadata"].get("generation", found["metadata"]["resourceVersion"])


@pytest.mark.cluster
async def test_what_the_api_server_refuses_is_named(driver: Driver) -> None:
    await driver.start()
    await driver.server({**IMAGE, "sidecars": [{"name": "side", "image": "x", "imagee": "y"}]})
    failed = await driver.condition("Programmed", "False", "DeploymentFailed")
    assert "imagee" in failed["message"]
    assert await driver.get("Service")
    await driver.noticed("ApplyFailed")


@pytest.mark.cluster
async def test_status_races_and_events(driver: Driver) -> None:
    running = await driver.start()
    await driver.server(IMAGE)
    await programmed(driver)
    stamp = "2026-01-01T00:00:00Z"
    lie = {"type": "Ready", "status": "True", "reason": "Lie", "message": "", "lastTransitionTime": stamp}
    await driver.merge("MCPServer", "time", {"status": {"conditions": [lie]}}, "/status")
    await driver.condition("Ready", "False", "NotAvailable")
    await programmed(driver)
    await driver.quiet(running)
    counts = [each["reason"] for each in await driver.events()]
    assert counts.count("Programmed") == 1


@pytest.mark.cluster
async def test_second_pass_writes_nothing(driver: Driver) -> None:
    await driver.create("Secret", "login", stringData={"TOKEN": "one"})
    first = await driver.start()
    full = {
        **IMAGE,
        "env": {"A": "1"},
        "secretRefs": [{"name": "login"}],
        "resources": {"requests": {"cpu": "0.5", "memory": "1024Mi"}, "limits": {"memory": "2Gi"}},
        "volumes": [{"name": "work", "emptyDir": {}}],
        "volumeMounts": [{"name": "work", "mountPath": "/work"}],
        "tolerations": [{"key": "a", "operator": "Exists"}],
    }
    network = {"egressTo": [{"ports": [{"port": 443}]}], "ingressFrom": [{"podSelector": {}}]}
    await driver.server(full, extensions={"network": network})
    stdio = {"image": "localhost/none:1", "cmd": "run", "replicas": 0}
    await driver.server(stdio, "stdio", transportType="stdio")
    await programmed(driver)
    await programmed(driver, "stdio")
    await driver.quiet(first)
    before = await driver.get("MCPServer")
    await first.end()
    second = await driver.start()
    await driver.quiet(second, 3)
    assert second.writes == []
    assert await driver.get("MCPServer") == before


@pytest.mark.cluster
async def test_paused_objects_are_left_alone(driver: Driver) -> None:
    await driver.start()
    await driver.server(IMAGE, annotations={"kmcp-suite/paused": "true"})
    await driver.condition("Programmed", "Unknown", "Paused")
    assert await driver.get("Deployment") is None
    await driver.server(IMAGE, annotations={"kmcp-suite/paused": "false"})
    await programmed(driver)


@pytest.mark.cluster
async def test_namespace_deletion_is_quiet(driver: Driver, caplog: pytest.LogCaptureFixture) -> None:
    name = f"{driver.namespace}-going"
    await driver.api.send("POST", "/api/v1/namespaces", (), {"metadata": {"name": name}})
    other = Driver(driver.api, name, driver.given)
    running = await other.start()
    try:
        await other.server(IMAGE)
        await programmed(other)
        held = ["example.com/held"]  # so that its objects are gone first, and cannot come back
        await other.merge("MCPServer", "time", {"metadata": {"finalizers": held}})
        await other.api.send("DELETE", f"/api/v1/namespaces/{name}")
        for kind in OWNED:
            await other.when_gone(kind, "time")
        await other.quiet(running)
        # An object may be seen to go before its MCPServer is seen to end: then the API server's refusal tells it.
        assert all("is being terminated" in each for each in running.refused)
        told = len(running.refused)
        await other.merge("MCPServer", "time", {"metadata": {"finalizers": None}})
        await other.when_gone("MCPServer", "time")
        await other.quiet(running)
        assert len(running.refused) == told <= len(OWNED), "what is ending is left to end"
    finally:
        await other.close()
    assert not [each.getMessage() for each in caplog.records if each.name == "kmcp.controller"]


@pytest.mark.cluster
async def test_what_is_no_longer_rendered_is_deleted(driver: Driver) -> None:
    await driver.start(OPTIONS)
    served = {"image": driver.given.image, "cmd": "sleep", "args": ["3600"], "replicas": 0}
    await driver.server(served, transportType="stdio")
    await programmed(driver)
    assert await driver.get("ConfigMap")
    await driver.server({**served, "serviceAccountName": "default"}, transportType="http")
    await programmed(driver)
    await driver.when("Deployment", lambda seen: "volumes" not in seen["spec"]["template"]["spec"], "the new template")
    await driver.when_gone("ConfigMap", "time")
