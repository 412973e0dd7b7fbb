"""The controller against the real API server, one namespace for each test."""

from collections.abc import AsyncIterator

import pytest

from kmcp_runtime.kube.api import KubeApi, Limits
from kmcp_runtime.kube.config import load_contexts
from kmcp_runtime.kube.credentials import native
from tests.cluster.model import Cluster as Given
from tests.controller.driving import Driver
from tests.mcpservers import serve_mcpservers


@pytest.fixture
async def api(cluster: Given) -> AsyncIterator[KubeApi]:
    """The API server with the controller's own credentials."""
    contexts = load_contexts(str(cluster.kubeconfig))
    found = KubeApi(contexts, contexts.named(None), Limits(), native)
    yield found
    await found.close()


@pytest.fixture
async def definition(api: KubeApi) -> None:
    await serve_mcpservers(api)


@pytest.fixture
async def driver(definition: None, cluster: Given, api: KubeApi, namespace: str) -> AsyncIterator[Driver]:
    """A test's hand on its namespace; controllers that it starts end with it."""
    found = Driver(api, namespace, cluster)
    yield found
    await found.close()
