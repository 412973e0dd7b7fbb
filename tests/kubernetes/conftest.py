"""The Kubernetes server against the real cluster."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest
from fastmcp import Client

from kmcp_kubernetes.server import SERVER
from kmcp_kubernetes.settings import KubernetesSettings
from kmcp_runtime.engine.assembly import assemble
from kmcp_runtime.kube.api import KubeApi
from tests.cluster.model import Cluster
from tests.mcp import ToolCaller
from tests.patience import patient
from tests.slowness import scaled

if TYPE_CHECKING:
    from tests.kubernetes.places import Place


@pytest.fixture
def settings(cluster: Cluster) -> KubernetesSettings:
    return KubernetesSettings(kubeconfig=str(cluster.kubeconfig), kube_timeout=scaled(30), probe_image=cluster.image)


@pytest.fixture
async def tools(settings: KubernetesSettings) -> AsyncIterator[ToolCaller]:
    """The server as the cluster's administrator; destruction needs no approval here."""
    async with Client(assemble(SERVER, settings, patient(approval="off"))) as client:
        yield ToolCaller(client)


@pytest.fixture
async def careful(settings: KubernetesSettings) -> AsyncIterator[ToolCaller]:
    """The server as it is by default, for a client that cannot be asked."""
    async with Client(assemble(SERVER, settings, patient())) as client:
        yield ToolCaller(client)


@pytest.fixture
def place(api: KubeApi, namespace: str) -> "Place":
    # Here, since the module takes parts of tests that take `pod` from this one.
    from tests.kubernetes.places import Place

    return Place(api, namespace)


def pod(name: str, image: str, *command: str, **spec: Any) -> dict[str, Any]:
    """A pod of one container named `main`."""
    container: dict[str, Any] = {"name": "main", "image": image, "imagePullPolicy": "IfNotPresent"}
    if command:
        container["command"] = list(command)
    body = {"containers": [container], "terminationGracePeriodSeconds": 0, **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": body}
