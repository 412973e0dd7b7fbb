"""Controllers as processes: one of two writes, and what a kill leaves behind is completed."""

import asyncio
import signal
import sys
from typing import Any

import pytest

from kmcp_controller.cluster.client import KINDS
from tests.controller.conftest import Start
from tests.controller.driving import Driver, condition
from tests.controller.test_reconcile import IMAGE, OWNED, programmed
from tests.slowness import scaled
from tests.waiting import until


async def holder(driver: Driver) -> str:
    found = await driver.get("Lease", "kmcp-controller")
    return str(found["spec"]["holderIdentity"]) if found else ""


@pytest.mark.cluster
async def test_two_controllers_one_writer(driver: Driver, start: Start) -> None:
    first = await start("one")
    await until(lambda: holder(driver), lambda seen: seen == "one", what="one to hold the lease")
    second = await start("two")
    idle = await driver.start(lease_namespace=driver.namespace, identity="three")
    await driver.server(IMAGE)
    await programmed(driver)
    first.kill()
    await driver.delete("Service", "time")

    async def ran_out() -> bool:
        """Until the Lease does, nobody does anything; on a slow machine it may do so before anyone looks."""
        service, writes = await driver.get("Service"), list(idle.writes)
        if await holder(driver) != "one":
            return True
        assert (service, writes) == (None, [])  # nor a write to the Lease
        return False

    await until(ran_out, what="the Lease to run out")
    await idle.end()
    await until(lambda: holder(driver), lambda seen: seen == "two", 60, "two to take over")
    await driver.when("Service", bool, "the Service to return")
    second.send_signal(signal.SIGTERM)
    await second.wait()
    assert await holder(driver) == ""


CONTENT_SECONDS = 5.0  # without a write, when everything is as it should be: there is nothing left to do
DEADLINE_SECONDS = 120.0
STDIO = {"image": "localhost/none:1", "cmd": "run", "replicas": 0}
KILLED = (  # without the official client, as in the image: importing it takes seconds
    "import asyncio, sys; sys.modules['kubernetes'] = None; from tests.controller.programs.killed import main; "
    "asyncio.run(main(*sys.argv[1:]))"
)


@pytest.mark.cluster
async def test_kill_between_any_two_writes(driver: Driver) -> None:
    """Each start gets one write further, until one has nothing left to do; then the same with a changed server."""
    await driver.server(STDIO, transportType="stdio")
    made = await killed_on_and_on(driver, {*OWNED, "ConfigMap"})
    applied = [driver.path(kind, "time") for kind in ("ServiceAccount", "ConfigMap", "Service", "Deployment")]
    assert made[:4] == [f"PATCH {path}" for path in applied]
    assert made[4].endswith("mcpservers/time/status")
    for kind in (*OWNED, "ConfigMap"):
        assert await listed(driver, kind) == {"time"}
    await driver.server(IMAGE, httpTransport={"targetPort": 8084})
    changed = await killed_on_and_on(driver, set(OWNED))
    assert f"DELETE {driver.path('ConfigMap', 'time')}" in changed
    assert await listed(driver, "ConfigMap") == set()
    service = await driver.get("Service")
    assert service
    assert service["spec"]["ports"][0]["targetPort"] == 8084
    for each in (made, changed):
        objects = [write for write in each if "/events" not in write and "/status" not in write]
        assert len(objects) == len(set(objects))  # nothing is written twice


async def killed_on_and_on(driver: Driver, kinds: set[str]) -> list[str]:
    """The writes of controllers that were killed after one each, until one of them was content with these kinds."""
    writes: list[str] = []
    while True:
        program = [sys.executable, "-c", KILLED, str(driver.given.kubeconfig), driver.namespace]
        process = await asyncio.create_subprocess_exec(*program, stdout=asyncio.subprocess.PIPE)
        write = await next_write(driver, process, kinds)
        if not write:
            process.kill()
            await process.wait()
            return writes
        writes.append(write)
        assert await process.wait() == -signal.SIGKILL


async def next_write(driver: Driver, process: asyncio.subprocess.Process, kinds: set[str]) -> str:
    """Empty when none comes though everything is as it should be; until then it may take its time."""
    assert process.stdout
    async with asyncio.timeout(scaled(DEADLINE_SECONDS)):
        line = await process.stdout.readline()
        if line != b"ready\n":
            return line.decode().strip()
        reading = asyncio.ensure_future(process.stdout.readline())
        while True:
            done, _ = await asyncio.wait([reading], timeout=scaled(CONTENT_SECONDS))
            if done:
                return reading.result().decode().strip()
            if await complete(driver, kinds):
                reading.cancel()
                return ""


async def complete(driver: Driver, kinds: set[str]) -> bool:
    """Programmed as the server is now, with these kinds of objects and no other."""
    server = await driver.get("MCPServer")
    summary_of = condition(server or {}, "Programmed")
    there = {kind for kind in (*OWNED, "ConfigMap") if await driver.get(kind)}
    current = server is not None and summary_of.get("observedGeneration") == server["metadata"]["generation"]
    return current and summary_of["status"] == "True" and there == kinds


async def listed(driver: Driver, kind: str) -> set[str]:
    """Names of the objects of a kind, but for those that every namespace has."""
    found: dict[str, Any] = await driver.api.get(KINDS[kind].path(driver.namespace))
    return {each["metadata"]["name"] for each in found["items"]} - {"default", "kube-root-ca.crt"}
