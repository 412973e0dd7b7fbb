"""The controller against the real API server, one namespace for each test."""

import importlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from kmcp_runtime.kube.api import KubeApi, Limits
from kmcp_runtime.kube.config import load_contexts
from kmcp_runtime.kube.credentials import native
from kmcp_runtime.kube.failures import StatusFailure
from tests.cluster.model import Cluster as Given
from tests.controller.driving import Driver
from tests.waiting import until

CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/mcpservers.kagent.dev"


def _definition() -> dict[str, Any]:
    definition: dict[str, Any] = importlib.import_module("kmcp_controller.crd").definition()
    return definition


@pytest.fixture
async def api(cluster: Given) -> AsyncIterator[KubeApi]:
    contexts = load_contexts(str(cluster.kubeconfig))
    found = KubeApi(contexts, contexts.named(None), Limits(), native)
    yield found
    await found.close()


@pytest.fixture
async def definition(api: KubeApi) -> None:
    """The custom resource is served; installed once and left in place for the tests that follow."""
    query = [("fieldManager", "tests"), ("force", "true")]
    await api.send("PATCH", CRD, query, _definition(), "application/apply-patch+yaml")

    async def served() -> bool:
        try:
            await api.get("/apis/kagent.dev/v1alpha1/mcpservers")
        except StatusFailure as failure:
            if failure.http_status not in (404, 429, 503):  # 429: its storage is being made
                raise
            return False
        return True

    await until(served, what="the definition to be served")


@pytest.fixture
async def driver(definition: None, cluster: Given, api: KubeApi, namespace: str) -> AsyncIterator[Driver]:
    """A test's hand on its namespace; controllers that it starts end with it."""
    found = Driver(api, namespace, cluster)
    yield found
    await found.close()
