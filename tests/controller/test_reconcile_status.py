"""Conditions tell what is so: pods that run, crash, cannot be pulled, roll out; and upstream's definition."""

import re
from typing import Any

import pytest

from kmcp_controller.cluster.client import Cluster
from kmcp_controller.cluster.store import Store
from kmcp_controller.reconcile.rollout import rollout
from kmcp_controller.reconcile.status_writer import StatusWriter
from kmcp_controller.status import Observed, unready
from tests.controller.driving import Driver, condition
from tests.controller.test_reconcile import IMAGE


def serving(driver: Driver, **more: Any) -> dict[str, Any]:
    """A web server in the test's image; whether it speaks MCP is not the matter here."""
    command = {"cmd": "httpd", "args": ["-f", "-p", "3000"]}
    return {"image": driver.given.image, "replicas": 1, **command, **more}


@pytest.mark.pods
async def test_ready_follows_the_pods(driver: Driver) -> None:
    await driver.start()
    quick = {"updateStrategy": {"gracePeriodSeconds": 0}}
    await driver.server(serving(driver), extensions=quick)
    ready = await driver.condition("Ready", "True", "Available", seconds=60)
    assert ready["message"] == "1 available"
    await driver.server(serving(driver, args=["-f", "-p", "3001"]), extensions=quick)  # its probe fails for ever
    rolling = await driver.condition("Ready", "False", "NotAvailable")
    assert rolling["observedGeneration"] == 2
    await driver.server(serving(driver), extensions=quick)
    await driver.condition("Ready", "True", seconds=60)
    await driver.server(serving(driver, replicas=0), extensions=quick)

    def scaled_to_zero(seen: dict[str, Any]) -> bool:
        return bool(condition(seen, "Ready")["message"] == "scaled to zero")

    await driver.when("MCPServer", scaled_to_zero, "scaled to zero")
    await driver.noticed("Ready", "Programmed")


@pytest.mark.pods
async def test_image_pull_error_is_named(driver: Driver) -> None:
    await driver.start()
    await driver.server({"image": "localhost/absent:1", "imagePullPolicy": "Never", "replicas": 1})
    missing = await driver.condition("ResolvedRefs", "False", "ImageNotFound")
    assert "localhost/absent:1" in missing["message"]
    ready = await driver.condition("Ready", "False", "NotAvailable")
    assert "ErrImageNeverPull" in ready["message"]
    await driver.noticed("ImagePullFailed")


@pytest.mark.pods
async def test_crash_loop_is_named(driver: Driver) -> None:
    await driver.start()
    script = "echo password=hunter2hunter2 > /dev/termination-log; exit 3"
    await driver.server({"image": driver.given.image, "cmd": "sh", "args": ["-c", script], "replicas": 1})

    def named(seen: dict[str, Any]) -> bool:
        return "CrashLoopBackOff" in condition(seen, "Ready").get("message", "")

    found = await driver.when("MCPServer", named, "the crash loop", seconds=60)
    message = condition(found, "Ready")["message"]
    assert re.search(r"exit code 3, \d+ restarts", message)
    assert "hunter2" not in message
    await driver.noticed("CrashLooping")


def deployment(**status: Any) -> dict[str, Any]:
    metadata = {"generation": 2, "annotations": {"kmcp-suite/spec-hash": "h"}}
    counts = {"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}
    return {"metadata": metadata, "spec": {"replicas": 1, "template": {}}, "status": counts | status}


STALLED = [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]
QUOTA = [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"}]


@pytest.mark.parametrize(
    ("found", "wanted", "text"),
    [
        (deployment(), 1, ""),
        (deployment(observedGeneration=1), 1, "rolling out: 1 of 1 updated"),
        (deployment(replicas=2), 1, "rolling out: 1 of 1 updated"),
        (deployment(), 3, "1 of 3 available"),
        (deployment(availableReplicas=0), 1, "0 of 1 available"),
        (deployment(availableReplicas=0, terminatingReplicas=1), 1, "0 of 1 available (1 terminating)"),
        (deployment(conditions=STALLED), 1, "rollout stalled"),
        (deployment(replicas=0, updatedReplicas=0, availableReplicas=0, conditions=QUOTA), 1, "exceeded quota"),
    ],
)
def test_ready_is_exact(found: dict[str, Any], wanted: int, text: str) -> None:
    said = unready(rollout(found, "h", wanted))
    assert text in said
    assert bool(text) == bool(said)
    assert unready(rollout(found, "another", wanted))


def test_zero_is_never_ready() -> None:
    found = deployment(replicas=0, updatedReplicas=0, availableReplicas=0)
    found["spec"]["replicas"] = 0
    assert unready(rollout(found, "h", 1)) == "scaled to zero"


@pytest.mark.cluster
async def test_fields_that_are_not_declared_are_left_out(driver: Driver) -> None:
    """As with upstream's definition: an apply with one such field is refused as a whole."""
    made = await driver.server(IMAGE)
    store = Store()
    store.put(made)
    writer = StatusWriter(Cluster(driver.api), store)
    assert await writer.write(made, Observed(), {"url": "http://x", "unheard": "y"}, "2026-01-01T00:00:00Z")
    assert writer.declared is not None
    assert "unheard" not in writer.declared
    found = await driver.get("MCPServer")
    assert found
    assert len(found["status"]["conditions"]) == 6
    assert found["status"]["url"] == "http://x"
