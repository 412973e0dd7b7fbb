"""The server on clusters that run nothing else of Cilium, as an identity that holds what its tools declare."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import yaml
from fastmcp import Client

from kmcp_cilium.server import SERVER
from kmcp_cilium.settings import CiliumSettings
from kmcp_runtime.engine.assembly import assemble
from kmcp_runtime.kube.api import KubeApi
from tests.cilium.agent import MODULE
from tests.cilium.chart.clusters import MESH, NAMESPACE, Chart, both, claim, forget_authority, operator
from tests.cilium.turns import connected
from tests.cluster import binaries, lifetime
from tests.cluster.model import Cluster
from tests.cluster.plugin import say
from tests.cluster.run import run_of
from tests.mcp import ToolCaller
from tests.patience import patient
from tests.waiting import until

Callers = Callable[..., Awaitable[ToolCaller]]


@pytest.fixture(scope="module")
def source(backend: Callable[[str], Mapping[str, Path]]) -> Path:
    """The sources of the Cilium that the tests know."""
    backend("cilium")
    return binaries.source(binaries.BACKENDS["cilium"], MODULE)


@pytest.fixture(scope="module")
def charts(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cilium's chart as it is, and as its next versions."""
    folder = tmp_path_factory.mktemp("charts")
    for name, version in (("cilium", None), ("next", "1.20.0"), ("later", "1.22.0")):
        shutil.copytree(source / "install/kubernetes/cilium", folder / name)
        path = folder / name / "Chart.yaml"
        path.chmod(0o644)
        description = yaml.safe_load(path.read_text())
        description["version"] = version or description["version"]
        path.write_text(yaml.safe_dump(description))
    return folder


@pytest.fixture(scope="module")
def bare(request: pytest.FixtureRequest, cluster: Cluster, source: Path) -> Iterator[Cluster]:
    """A second cluster, all of whose Cilium is ours to take away."""
    run = run_of(request.config)
    name = f"{run.name}-bare"
    yield lifetime.obtain(name, run.pid, lambda text: say(request.config, text))
    lifetime.stop(name)


@pytest.fixture(scope="module")
async def bare_api(bare: Cluster) -> AsyncIterator[KubeApi]:
    async with connected(str(bare.kubeconfig)) as api:
        await api.send("POST", "/api/v1/namespaces", (), {"metadata": {"name": NAMESPACE}})
        yield api


@pytest.fixture(scope="module")
async def bare_operator(
    bare: Cluster, bare_api: KubeApi, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Path]:
    """The kubeconfig that the tools are called with."""
    async with operator(bare_api, bare, tmp_path_factory.mktemp("identity")) as kubeconfig:
        yield kubeconfig


@pytest.fixture
async def on(bare_operator: Path, charts: Path, helm: Path) -> AsyncIterator[Callers]:
    """Callers of the server on the bare cluster, by the chart that it knows."""
    async with AsyncExitStack() as stack:

        async def caller(chart: str = "cilium", kubeconfig: Path | None = None) -> ToolCaller:
            settings = CiliumSettings(
                kubeconfig=str(kubeconfig or bare_operator),
                cilium_namespace=NAMESPACE,
                helm=str(helm),
                chart_directory=str(charts),
                cilium_chart=chart,
            )
            client = Client(assemble(SERVER, settings, patient(approval="off")))
            return ToolCaller(await stack.enter_async_context(client))

        yield caller


@pytest.fixture
async def tools(on: Callers) -> ToolCaller:
    return await on()


@pytest.fixture(scope="module")
async def chart(charts: Path, helm: Path, bare: Cluster, bare_api: KubeApi) -> AsyncIterator[Chart]:
    """What puts the chart in place for a test; nothing of it is left in the end."""
    found = Chart(helm, charts / "cilium")
    yield found
    await found.take_away(bare, bare_api)


@pytest.fixture
async def vacant(chart: Chart, bare: Cluster, bare_api: KubeApi, tools: ToolCaller) -> ToolCaller:
    """The server on a cluster without a release."""
    await chart.take_away(bare, bare_api)
    return tools


@pytest.fixture
async def installed(chart: Chart, bare: Cluster, bare_api: KubeApi, tools: ToolCaller) -> ToolCaller:
    """The server on a cluster with a release named `one`, number 1."""
    await chart.put(bare, bare_api, cluster={"name": "one", "id": 1})
    return tools


@pytest.fixture(scope="module")
async def other(
    chart: Chart, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Path, KubeApi]]:
    """A second cluster for a mesh: the one that all tests share."""
    async with connected(str(cluster.kubeconfig)) as api:
        await until(lambda: claim(api), seconds=300, what="the turn to install Cilium on the shared cluster")
        try:
            async with operator(api, cluster, tmp_path_factory.mktemp("other")) as kubeconfig:
                yield kubeconfig, api
        finally:
            await chart.take_away(cluster, api)
            await api.send("DELETE", f"/api/v1/namespaces/{NAMESPACE}")


@pytest.fixture
async def two(
    chart: Chart,
    bare: Cluster,
    bare_api: KubeApi,
    bare_operator: Path,
    other: tuple[Path, KubeApi],
    cluster: Cluster,
    on: Callers,
    tmp_path: Path,
) -> tuple[ToolCaller, KubeApi]:
    """The contexts `one` (the bare cluster) and `two` (the other), each with mesh on and an authority of its own."""
    kubeconfig, api = other
    await forget_authority(api)
    await asyncio.gather(
        chart.put(bare, bare_api, cluster={"name": "one", "id": 1}, clustermesh=MESH),
        chart.put(cluster, api, cluster={"name": "two", "id": 2}, clustermesh=MESH),
    )
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(both({"one": bare_operator, "two": kubeconfig})))
    return await on(kubeconfig=path), api
