"""The fields of kinds, from the cluster's own schemas."""

import pytest

from kmcp_runtime.kube.api import KubeApi
from tests.kubernetes.making import custom_kind, make
from tests.mcp import ToolCaller
from tests.waiting import until

pytestmark = pytest.mark.cluster


async def test_a_kind(tools: ToolCaller) -> None:
    told = await tools.ok("k8s_explain", resource_type="deploy")
    assert (told["kind"], told["api_version"], told["path"], told["type"]) == (
        "Deployment",
        "apps/v1",
        "",
        "Deployment",
    )
    assert "Deployment enables declarative updates" in told["description"]
    fields = {field["name"]: field for field in told["fields"]}
    assert list(fields) == ["apiVersion", "kind", "metadata", "spec", "status"]
    assert fields["spec"]["type"] == "DeploymentSpec"
    assert fields["metadata"]["type"] == "ObjectMeta"


async def test_a_field(tools: ToolCaller) -> None:
    told = await tools.ok("k8s_explain", resource_type="deployment", field_path="spec.template.spec.containers")
    assert told["path"] == "spec.template.spec.containers"
    assert told["type"] == "[]Container"
    assert told["required"] == ["name"]
    fields = {field["name"]: field for field in told["fields"]}
    assert fields["name"]["required"] is True
    assert "required" not in fields["image"]
    assert fields["imagePullPolicy"]["enum"] == ["Always", "IfNotPresent", "Never"]
    assert fields["ports"]["type"] == "[]ContainerPort"
    assert all(len(field["description"]) <= 201 for field in told["fields"])


async def test_spellings_of_a_path(tools: ToolCaller) -> None:
    for path in (".spec.containers[0].ports", "spec.containers[].ports", "pod.spec.containers.ports"):
        told = await tools.ok("k8s_explain", resource_type="pod", field_path=path)
        assert told["path"] == "spec.containers.ports"
        assert told["type"] == "[]ContainerPort"


async def test_types(tools: ToolCaller) -> None:
    told = await tools.ok("k8s_explain", resource_type="service", field_path="spec")
    types = {field["name"]: field["type"] for field in told["fields"]}
    assert types["selector"] == "map[string]string"
    assert types["clusterIPs"] == "[]string"
    told = await tools.ok("k8s_explain", resource_type="service", field_path="spec.ports.targetPort")
    assert told["type"] == "IntOrString"
    assert told["fields"] == []
    assert "no fields of its own" in told["hint"]


async def test_depth(tools: ToolCaller) -> None:
    told = await tools.ok("k8s_explain", resource_type="pdb", field_path="spec", depth=3)
    names = [field["name"] for field in told["fields"]]
    assert "selector.matchExpressions.key" in names
    assert names.index("selector") < names.index("selector.matchLabels")
    required = {field["name"] for field in told["fields"] if field.get("required")}
    assert {"selector.matchExpressions.key", "selector.matchExpressions.operator"} <= required
    deep = await tools.ok("k8s_explain", resource_type="pod", depth=5)
    assert deep["truncated"] is True


async def test_a_custom_resource_definitions_own_schema_ends(tools: ToolCaller) -> None:
    told = await tools.ok(
        "k8s_explain", resource_type="crd", field_path="spec.versions.schema.openAPIV3Schema", depth=3
    )
    assert told["type"] == "JSONSchemaProps"


async def test_bad_paths(tools: ToolCaller) -> None:
    failed = await tools.fails(
        "k8s_explain", resource_type="deployment", field_path="spec.template.spec.containrs.image"
    )
    assert failed["code"] == "bad_argument"
    assert "spec.template.spec" in failed["message"]
    assert "containers" in failed["hint"]
    failed = await tools.fails("k8s_explain", resource_type="deployment", field_path="spec.replicas.more")
    assert failed["code"] == "bad_argument"
    assert "no fields" in failed["hint"]
    failed = await tools.fails("k8s_explain", resource_type="deploymnt")
    assert failed["code"] == "not_found"
    for depth in (0, 6):
        assert (await tools.fails("k8s_explain", resource_type="pod", depth=depth))["code"] == "bad_argument"


async def test_a_schema_that_takes_any_field_is_not_said_to_have_none(
    tools: ToolCaller, api: KubeApi, namespace: str
) -> None:
    group = f"{namespace}.example.com"
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    await make(api, definitions, custom_kind("gizmos", group, "Gizmo"))
    about = {"resource_type": f"gizmos.{group}"}
    try:

        async def look() -> bool:
            result = await tools.client.call_tool("k8s_explain", about, raise_on_error=False)
            return not result.is_error

        await until(look, what="the schema of a new kind")
        assert (await tools.ok("k8s_explain", **about))["fields"]
        failed = await tools.fails("k8s_explain", **about, field_path="spec")
        assert failed["code"] == "not_found"
        assert "takes any field" in failed["message"]
    finally:
        await api.send("DELETE", f"{definitions}/gizmos.{group}")
