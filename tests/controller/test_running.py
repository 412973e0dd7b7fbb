"""A server whose pods run, and what happens around it: a rotated Secret, a deleted Service, an autoscaler."""

from typing import Any

import pytest

from tests.controller.driving import Driver, condition
from tests.controller.test_reconcile import container
from tests.waiting import until


@pytest.mark.pods
async def test_a_running_server_is_kept_as_it_is_wanted(driver: Driver) -> None:
    await driver.create("Secret", "login", stringData={"TOKEN": "one"})
    running = await driver.start()
    serves = {"image": driver.given.image, "cmd": "httpd", "args": ["-f", "-p", "3000"]}
    await driver.server({**serves, "secretRefs": [{"name": "login"}], "replicas": 1})
    await driver.condition("Ready", "True", seconds=120)

    await driver.merge("Secret", "login", {"stringData": {"TOKEN": "two"}})
    await until(lambda: revisions(driver), lambda seen: seen == {"1", "2"}, 60, "the rollout")
    await driver.condition("Ready", "True", seconds=120)
    await driver.quiet(running)
    assert await revisions(driver) == {"1", "2"}  # one rollout, not two

    first = await driver.get("Service")
    assert first
    await driver.delete("Service", "time")
    await driver.when("Service", lambda seen: seen["metadata"]["uid"] != first["metadata"]["uid"], "return", seconds=10)
    await until(lambda: addresses(driver), bool, 60, "an address behind the Service")

    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "time"}
    scaler = {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 4}
    await driver.create("HorizontalPodAutoscaler", "time", spec=scaler)
    await driver.when("Deployment", lambda seen: seen["spec"]["replicas"] == 2, "the autoscaler's replicas", seconds=90)
    await driver.server({**serves, "secretRefs": [{"name": "login"}], "replicas": 1, "env": {"A": "1"}})
    scaled = await driver.when("Deployment", lambda seen: "env" in container(seen), "an apply")
    assert scaled["spec"]["replicas"] == 2

    def served_by_two(seen: dict[str, Any]) -> bool:
        ready = condition(seen, "Ready")
        return (ready["status"], ready["message"]) == ("True", "2 available")

    await driver.when("MCPServer", served_by_two, "two ready pods", seconds=120)


async def revisions(driver: Driver) -> set[str]:
    """Of the Deployment: one for each template that pods were made of."""
    found = await driver.api.get(f"/apis/apps/v1/namespaces/{driver.namespace}/replicasets")
    return {each["metadata"]["annotations"]["deployment.kubernetes.io/revision"] for each in found["items"]}


async def addresses(driver: Driver) -> list[str]:
    path = f"/apis/discovery.k8s.io/v1/namespaces/{driver.namespace}/endpointslices"
    found = await driver.api.get(path, [("labelSelector", "kubernetes.io/service-name=time")])
    ends = [end for each in found["items"] for end in each.get("endpoints") or ()]
    return [address for end in ends if end["conditions"].get("ready") for address in end["addresses"]]
