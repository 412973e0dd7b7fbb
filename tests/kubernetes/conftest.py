"""The Kubernetes server against the real cluster."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastmcp import Client

from kmcp_kubernetes.server import SERVER
from kmcp_kubernetes.settings import KubernetesSettings
from kmcp_runtime.engine.assembly import assemble
from tests.cluster.model import Cluster
from tests.mcp import ToolCaller
from tests.patience import patient
from tests.slowness import scaled


@pytest.fixture
def settings(cluster: Cluster) -> KubernetesSettings:
    return KubernetesSettings(kubeconfig=str(cluster.kubeconfig), kube_timeout=scaled(30), probe_image=cluster.image)


@pytest.fixture
async def tools(settings: KubernetesSettings) -> AsyncIterator[ToolCaller]:
    """The server as the cluster's administrator; destruction needs no approval here."""
    async with Client(assemble(SERVER, settings, patient(approval="off"))) as client:
        yield ToolCaller(client)


def pod(name: str, image: str, *command: str, **spec: Any) -> dict[str, Any]:
    """A pod of one container named `main`."""
    container: dict[str, Any] = {"name": "main", "image": image, "imagePullPolicy": "IfNotPresent"}
    if command:
        container["command"] = list(command)
    body = {"containers": [container], "terminationGracePeriodSeconds": 0, **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": body}
