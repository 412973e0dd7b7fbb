"""On a control plane of its own with the unmodified definition of upstream: the tests of reconciling once more.

The block of extensions comes by annotation. The outage of the API server is here too: nobody else should meet it.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from kmcp_controller.spec.crd import definition as our_definition
from kmcp_runtime.kube.api import KubeApi
from tests.applying import apply
from tests.chart.rendering import VALUES, Chart, of_kind
from tests.chart.test_crd import create
from tests.cluster.control_plane import ControlPlane, control_plane
from tests.cluster.model import Cluster
from tests.cluster.namespaces import Namespaces
from tests.controller import test_reconcile, test_reconcile_ownership, test_roles
from tests.controller.away import wire
from tests.controller.conftest import Start
from tests.controller.driving import Driver
from tests.controller.test_reconcile import IMAGE, programmed
from tests.mcpservers import wait_for_mcpservers
from tests.ports import free_ports
from tests.waiting import until

for module in (test_reconcile, test_reconcile_ownership):
    globals().update({name: test for name, test in vars(module).items() if name.startswith("test_")})
test_roles_follow_the_annotation = test_roles.test_bound_role_is_what_the_tools_amount_to


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with control_plane(tmp_path_factory.mktemp("plane")) as found:
        yield found


@pytest.fixture(scope="module")
def cluster(own: ControlPlane) -> Cluster:
    return own.cluster


@pytest.fixture(scope="module")
def _namespaces(cluster: Cluster) -> Iterator[Namespaces]:
    with Namespaces(cluster.kubeconfig) as found:
        yield found


@pytest.fixture
async def definition(api: KubeApi) -> None:
    """Upstream's."""
    await apply(api, upstream())
    await wait_for_mcpservers(api)


@pytest.fixture
async def driver(definition: None, cluster: Cluster, api: KubeApi, namespace: str) -> AsyncIterator[Driver]:
    found = Driver(api, namespace, cluster)
    found.portable = True
    yield found
    await found.close()


def upstream() -> dict[str, Any]:
    """Ours without what upstream's does not have: the block, further status, short names, columns; replicas are 1."""
    found = our_definition()
    names = found["spec"]["names"]
    del names["shortNames"]
    (version,) = found["spec"]["versions"]
    version["additionalPrinterColumns"] = [
        {"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].status"},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]
    properties = version["schema"]["openAPIV3Schema"]["properties"]
    del properties["spec"]["properties"]["extensions"]
    properties["spec"]["properties"]["deployment"]["properties"]["replicas"]["default"] = 1
    status = properties["status"]["properties"]
    properties["status"]["properties"] = {name: status[name] for name in ("conditions", "observedGeneration")}
    return found


@pytest.mark.cluster
async def test_upstream_crd(driver: Driver) -> None:
    running = await driver.start()
    env = [{"name": "LEVEL", "value": "debug"}]
    await driver.server(IMAGE, extensions={"env": env, "network": {"ingressFrom": [{"podSelector": {}}]}})
    await programmed(driver)
    await driver.quiet(running)
    found = await driver.get("MCPServer")
    assert found
    assert set(found["status"]) == {"conditions", "observedGeneration"}
    assert len(found["status"]["conditions"]) == 6
    accepted = next(each for each in found["status"]["conditions"] if each["type"] == "Accepted")
    assert "extensions sha256:" in accepted["message"]
    assert await driver.get("NetworkPolicy")
    deployment = await driver.get("Deployment")
    assert deployment
    assert deployment["spec"]["template"]["spec"]["containers"][0]["env"] == env
    assert running.refused == []  # no write, of a status or else, was


@pytest.mark.cluster
async def test_every_sample_is_valid(definition: None, api: KubeApi, namespace: str, helm: Path) -> None:
    """What the chart makes may meet upstream's definition, which helm leaves as it is."""
    for values in VALUES.values():
        for sample in of_kind(Chart(helm).rendered(values), "MCPServer").values():
            await create(api, namespace, sample)


@pytest.mark.cluster
async def test_api_server_restart(driver: Driver, start: Start, own: ControlPlane, tmp_path: Path) -> None:
    """Away for more than a minute with a deletion inside, and new: it cannot say what happened meanwhile."""
    (port,) = free_ports(1)
    async with wire(driver.given.kubeconfig, tmp_path) as line:
        flags = ["--kubeconfig", str(line.kubeconfig), "--health-address", f"127.0.0.1:{port}"]
        process = await start("one", *flags)
        await driver.server(IMAGE)
        await programmed(driver)

        async def ready() -> int | None:
            return await status(f"http://127.0.0.1:{port}/readyz")

        await until(ready, lambda code: code == 200, what="readiness")
        await line.cut()
        before = await driver.get("MCPServer")
        await driver.delete("Service", "time")
        await until(ready, lambda code: code == 503, 120, "no readiness")
        assert await status(f"http://127.0.0.1:{port}/healthz") == 200  # a restart would not help
        assert process.returncode is None
        await asyncio.to_thread(own.kill_server)
        await asyncio.to_thread(own.start_server)
        assert await driver.get("MCPServer") == before
        assert await driver.get("Service") is None
        await line.connect()
        await driver.when("Service", bool, "the Service to return", seconds=60)
        await until(ready, lambda code: code == 200, what="readiness")
    await programmed(driver)


async def status(url: str) -> int | None:
    async with httpx2.AsyncClient(trust_env=False) as http:
        try:
            return (await http.get(url)).status_code
        except httpx2.ConnectError:
            return None
