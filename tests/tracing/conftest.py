"""A collector, and real backends behind what notes the headers that come along."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

import httpx2
import pytest

from kmcp_runtime.kube import config, credentials
from kmcp_runtime.kube.tls import tls
from tests.cluster.model import Cluster
from tests.kubernetes.making import kubeconfig
from tests.prometheus import program
from tests.tracing.collector import Collector, collecting
from tests.tracing.processes import Forwarder, forwarding


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as found:
        yield found


@pytest.fixture(scope="session")
def prometheus(backend: Callable[[str], Mapping[str, Path]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with program.running(
        backend("prometheus"), tmp_path_factory.mktemp("prometheus"), program.EMPTY, "--web.enable-admin-api"
    ) as url:
        yield url


@pytest.fixture
def asked(prometheus: str) -> Iterator[Forwarder]:
    """The way to the real Prometheus."""
    with httpx2.Client(base_url=prometheus) as client, forwarding(client) as forwarder:
        yield forwarder


@pytest.fixture
async def asked_cluster(cluster: Cluster, tmp_path: Path) -> AsyncIterator[tuple[Forwarder, str]]:
    """The way to the real API server, as its administrator; and a kubeconfig that leads there."""
    contexts = config.load_contexts(str(cluster.kubeconfig))
    context = contexts.named(None)
    used = await credentials.load(contexts, context)
    with (
        httpx2.Client(base_url=context.server, verify=tls(used), headers=list(used.headers()), timeout=60) as client,
        forwarding(client) as forwarder,
    ):
        yield forwarder, str(kubeconfig(forwarder.url, tmp_path))
