"""A3 as a cluster runs it: two replicas, processes of their own behind one key, and a real API server."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastmcp import Client

from kmcp_runtime.kube.api import KubeApi
from tests.cluster.model import Cluster
from tests.kubernetes.making import config_map, make
from tests.kubernetes.test_approval import there
from tests.mcp import ToolCaller
from tests.ports import free_ports
from tests.slowness import scaled
from tests.waiting import wait_for_listener

pytestmark = pytest.mark.cluster
CALLS = 50


@asynccontextmanager
async def replica(cluster: Cluster, namespace: str) -> AsyncIterator[ToolCaller]:
    """A server process as the chart starts it, and a client of it."""
    (port,) = free_ports(1)
    flags = ["--port", str(port), "--management-port", "0", "--timeout", f"{scaled(60):.0f}"]
    environment = {
        **os.environ,
        "KUBECONFIG": str(cluster.kubeconfig),
        "KMCP_STATE_KEY": "one-key-of-all-replicas-of-32-bytes",
        "KMCP_APPROVAL_LEDGER": "lease",
        "KMCP_APPROVAL_NAMESPACE": namespace,
    }
    command = [sys.executable, "-m", "kmcp_kubernetes.server", *flags]
    process = await asyncio.create_subprocess_exec(*command, env=environment, stderr=asyncio.subprocess.DEVNULL)
    try:
        await wait_for_listener("127.0.0.1", port)
        async with Client(f"http://127.0.0.1:{port}/mcp") as client:
            yield ToolCaller(client)
    finally:
        process.terminate()
        await process.wait()


async def outcome(caller: ToolCaller, arguments: dict[str, Any]) -> str:
    result = await caller.client.call_tool("k8s_delete_resource", arguments, raise_on_error=False)
    if not result.is_error:
        return "ok"
    return str((result.meta or {})["kmcp-suite/error"]["code"])


@pytest.mark.timeout(300)
async def test_A3_of_fifty_calls_with_one_token_on_two_replicas_one_acts(
    cluster: Cluster, api: KubeApi, namespace: str
) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    # Its finalizer keeps it there, so that calls after the first find an object to delete.
    body = {**config_map("precious", a="b"), "metadata": {"name": "precious", "finalizers": ["example.com/keep"]}}
    await make(api, path, body)
    target = {"resource_type": "configmap", "resource_name": "precious", "namespace": namespace}
    async with replica(cluster, namespace) as one, replica(cluster, namespace) as other:
        token = (await one.fails("k8s_delete_resource", **target))["approval"]
        arguments = {**target, "approval": token}
        callers = (one, other)
        outcomes = await asyncio.gather(*(outcome(callers[number % 2], arguments) for number in range(CALLS)))
    assert outcomes.count("ok") == 1
    # What was deleted is in another state, which a call that plans later sees before it sees the used token.
    assert set(outcomes) <= {"ok", "approval_required", "conflict"}
    used = (await api.get(f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"))["items"]
    assert len(used) == 1
    await api.send("PATCH", f"{path}/precious", (), {"metadata": {"finalizers": None}}, "application/merge-patch+json")


@pytest.mark.timeout(300)
async def test_A3_a_token_survives_a_restart_and_works_once(cluster: Cluster, api: KubeApi, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    await make(api, path, config_map("precious", a="b"))
    target = {"resource_type": "configmap", "resource_name": "precious", "namespace": namespace}
    async with replica(cluster, namespace) as before:
        token = (await before.fails("k8s_delete_resource", **target))["approval"]
    async with replica(cluster, namespace) as after:
        await after.ok("k8s_delete_resource", **target, approval=token)
        await make(api, path, config_map("precious", a="b"))
        error = await after.fails("k8s_delete_resource", **target, approval=token)
        assert error["code"] == "approval_required"
        assert "approval" not in error
    assert await there(api, target)
