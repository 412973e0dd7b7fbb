"""Without a namespace every tool takes the context's own (K10)."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from fastmcp import Client

from kmcp_kubernetes.server import SERVER
from kmcp_kubernetes.settings import KubernetesSettings
from kmcp_runtime.engine.assembly import assemble
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.settings import ClusterSettings
from tests.cluster.model import Cluster
from tests.kubernetes.making import make
from tests.mcp import ToolCaller
from tests.patience import patient
from tests.rights import write_kubeconfig

pytestmark = pytest.mark.cluster
RBAC = "/apis/rbac.authorization.k8s.io/v1"
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("k8s_get_resources", {"resource_type": "pods", "resource_name": "lost"}),
    ("k8s_get_pod_logs", {"pod_name": "lost"}),
    ("k8s_execute_command", {"pod_name": "lost", "command": ["id"], "dry_run": True}),
    ("k8s_scale", {"resource_type": "deployments", "name": "lost", "replicas": 1, "dry_run": True}),
    ("k8s_check_service_connectivity", {"service_name": "lost"}),
    ("k8s_describe_resource", {"resource_type": "pods", "resource_name": "lost"}),
]


async def _resident(api: KubeApi, cluster: Cluster, namespace: str, directory: Path) -> Path:
    """A kubeconfig of one who has rights in a namespace only, which is that of the context."""
    await make(api, f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "resident"}})
    subject = {"kind": "ServiceAccount", "name": "resident", "namespace": namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"}
    binding = {"metadata": {"name": "resident"}, "subjects": [subject], "roleRef": role}
    await make(api, f"{RBAC}/namespaces/{namespace}/rolebindings", binding)
    settings = ClusterSettings(kubeconfig=str(cluster.kubeconfig))
    path = await write_kubeconfig(api, settings, namespace, "resident", directory)
    config = yaml.safe_load(path.read_text())
    for entry in config["contexts"]:
        entry["context"]["namespace"] = namespace
    path.write_text(yaml.safe_dump(config))
    return path


async def test_k10_one_rule_for_every_tool(api: KubeApi, cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    path = await _resident(api, cluster, namespace, tmp_path)
    async with Client(assemble(SERVER, KubernetesSettings(kubeconfig=str(path)), patient(approval="off"))) as client:
        tools = ToolCaller(client)
        for tool, arguments in CALLS:
            failed = await tools.fails(tool, **arguments)
            assert failed["code"] == "not_found", (tool, failed)
            assert namespace in failed["message"], (tool, failed)
