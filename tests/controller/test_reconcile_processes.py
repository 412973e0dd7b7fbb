"""Controllers as processes: one of two writes, and what a kill leaves behind is completed."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import httpx2
import pytest

from kmcp_controller.cluster import KINDS
from tests.controller.away import wire
from tests.controller.conftest import Start
from tests.controller.driving import Driver
from tests.controller.test_reconcile import IMAGE, OWNED, programmed
from tests.ports import free_ports
from tests.waiting import until


async def holder(driver: Driver) -> str:
    found = await driver.get("Lease", "kmcp-controller")
    return str(found["spec"]["holderIdentity"]) if found else ""


@pytest.mark.cluster
async def test_two_controllers_one_writer(driver: Driver, start: Start) -> None:
    first = await start("one")
    await until(lambda: holder(driver), lambda seen: seen == "one", what="one to hold the lease")
    second = await start("two")
    await driver.server(IMAGE)
    await programmed(driver)
    assert await holder(driver) == "one"
    first.kill()
    # The lease of one ends after 15 s; a busy machine needs longer to notice.
    await until(lambda: holder(driver), lambda seen: seen == "two", 90, "two to take over")
    await driver.delete("Service", "time")
    await driver.when("Service", bool, "the Service to return")
    second.send_signal(signal.SIGTERM)
    await second.wait()
    assert await holder(driver) == ""


@pytest.mark.cluster
async def test_a_kill_between_writes_is_completed(driver: Driver, start: Start) -> None:
    process = await start("one")
    await until(lambda: holder(driver), lambda seen: seen == "one", what="one to hold the lease")
    names = [f"s{number}" for number in range(12)]
    await asyncio.gather(*(driver.server(IMAGE, name) for name in names))
    await driver.when("ServiceAccount", bool, "the first writes", names[0])
    process.kill()
    await process.wait()
    await driver.delete("Lease", "kmcp-controller")
    await start("two")
    for name in names:
        await programmed(driver, name)
    for kind in OWNED:
        assert await listed(driver, kind) >= set(names)


async def listed(driver: Driver, kind: str) -> set[str]:
    found: dict[str, Any] = await driver.api.get(KINDS[kind].path(driver.namespace))
    return {each["metadata"]["name"] for each in found["items"]}


@pytest.mark.cluster
@pytest.mark.timeout(400)
async def test_api_server_restart(driver: Driver, start: Start, tmp_path: Path) -> None:
    """Away for more than a minute, with a deletion inside."""
    (port,) = free_ports(1)
    async with wire(driver.given.kubeconfig, tmp_path) as line:
        flags = ["--kubeconfig", str(line.kubeconfig), "--health-address", f"127.0.0.1:{port}"]
        process = await start("one", *flags)
        await driver.server(IMAGE)
        await programmed(driver)
        before = await driver.get("MCPServer")

        async def ready() -> int | None:
            return await status(f"http://127.0.0.1:{port}/readyz")

        await until(ready, lambda code: code == 200, what="readiness")
        await line.cut()
        await driver.delete("Service", "time")
        await until(ready, lambda code: code == 503, 120, "no readiness")
        assert await status(f"http://127.0.0.1:{port}/healthz") == 200  # a restart would not help
        assert process.returncode is None
        assert await driver.get("MCPServer") == before
        assert await driver.get("Service") is None
        await line.connect()
        await driver.when("Service", bool, "the Service to return", seconds=60)
        await until(ready, lambda code: code == 200, what="readiness")
    found = await driver.get("MCPServer")
    assert before
    assert found
    assert found["status"] == before["status"]


async def status(url: str) -> int | None:
    async with httpx2.AsyncClient(trust_env=False) as http:
        try:
            return (await http.get(url)).status_code
        except httpx2.ConnectError:
            return None
