"""The Istio server against the real cluster."""

from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest
from fastmcp import Client

from kmcp_istio.server import SERVER
from kmcp_istio.settings import IstioSettings
from kmcp_runtime.engine.assembly import assemble
from kmcp_runtime.kube.api import KubeApi
from tests.applying import connected
from tests.cluster.model import Cluster
from tests.istio.definitions import serve_mesh_kinds
from tests.istio.images import program_image
from tests.mcp import ToolCaller
from tests.patience import patient
from tests.slowness import scaled


@pytest.fixture(scope="session")
async def mesh_kinds(cluster: Cluster) -> None:
    """A cluster that serves the kinds of Istio and of the Gateway API."""
    async with connected(cluster) as api:
        await serve_mesh_kinds(api)


@pytest.fixture(scope="module")
async def admin(cluster: Cluster) -> AsyncIterator[KubeApi]:
    """The API server, for what the tests of a file share."""
    async with connected(cluster) as api:
        yield api


@pytest.fixture
def settings(cluster: Cluster, mesh_kinds: None) -> IstioSettings:
    return IstioSettings(kubeconfig=str(cluster.kubeconfig), kube_timeout=scaled(30))


@pytest.fixture
async def tools(settings: IstioSettings) -> AsyncIterator[ToolCaller]:
    """The server as the cluster's administrator; destruction needs no approval here."""
    async with Client(assemble(SERVER, settings, patient(approval="off"))) as client:
        yield ToolCaller(client)


Backend = Callable[[str], Mapping[str, Path]]


@pytest.fixture(scope="session")
def proxy_image(cluster: Cluster, backend: Backend) -> str:
    """An image of what looks like a proxy from outside."""
    return program_image(cluster, backend("proxy")["mesh-proxy"])
