"""A3 as a cluster runs it: two replicas, processes of their own behind one key, and a real API server."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client

from kmcp_runtime.kube.api import KubeApi
from tests.cluster.model import Cluster
from tests.kubernetes.in_pod import in_a_pod
from tests.kubernetes.making import config_map, make
from tests.kubernetes.test_approval import there
from tests.mcp import ToolCaller
from tests.ports import free_ports
from tests.slowness import scaled
from tests.waiting import until, wait_for_listener

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


@pytest.mark.pods
async def test_A3_in_a_pod_the_rights_that_the_chart_gives_are_what_the_ledger_needs(
    cluster: Cluster, api: KubeApi, namespace: str, tmp_path: Path
) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    await make(api, path, config_map("precious", a="b"))
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "delete"]}]
    await grant(api, namespace, "tools", rules)
    target = {"resource_type": "configmap", "resource_name": "precious", "namespace": namespace}
    settings = {"KMCP_STATE_KEY": "k" * 32, "KMCP_APPROVAL_LEDGER": "lease"}
    async with Client(await in_a_pod(cluster, api, namespace, tmp_path, **settings)) as client:
        caller = ToolCaller(client)
        token = (await caller.fails("k8s_delete_resource", **target))["approval"]
        refused = await caller.fails("k8s_delete_resource", **target, approval=token)
        assert refused["code"] == "unavailable"
        assert (
            f"grant this server create, list and delete on leases.coordination.k8s.io in {namespace}" in refused["hint"]
        )
        assert await there(api, target)
        rules = [{"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create", "list", "delete"]}]
        await grant(api, namespace, "approvals", rules)

        async def acts() -> bool:
            # The authorizer learns of a new binding within moments.
            return await outcome(caller, {**target, "approval": token}) == "ok"

        await until(acts, what="the approved deletion")
    assert not await there(api, target)


async def grant(api: KubeApi, namespace: str, name: str, rules: list[dict[str, Any]]) -> None:
    base = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    await make(api, f"{base}/roles", {"metadata": {"name": name}, "rules": rules})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": namespace}
    await make(api, f"{base}/rolebindings", {"metadata": {"name": name}, "roleRef": role, "subjects": [subject]})
