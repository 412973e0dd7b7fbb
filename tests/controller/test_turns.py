"""A new version of the controller that renders otherwise rolls few servers at a time; nothing else waits."""

from dataclasses import replace

import pytest

from kmcp_controller.reconcile.rollout import under_way
from kmcp_controller.spec import Platform
from tests.controller.driving import OPTIONS, Driver, condition
from tests.controller.test_reconcile import container
from tests.waiting import until

NAMES = ("s0", "s1", "s2", "s3")
SERVES = {"cmd": "httpd", "args": ["-f", "-p", "3000"], "replicas": 1}


@pytest.mark.pods
async def test_a_new_version_rolls_few_at_a_time(driver: Driver) -> None:
    """The later version takes the image for the suite's, so that its new pods never start: their rollout goes on."""
    image = driver.given.image
    first = await driver.start()
    for name in NAMES:
        await driver.server({**SERVES, "image": image}, name)
    for name in NAMES:
        await driver.condition("Ready", "True", name=name, seconds=120)
    await first.end()
    later = replace(OPTIONS, platform=Platform(suite_images=(image.rpartition(":")[0],)), max_rollouts=2)
    running = await driver.start(later)
    for name in NAMES:
        await driver.when("MCPServer", lambda seen: condition(seen, "Ready").get("status") == "False", "news", name)
    await driver.quiet(running)
    held = await waiting(driver)
    assert len(held) == 2
    assert await rolled(driver) == set(NAMES) - held
    asked, left = sorted(held)
    await driver.server({**SERVES, "image": image, "env": {"A": "1"}}, asked)
    await until(lambda: rolled(driver), lambda seen: asked in seen, what="what the resource asks for, at once")
    await until(lambda: waiting(driver), lambda seen: seen == {left}, what=f"nobody but {left} waits")
    for name in set(NAMES) - {left}:
        await driver.server({**SERVES, "image": image, "replicas": 0}, name)
    await until(lambda: rolled(driver), lambda seen: seen == set(NAMES), 60, f"the turn of {left}")
    await driver.condition("Programmed", "True", name=left)


async def waiting(driver: Driver) -> set[str]:
    found = {name: await driver.get("MCPServer", name) for name in NAMES}
    return {name for name, each in found.items() if each and condition(each, "Programmed")["reason"] == "Waiting"}


async def rolled(driver: Driver) -> set[str]:
    """Those whose Deployment is that of a suite image."""
    found = {name: await driver.get("Deployment", name) for name in NAMES}
    return {name for name, each in found.items() if each and "startupProbe" in container(each)}


@pytest.mark.parametrize(
    ("generation", "reason", "rolling"),
    [
        (2, "ReplicaSetUpdated", True),
        (1, "NewReplicaSetAvailable", True),  # what it says is about an earlier template
        (2, "NewReplicaSetAvailable", False),
        (2, "ProgressDeadlineExceeded", False),  # else servers that never start would hold all others up
    ],
)
def test_a_rollout_is_under_way(generation: int, reason: str, rolling: bool) -> None:
    status = {"observedGeneration": generation, "conditions": [{"type": "Progressing", "reason": reason}]}
    assert under_way({"metadata": {"generation": 2}, "status": status}) is rolling
