"""What kubectl shows is not hidden, and what nothing has is said (G1 to G8, G17, G24)."""

import json
import uuid
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from kmcp_runtime import ERROR_META, read_yaml
from kmcp_runtime.kube.api import KubeApi
from tests.cluster.model import Cluster
from tests.kubernetes.conftest import pod
from tests.kubernetes.making import make
from tests.mcp import ToolCaller, unframed
from tests.waiting import until

pytestmark = pytest.mark.cluster


async def config_map(api: KubeApi, namespace: str) -> dict[str, Any]:
    metadata = {"name": "it", "labels": {"example.org/team": "a"}}
    await make(api, f"/api/v1/namespaces/{namespace}/configmaps", {"metadata": metadata, "data": {"k": "v"}})
    return {"resource_type": "configmaps", "selector": "example.org/team=a", "namespace": namespace, "output": "json"}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("{.metadata.name}", "it"),
        (".metadata.name", "it"),
        ("$.metadata.name", "it"),
        ("metadata.name", "it"),
        ("{.metadata.labels.example\\.org/team}", "a"),
        ("metadata.labels['example.org/team']", "a"),
        ('metadata.labels["example.org/team"]', "a"),
        ("{.data}", {"k": "v"}),
    ],
)
async def test_g1_paths_of_kubectl(tools: ToolCaller, api: KubeApi, namespace: str, path: str, value: Any) -> None:
    found = await tools.ok("k8s_get_resources", **await config_map(api, namespace), fields=[path])
    assert found["items"] == [{path: value}]
    assert "warnings" not in found


async def test_g1_indexes_and_paths_that_nothing_has(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    await make(api, f"/api/v1/namespaces/{namespace}/pods", pod("web", "nowhere.invalid/app:1"))
    fields = ["{.spec.containers[0].image}", "{.spec.containers[*].name}", "spec.containers[7].image", "spec.nodename"]
    of_it = {"resource_type": "pods", "namespace": namespace, "output": "json"}
    found = await tools.ok("k8s_get_resources", **of_it, fields=fields)
    assert found["items"][0][fields[0]] == "nowhere.invalid/app:1"
    assert found["items"][0][fields[1]] == ["main"]
    assert "spec.containers[7].image, spec.nodename" in found["warnings"][0]
    refused = await tools.fails("k8s_get_resources", **of_it, fields=["spec.containers["])
    assert refused["code"] == "bad_argument"


async def test_g2_a_name_goes_with_nothing_else(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    await config_map(api, namespace)
    named = {"resource_type": "configmaps", "resource_name": "it"}
    for extra in ({"selector": "a=b", "namespace": namespace}, {"all_namespaces": True}):
        assert (await tools.fails("k8s_get_resources", **named, **extra))["code"] == "bad_argument"
    found = await tools.ok("k8s_get_resources", resource_type="configmap/it", namespace=namespace, output="names")
    assert found["items"] == ["it"]
    everywhere = {"resource_type": "configmaps", "all_namespaces": True, "selector": "example.org/team=a"}
    table = await tools.ok("k8s_get_resources", **everywhere, fields=["Namespace", "Name"])
    assert [namespace, "it"] in table["items"]


async def test_g3_a_pod_of_a_workload_as_kubectl_shows_it(
    tools: ToolCaller, api: KubeApi, cluster: Cluster, namespace: str
) -> None:
    body = pod("x", "nowhere.invalid/app:1", nodeSelector={"nobody": "has"})
    template = {"metadata": body["metadata"], "spec": {**body["spec"]}}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "x"}}, "template": template}
    await make(api, f"/apis/apps/v1/namespaces/{namespace}/deployments", {"metadata": {"name": "x"}, "spec": spec})

    async def line() -> str:
        of_it = {"resource_type": "deployment", "resource_name": "x", "namespace": namespace}
        related = (await tools.ok("k8s_describe_resource", **of_it))["related"]
        return next((each["state"] for each in related if each["kind"] == "Pod"), "")

    async def is_refused() -> bool:
        return "Unschedulable" in await line()

    await until(is_refused)
    assert (await line()).startswith("Pending, 0/1 ready")


async def test_g4_g7_g17_what_a_pod_declares(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    claim = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
        "storageClassName": "none",
    }
    claims = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"
    await make(api, claims, {"metadata": {"name": "data"}, "spec": claim})
    body = pod("web", "nowhere.invalid/app:1", "/bin/sh", "-c", nodeSelector={"nobody": "has"})
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]
    volumes.append({"name": "w", "persistentVolumeClaim": {"claimName": "absent"}})
    toleration = {"key": "dedicated", "operator": "Equal", "value": "db", "effect": "NoSchedule"}
    body["spec"] |= {"volumes": volumes, "tolerations": [toleration]}
    body["spec"]["containers"][0] |= {
        "args": ["nonexistent_command"],
        "envFrom": [{"configMapRef": {"name": "settings"}, "prefix": "P_"}, {"secretRef": {"name": "keys"}}],
        "volumeMounts": [{"name": "v", "mountPath": "/data", "subPath": "sub", "readOnly": True}],
    }
    await make(api, f"/api/v1/namespaces/{namespace}/pods", body)
    of_it = {"resource_type": "pod", "resource_name": "web", "namespace": namespace}
    found = await tools.ok("k8s_describe_resource", **of_it)
    (container,) = found["details"]["containers"]
    assert container["command"] == ["/bin/sh", "-c"]
    assert container["args"] == ["nonexistent_command"]
    assert container["env_from"] == ["ConfigMap settings, prefix P_", "Secret keys"]
    assert container["mounts"][0] == "/data from v, path sub, read-only"
    assert "dedicated=db:NoSchedule" in found["details"]["tolerations"]
    states = {each["name"]: each["state"] for each in found["related"] if each["kind"] == "PersistentVolumeClaim"}
    assert (states["data"].partition(",")[0], states["absent"]) == ("Pending", "not found")


def limited(name: str, **limits: str) -> str:
    container = {"name": "main", "image": "none", "resources": {"limits": limits} if limits else {}}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [container]}}
    return json.dumps(body)


POLICY = {
    "matchConstraints": {
        "resourceRules": [
            {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["services"]}
        ]
    },
    "validations": [{"expression": "false", "message": "never"}],
}
WEBHOOK = {
    "name": "nobody.example.org",
    "clientConfig": {"url": "https://127.0.0.1:1/"},
    "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["secrets"]}],
    "sideEffects": "None",
    "admissionReviewVersions": ["v1"],
}
REGISTRATION = "/apis/admissionregistration.k8s.io/v1"


async def guard(api: KubeApi, namespace: str, name: str) -> None:
    """A quota, a limit range, a Pod Security level, a policy and a webhook that nobody serves, for one namespace."""
    core = f"/api/v1/namespaces/{namespace}"
    here = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    limits = [{"type": "Container", "max": {"cpu": "1"}}]
    await make(api, f"{core}/limitranges", {"metadata": {"name": "l"}, "spec": {"limits": limits}})
    hard = {"hard": {"configmaps": "0"}}
    await make(api, f"{core}/resourcequotas", {"metadata": {"name": "q"}, "spec": hard})
    binding = {"policyName": name, "validationActions": ["Deny"], "matchResources": {"namespaceSelector": here}}
    await make(api, f"{REGISTRATION}/validatingadmissionpolicies", {"metadata": {"name": name}, "spec": POLICY})
    await make(api, f"{REGISTRATION}/validatingadmissionpolicybindings", {"metadata": {"name": name}, "spec": binding})
    hooks = [{**WEBHOOK, "namespaceSelector": here}]
    collection = f"{REGISTRATION}/validatingwebhookconfigurations"
    await make(api, collection, {"metadata": {"name": name}, "webhooks": hooks})
    level = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    await api.send("PATCH", f"/api/v1/namespaces/{namespace}", (), level, "application/merge-patch+json")


@pytest.fixture
async def guarded(api: KubeApi, namespace: str) -> AsyncIterator[str]:
    name = f"kmcp-{uuid.uuid4().hex[:6]}"
    await guard(api, namespace, name)
    yield namespace
    for plural in ("admissionpolicies", "admissionpolicybindings", "webhookconfigurations"):
        await api.send("DELETE", f"{REGISTRATION}/validating{plural}/{name}")


async def hint_of(tools: ToolCaller, namespace: str, text: str) -> str:
    """The hint of a refused creation; empty while it is not refused."""
    arguments = {"yaml_content": text, "namespace": namespace, "dry_run": True}
    answer = await tools.client.call_tool("k8s_create_resource", arguments, raise_on_error=False)
    return str(((answer.meta or {}).get(ERROR_META) or {}).get("hint", ""))


def contains(words: str, found: str) -> bool:
    return words in found


async def test_g8_what_refuses_besides_rights(tools: ToolCaller, guarded: str) -> None:
    """Each of them by a real API server, which needs a moment until it has seen them."""
    manifest = "apiVersion: v1\nkind: {kind}\nmetadata: {{name: x}}\n"
    service = manifest.format(kind="Service") + "spec: {ports: [{port: 80}]}\n"
    for text, words in (
        (manifest.format(kind="ConfigMap"), "ResourceQuota"),
        (limited("a", cpu="2"), "LimitRange"),
        (limited("b"), "Pod Security"),
        (service, "admission policy"),
        (manifest.format(kind="Secret"), "webhook did not answer"),
    ):
        found = await until(partial(hint_of, tools, guarded, text), partial(contains, words), 30, words)
        assert "k8s_can_i" not in found


async def test_g8_a_namespace_that_ends(tools: ToolCaller, api: KubeApi) -> None:
    name = f"t-{uuid.uuid4().hex[:8]}"
    body = {"metadata": {"name": "held", "finalizers": ["example.org/held"]}}
    await make(api, "/api/v1/namespaces", {"metadata": {"name": name}})
    await make(api, f"/api/v1/namespaces/{name}/configmaps", body)
    await api.send("DELETE", f"/api/v1/namespaces/{name}")
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: late}\n"
    refused = await tools.fails("k8s_create_resource", yaml_content=text, namespace=name)
    assert "the namespace is being deleted" in refused["hint"]
    path = f"/api/v1/namespaces/{name}/configmaps/held"
    await api.send("PATCH", path, (), {"metadata": {"finalizers": None}}, "application/merge-patch+json")


@pytest.mark.parametrize("output", ["yaml", "json"])
async def test_g19_what_is_called_yaml_is_the_object(
    tools: ToolCaller, api: KubeApi, namespace: str, output: str
) -> None:
    body = pod("web", "nowhere.invalid/app:1", "sh", "-c", "echo a\n--- data\n", schedulerName="none")
    body["spec"] |= {"volumes": [{"name": "v", "emptyDir": {}}], "nodeSelector": {"yes": "1e3"}}
    await make(api, f"/api/v1/namespaces/{namespace}/pods", body)
    of_it = {"resource_type": "pods", "namespace": namespace, "output": output}
    whole = read_yaml(unframed(await tools.text("k8s_get_resources", **of_it)))["items"]
    live = await api.get(f"/api/v1/namespaces/{namespace}/pods/web")
    live["metadata"].pop("managedFields")
    assert whole == [live]
    fields = ["spec.volumes", "spec.containers[*].command", "metadata.labels", "status.nothing"]
    chosen = read_yaml(unframed(await tools.text("k8s_get_resources", **of_it, fields=fields)))["items"]
    assert chosen[0]["spec.volumes"] == live["spec"]["volumes"]
    assert chosen[0]["spec.containers[*].command"] == [["sh", "-c", "echo a\n--- data\n"]]
    assert chosen[0]["status.nothing"] is None
