"""Hundreds of MCPServers: how many requests and how much memory, never how long."""

import pytest

from bench.controller import run_controller
from kmcp_runtime.kube.api import KubeApi
from tests.cluster.model import Cluster

COUNT = 500
EACH = ("serviceaccounts", "services", "deployments", "mcpservers/status", "events")


@pytest.mark.cluster
@pytest.mark.timeout(900)
async def test_500_crs(definition: None, api: KubeApi, cluster: Cluster, namespace: str) -> None:
    found = await run_controller(api, cluster, namespace, COUNT)
    catalog = found.writes.pop("configmaps", 0)
    assert found.writes == dict.fromkeys(EACH, COUNT)  # each object once; of the CR its status and an Event
    assert catalog < COUNT / 10  # published when it changed, not for each server
    assert found.restart_writes == {}
    assert found.ours.memory_mib < 120
