"""Fixtures of the whole suite; the cluster comes from `tests/cluster`."""

from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest

from kmcp_runtime.kube.api import KubeApi
from tests.applying import connected
from tests.cluster.dns import serve_dns, serves_dns
from tests.cluster.model import Cluster

pytest_plugins = ["tests.cluster.plugin", "tests.cilium.plugin"]
LONG = ("e2e", "controller", "cilium", "argo", "istio", "bridge", "helm")
"""Folders whose tests wait for pods and processes, the longest first."""
TOGETHER = ("e2e",)
"""Folders whose files share what takes long to make."""


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A file's tests run in one worker; what waits goes first, or one worker would end alone with it."""
    rank = {folder: number for number, folder in enumerate(LONG)}
    here = Path(__file__).parent
    items.sort(key=lambda item: rank.get(item.path.relative_to(here).parts[0], len(LONG)))
    for item in items:
        folder, *_ = path = item.path.relative_to(here).parts
        item.add_marker(pytest.mark.xdist_group(folder if folder in TOGETHER else "/".join(path)))


@pytest.fixture
async def api(cluster: Cluster) -> AsyncIterator[KubeApi]:
    """The API server itself, for making and checking what is acted on."""
    async with connected(cluster) as found:
        yield found


@pytest.fixture(scope="session")
async def dns(cluster: Cluster, backend: Callable[[str], Mapping[str, Path]]) -> None:
    """Names of Services resolve in pods."""
    async with connected(cluster) as api:
        if not await serves_dns(api):
            await serve_dns(api, cluster, backend("coredns")["coredns"])
