"""First drafts of manifests: facts of the description, the cluster's schema, the server's dry run."""

import re
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastmcp import Client

from kmcp_kubernetes.drafts import skeletons
from kmcp_kubernetes.drafts.intent import facts_of
from kmcp_kubernetes.server import SERVER
from kmcp_kubernetes.settings import KubernetesSettings
from kmcp_runtime.engine.assembly import assemble
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.failures import StatusFailure
from tests.hiding import without_groups
from tests.mcp import ToolCaller
from tests.patience import patient
from tests.rights import holding
from tests.waiting import until

BUILT_IN = [
    "pod",
    "deployment",
    "statefulset",
    "daemonset",
    "job",
    "cronjob",
    "service",
    "configmap",
    "secret",
    "ns",
    "sa",
    "pvc",
    "resourcequota",
    "ingress",
    "networkpolicy",
    "hpa",
    "pdb",
    "role",
    "clusterrole",
    "rolebinding",
    "clusterrolebinding",
]


async def drafted(tools: ToolCaller, resource_type: str, description: str) -> tuple[Any, dict[str, Any]]:
    """The draft as an object, and the whole answer."""
    told = await tools.ok("k8s_generate_resource", resource_type=resource_type, resource_description=description)
    return yaml.safe_load(told["yaml"]), told


@pytest.mark.cluster
async def test_facts_reach_their_fields(tools: ToolCaller) -> None:
    found, told = await drafted(
        tools,
        "deployment",
        "A deployment named web in namespace default running nginx:1.27 with three replicas, listening on port 8080, "
        "256Mi of memory, 200m cpu, tier=front LOG_LEVEL=debug, spec.minReadySeconds=5",
    )
    assert told["placeholders"] == []
    assert told["server_dry_run"] == "passed"
    assert told["schema_source"] == "curated example and /openapi/v3/apis/apps/v1"
    assert "warnings" not in told
    assert found["metadata"] == {"name": "web", "namespace": "default", "labels": {"tier": "front", "app": "web"}}
    assert found["spec"]["replicas"] == 3
    assert found["spec"]["minReadySeconds"] == 5
    assert found["spec"]["selector"]["matchLabels"] == {"app": "web"}
    container = found["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "nginx:1.27"
    assert container["ports"] == [{"containerPort": 8080}]
    assert container["env"] == [{"name": "LOG_LEVEL", "value": "debug"}]
    assert container["resources"]["requests"] == {"cpu": "200m", "memory": "256Mi"}


@pytest.mark.cluster
@pytest.mark.parametrize("resource_type", BUILT_IN)
async def test_every_curated_kind_passes_the_dry_run(tools: ToolCaller, resource_type: str) -> None:
    name = f"g-{uuid.uuid4().hex[:8]}"
    _, told = await drafted(tools, resource_type, "")
    assert told["server_dry_run"] == "passed", told
    assert "metadata.name" in [placeholder["path"] for placeholder in told["placeholders"]]
    again, told = await drafted(tools, resource_type, f"named {name}")
    assert again["metadata"]["name"] == name
    assert told["server_dry_run"] == "passed", told
    assert told == (await drafted(tools, resource_type, f"named {name}"))[1]


@pytest.mark.cluster
async def test_placeholders_say_where_and_why(tools: ToolCaller) -> None:
    found, told = await drafted(tools, "pod", "named p")
    assert told["placeholders"][0] == {
        "path": "spec.containers[0].image",
        "why": "no image in the description (image …)",
    }
    amounts = {each["path"].partition(".resources.")[2] for each in told["placeholders"][1:]}
    assert amounts == {"requests.cpu", "requests.memory", "limits.memory"}
    assert found["spec"]["containers"][0]["image"] == "registry.example/app:1.0"


@pytest.mark.cluster
async def test_kinds_without_an_example_come_from_the_schema(tools: ToolCaller) -> None:
    found, told = await drafted(tools, "priorityclass", "named high value=1000")
    assert found == {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": "high"},
        "value": 1000,
    }
    assert told["server_dry_run"] == "passed"
    found, told = await drafted(tools, "endpointslices", "named e")
    assert found["addressType"] in ("IPv4", "IPv6", "FQDN")
    assert told["placeholders"][0]["path"] == "addressType"
    assert "IPv4" in told["placeholders"][0]["why"]
    found, told = await drafted(tools, "storageclass", "named fast provisioner=example.com/disks")
    assert found["provisioner"] == "example.com/disks"
    assert told["server_dry_run"] == "passed"


@pytest.mark.cluster
async def test_a_failed_dry_run_is_a_warning(tools: ToolCaller) -> None:
    found, told = await drafted(tools, "limitrange", "named l")
    assert found["kind"] == "LimitRange"
    assert told["server_dry_run"] == "failed"
    assert "spec.limits[0].type" in told["warnings"][0]
    _, told = await drafted(tools, "configmap", "named c in namespace nowhere-at-all a=1")
    assert told["server_dry_run"] == "failed"
    assert "nowhere-at-all" in told["warnings"][0]


@pytest.mark.cluster
async def test_what_exists_is_no_fault(tools: ToolCaller, namespace: str) -> None:
    _, told = await drafted(tools, "configmap", f"named kube-root-ca.crt namespace {namespace} a=1")
    assert told["server_dry_run"] == "passed"
    assert "already exists" in told["warnings"][0]


@pytest.fixture
async def undefined(api: KubeApi, tmp_path: Path) -> AsyncIterator[ToolCaller]:
    """The server where Istio, Argo Rollouts and the Gateway API are not installed."""
    groups = {full_name.partition(".")[2] for full_name in skeletons.LEGACY.values()}
    async with without_groups(api, tmp_path, *groups) as kubeconfig:
        server = assemble(SERVER, KubernetesSettings(kubeconfig=str(kubeconfig)), patient(approval="off"))
        async with Client(server) as client:
            yield ToolCaller(client)


@pytest.mark.cluster
@pytest.mark.parametrize("resource_type", skeletons.LEGACY)
async def test_legacy_types_without_their_definitions(undefined: ToolCaller, resource_type: str) -> None:
    found, told = await drafted(undefined, resource_type, "named web")
    kind, _, group = skeletons.LEGACY[resource_type].partition(".")
    assert found["kind"] == kind
    assert found["apiVersion"].startswith(f"{group}/")
    assert found["metadata"]["name"] == "web"
    assert told["server_dry_run"] == "not_run"
    assert group in told["warnings"][0]
    assert "CustomResourceDefinition" in told["warnings"][0]


@pytest.mark.cluster
async def test_absent_kinds(undefined: ToolCaller) -> None:
    found, _ = await drafted(undefined, "virtualservice", "host a.example.com to reviews:9080")
    assert found["spec"]["hosts"] == ["a.example.com"]
    destination = found["spec"]["http"][0]["route"][0]["destination"]
    assert destination == {"host": "reviews", "port": {"number": 9080}}
    ambiguous = await undefined.fails("k8s_generate_resource", resource_type="gateway", resource_description="x")
    assert ambiguous["code"] == "bad_argument"
    assert "istio_gateway" in ambiguous["message"]
    unknown = await undefined.fails("k8s_generate_resource", resource_type="deploymnt", resource_description="x")
    assert unknown["code"] == "not_found"
    assert "deployments" in unknown["hint"]


@pytest.fixture
async def definition(api: KubeApi) -> AsyncIterator[str]:
    """A custom kind with required fields; its group."""
    group = f"g{uuid.uuid4().hex[:8]}.example.com"
    spec = {
        "type": "object",
        "required": ["size", "mode", "parts"],
        "properties": {
            "size": {"type": "integer", "minimum": 3},
            "mode": {"type": "string", "enum": ["slow", "fast"]},
            "colour": {"type": "string"},
            "parts": {
                "type": "array",
                "minItems": 1,
                "items": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
            },
        },
    }
    schema = {"type": "object", "properties": {"spec": spec}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": "gizmos", "singular": "gizmo", "kind": "Gizmo", "listKind": "GizmoList"}
    body = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"gizmos.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
    }
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    await api.send("POST", path, (), body)
    await until(lambda: published(api, group), what="the schema is published")
    yield group
    await api.send("DELETE", f"{path}/gizmos.{group}")


async def published(api: KubeApi, group: str) -> bool:
    try:
        await api.get(f"/apis/{group}/v1/gizmos")
        document = await api.get(f"/openapi/v3/apis/{group}/v1")
    except StatusFailure:
        return False
    return any(name.endswith(".Gizmo") for name in document["components"]["schemas"])


@pytest.mark.cluster
async def test_custom_kinds(tools: ToolCaller, definition: str) -> None:
    found, told = await drafted(tools, f"gizmos.{definition}", "named one colour=red team=blue")
    assert found["apiVersion"] == f"{definition}/v1"
    assert found["metadata"] == {"name": "one", "labels": {"team": "blue"}}
    assert found["spec"] == {"mode": "slow", "parts": [{"name": "example"}], "size": 3, "colour": "red"}
    assert {placeholder["path"] for placeholder in told["placeholders"]} == {
        "spec.mode",
        "spec.parts[0].name",
        "spec.size",
    }
    assert told["server_dry_run"] == "passed"
    explained = await tools.ok("k8s_explain", resource_type=f"gizmos.{definition}", field_path="spec")
    assert explained["required"] == ["size", "mode", "parts"]


@pytest.mark.cluster
async def test_without_the_right_to_create(
    api: KubeApi, settings: KubernetesSettings, namespace: str, tmp_path: Path
) -> None:
    async with holding(api, SERVER, settings, namespace, (), tmp_path) as reading:
        _, told = await drafted(reading, "deployment", f"named web namespace {namespace} image nginx:1")
        assert told["server_dry_run"] == "not_run"
        assert "right to create deployments.apps" in told["hint"]
        assert "warnings" not in told
        await reading.ok("k8s_explain", resource_type="deployment")


@pytest.mark.cluster
async def test_values_of_a_secret_stay_hidden(tools: ToolCaller) -> None:
    found, told = await drafted(tools, "secret", "named s password=hunter2")
    assert found["stringData"]["password"].startswith("[hidden")
    assert "not shown" in told["warnings"][0]


@pytest.mark.parametrize(
    ("description", "facts"),
    [
        ("called Web, image ghcr.io/org/app:v1.2", {"name": "web", "image": "ghcr.io/org/app:v1.2"}),
        ("image: host.example:5000/a/b@sha256:" + "0" * 64, {"image": "host.example:5000/a/b@sha256:" + "0" * 64}),
        ("the nginx image", {"image": "nginx"}),
        ("run redis:7 please", {"image": "redis:7"}),
        ("port 80 to 8080", {"port": 80, "target_port": 8080}),
        ("ports: 443", {"port": 443}),
        ("80:8080", {"port": 80, "target_port": 8080}),
        ("53/udp", {"port": 53, "protocol": "UDP"}),
        ("two replicas", {"replicas": 2}),
        ("replicas: 4", {"replicas": 4}),
        ("replicas=4 image=a/b:1", {"replicas": 4, "image": "a/b:1"}),
        ("every 10 minutes", {"schedule": "*/10 * * * *"}),
        ("nightly", {"schedule": "0 0 * * *"}),
        ('at "30 2 * * 1-5"', {"schedule": "30 2 * * 1-5"}),
        ("between 2 and 8 replicas at 60%", {"min": 2, "max": 8, "percent": 60}),
        ("min 2 max 8", {"min": 2, "max": 8}),
        ("in the team-a namespace", {"namespace": "team-a"}),
        ("from namespace front in namespace back", {"from_namespace": "front", "namespace": "back"}),
        ("host shop.example.com path /api", {"host": "shop.example.com", "path": "/api"}),
        ("routes to api:8080", {"service": "api", "port": 8080}),
        ("a load balancer", {"service_type": "LoadBalancer"}),
        ("headless", {"cluster_ip": "None"}),
        ("deny GET, POST", {"policy_action": "DENY", "methods": ["GET", "POST"]}),
        ("20Gi rwx", {"size": "20Gi", "access_mode": "ReadWriteMany"}),
        ("permissive", {"mtls": "PERMISSIVE"}),
        ("nginx 1.27", {"image": "nginx:1.27"}),
        ("nginx version 1.25.3, 2 replicas", {"image": "nginx:1.25.3", "replicas": 2}),
        ("redis latest", {"image": "redis:latest"}),
        ("redis 3 replicas", {"image": "redis", "replicas": 3}),
        ("nginx 2 cpus", {"image": "nginx", "cpu": "2"}),
        ("postgres 16 with 2 replicas", {"image": "postgres:16", "replicas": 2}),
        ("python 3.12-slim", {"image": "python:3.12-slim"}),
        ("image ghcr.io/org/app, version 2.3.1", {"image": "ghcr.io/org/app:2.3.1"}),
        ("ghcr.io/org/app tag v2", {"image": "ghcr.io/org/app:v2"}),
        ("host.example:5000/a/b:1", {"image": "host.example:5000/a/b:1"}),
        ("three nginx pods", {"replicas": 3}),
        ("scaled to 4", {"replicas": 4}),
        ("replica count of 5", {"replicas": 5}),
        ("port 80 for web pods", {"replicas": None, "port": 80}),
        ("exposing 8080", {"port": 8080}),
        ("ports 80, 443 and 8443", {"ports": [80, 443, 8443]}),
        ("env mode=fast and LOG_LEVEL=debug", {"variables": {"mode": "fast", "LOG_LEVEL": "debug"}, "given_pairs": {}}),
        ("environment variable mode set to fast", {"variables": {"mode": "fast"}}),
        ("LOG_LEVEL set to debug", {"variables": {"LOG_LEVEL": "debug"}}),
        ("runs `pg_dump db > /x`", {"command": ["sh", "-c", "pg_dump db > /x"]}),
        ("runs /bin/backup.sh", {"command": ["/bin/backup.sh"]}),
        ("memory_limit=1Gi limits.cpu=2", {"memory_limit": "1Gi", "cpu_limit": "2", "given_pairs": {}}),
        ('a=1 B="two words" port=http', {"given_pairs": {"a": "1", "B": "two words", "port": "http"}}),
        ("", {"given_pairs": {}}),
    ],
)
def test_facts(description: str, facts: dict[str, Any]) -> None:
    found = facts_of(description)
    assert {name: found.get(name) for name in facts} == facts


def test_nothing_is_read_into_plain_words() -> None:
    found = facts_of("A service for the frontend that is exposed to the world in the cluster")
    assert found == {"given_pairs": {}}


def test_every_expression_of_the_skeletons_is_known() -> None:
    """A misspelt fact would stay unfilled for ever."""
    text = (Path(skeletons.__file__).parent / "skeletons.yaml").read_text()
    book = yaml.safe_load(text)
    for key, skeleton in book["skeletons"].items():
        draft, placeholders = skeletons.settled(skeletons.from_example(key, facts_of("")))
        assert draft["kind"] == skeleton["kind"]
        assert not re.search(r"\$~?[a-z]", yaml.safe_dump(draft)), key
        assert all(placeholder.path for placeholder in placeholders)
