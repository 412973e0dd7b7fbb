"""k8s_get_cluster_configuration and k8s_can_i: where this server is connected and what it may do there."""

import json
from pathlib import Path

import pytest
import yaml
from fastmcp import Client

from kmcp_kubernetes.server import SERVER
from kmcp_kubernetes.settings import KubernetesSettings
from kmcp_runtime import Rule
from kmcp_runtime.engine.assembly import assemble
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.settings import ClusterSettings
from tests.cluster.model import Cluster
from tests.kubernetes.making import make
from tests.mcp import ToolCaller
from tests.patience import patient
from tests.rights import granted, write_kubeconfig

pytestmark = pytest.mark.cluster
RBAC = "/apis/rbac.authorization.k8s.io/v1"


async def test_the_configuration_without_credentials(tools: ToolCaller, cluster: Cluster) -> None:
    found = await tools.ok("k8s_get_cluster_configuration")
    assert found["server_version"] == cluster.version
    assert found["in_cluster"] is False
    current = next(each for each in found["contexts"] if each["name"] == found["current_context"])
    assert current["server"] == cluster.server()
    assert set(current) == {"name", "cluster", "server", "namespace", "auth"}
    assert "BEGIN" not in json.dumps(found)


async def test_an_unreachable_cluster_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "config"
    context = {"name": "lost", "context": {"cluster": "c", "user": "u", "namespace": "here"}}
    content = {
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"token": "hunter2hunter2"}}],
        "contexts": [context],
        "current-context": "lost",
    }
    path.write_text(yaml.safe_dump(content))
    async with Client(assemble(SERVER, KubernetesSettings(kubeconfig=str(path)), patient())) as client:
        found = await ToolCaller(client).ok("k8s_get_cluster_configuration")
    assert found["contexts"] == [
        {"name": "lost", "cluster": "c", "server": "http://127.0.0.1:1", "namespace": "here", "auth": "token"}
    ]
    assert "server_version" not in found
    assert "does not answer" in found["warnings"][0]
    assert "hunter2" not in json.dumps(found)


async def _caller_of(api: KubeApi, cluster: Cluster, namespace: str, directory: Path) -> Path:
    """A kubeconfig of a service account that may read pods and their logs in its namespace, and nothing else."""
    await make(api, f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "reader"}})
    rules = [{"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "list"]}]
    await make(api, f"{RBAC}/namespaces/{namespace}/roles", {"metadata": {"name": "reader"}, "rules": rules})
    subject = {"kind": "ServiceAccount", "name": "reader", "namespace": namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"}
    binding = {"metadata": {"name": "reader"}, "subjects": [subject], "roleRef": role}
    await make(api, f"{RBAC}/namespaces/{namespace}/rolebindings", binding)
    settings = ClusterSettings(kubeconfig=str(cluster.kubeconfig))
    return await write_kubeconfig(api, settings, namespace, "reader", directory)


async def test_rights_of_an_administrator(tools: ToolCaller, namespace: str) -> None:
    yes = await tools.ok("k8s_can_i", verb="delete", resource_type="deploy", namespace=namespace)
    assert (yes["allowed"], yes["namespace"]) == (True, namespace)
    assert (await tools.ok("k8s_can_i", verb="*", resource_type="*"))["allowed"] is True
    assert "namespace" not in await tools.ok("k8s_can_i", verb="list", resource_type="nodes")
    rules = (await tools.ok("k8s_can_i", namespace=namespace))["rules"]
    assert {"verbs": ["*"], "groups": ["*"], "resources": ["*"]} in rules


async def test_rights_of_a_reader(api: KubeApi, cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    path = await _caller_of(api, cluster, namespace, tmp_path)
    async with Client(assemble(SERVER, KubernetesSettings(kubeconfig=str(path)), patient())) as client:
        tools = ToolCaller(client)
        here = {"namespace": namespace}
        assert (await tools.ok("k8s_can_i", verb="list", resource_type="pods", **here))["allowed"] is True
        assert (await tools.ok("k8s_can_i", verb="get", resource_type="pods", subresource="log", **here))[
            "allowed"
        ] is True
        assert (await tools.ok("k8s_can_i", verb="get", resource_type="pods/log", **here))["allowed"] is True
        no = await tools.ok("k8s_can_i", verb="delete", resource_type="pods", resource_name="x", **here)
        assert no["allowed"] is False
        assert no["reason"]
        assert (await tools.ok("k8s_can_i", verb="list", resource_type="pods", namespace="kube-system"))[
            "allowed"
        ] is False
        rules = (await tools.ok("k8s_can_i", **here))["rules"]
        assert {"verbs": ["get", "list"], "groups": [""], "resources": ["pods", "pods/log"]} in rules
        refused = await tools.fails("k8s_get_resources", resource_type="secrets", **here)
        assert refused["code"] == "forbidden"
        assert "secrets" in refused["message"]
        assert "k8s_can_i" in refused["hint"]


async def test_half_a_question_is_refused(tools: ToolCaller, namespace: str) -> None:
    for arguments in ({"verb": "get"}, {"resource_type": "pods"}, {"resource_name": "x"}, {"subresource": "log"}):
        assert (await tools.fails("k8s_can_i", **arguments))["code"] == "bad_argument"
    unknown = await tools.fails("k8s_can_i", verb="get", resource_type="podz")
    assert unknown["code"] == "not_found"
    scoped = await tools.fails("k8s_can_i", verb="get", resource_type="nodes", namespace=namespace)
    assert scoped["code"] == "bad_argument"


async def test_can_i_is_an_extra(settings: KubernetesSettings) -> None:
    async with Client(assemble(SERVER, settings, patient(extras=False))) as client:
        names = {tool.name for tool in await client.list_tools()}
    assert not names & {"k8s_can_i", "k8s_top"}
    assert "k8s_get_resources" in names


async def test_g23_rights_of_others(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    rules = (Rule("", ("configmaps",), ("list",)),)
    async with granted(api, namespace, rules) as name:
        asked = {"verb": "list", "resource_type": "configmaps", "namespace": namespace}
        for subject in (f"{namespace}:{name}", f"system:serviceaccount:{namespace}:{name}"):
            yes = await tools.ok("k8s_can_i", **asked, subject=subject)
            assert (yes["allowed"], yes["subject"]) == (True, f"system:serviceaccount:{namespace}:{name}")
            assert "warnings" not in yes
        no = await tools.ok("k8s_can_i", **{**asked, "verb": "delete"}, subject=f"{namespace}:{name}")
        assert (no["allowed"], no["reason"]) == (False, "no rule allows it")
        bare = await tools.ok("k8s_can_i", **asked, subject=name)
        assert (bare["allowed"], bare["warnings"]) == (
            False,
            [f"asked about a user {name}; the ServiceAccount is {namespace}:{name}"],
        )
    user = await tools.ok("k8s_can_i", **asked, subject="alice@example.org")
    assert (user["allowed"], user["subject"]) == (False, "alice@example.org")
    scheduler = await tools.ok("k8s_can_i", verb="list", resource_type="pods", subject="system:kube-scheduler")
    assert (scheduler["allowed"], scheduler["subject"]) == (True, "system:kube-scheduler")
    absent = await tools.ok("k8s_can_i", **asked, subject=f"{namespace}:nobody")
    assert absent["warnings"] == [f"there is no ServiceAccount nobody in namespace {namespace}"]
    assert "verb" in (await tools.fails("k8s_can_i", subject="alice", namespace=namespace))["hint"]
