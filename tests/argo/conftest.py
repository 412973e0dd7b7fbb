"""The server against the real cluster, with the real controller where a test asks for it."""

from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest
from fastmcp import Client

from kmcp_argo.server import SERVER
from kmcp_argo.settings import ArgoSettings
from kmcp_runtime.engine.assembly import assemble
from tests.applying import connected
from tests.argo import install
from tests.cluster.model import Cluster
from tests.mcp import ToolCaller
from tests.patience import patient
from tests.slowness import scaled


@pytest.fixture
def settings(cluster: Cluster) -> ArgoSettings:
    return ArgoSettings(kubeconfig=str(cluster.kubeconfig), kube_timeout=scaled(30))


@pytest.fixture
async def tools(settings: ArgoSettings) -> AsyncIterator[ToolCaller]:
    async with Client(assemble(SERVER, settings, patient(approval="off"))) as client:
        yield ToolCaller(client)


@pytest.fixture(scope="session")
def programs(backend: Callable[[str], Mapping[str, Path]]) -> Mapping[str, Path]:
    return backend("rollouts")


@pytest.fixture(scope="session")
def pushed(cluster: Cluster, programs: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> None:
    """The images, on the node."""
    install.put_images(cluster, programs, tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="session")
async def controller(cluster: Cluster, pushed: None) -> None:
    """The controller, running. No test changes it: what a test changes is in a namespace of its own."""
    async with connected(cluster) as api:
        await install.install(api)


@pytest.fixture
def plugin(programs: Mapping[str, Path], cluster: Cluster, namespace: str) -> install.Plugin:
    return install.Plugin(programs["kubectl-argo-rollouts"], cluster, namespace)
