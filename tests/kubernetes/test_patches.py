"""Patches of objects and of their status."""

import json
import uuid
from collections.abc import AsyncIterator

import pytest

from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.failures import StatusFailure
from tests.kubernetes.test_manifests import deployment
from tests.mcp import ToolCaller
from tests.waiting import until

pytestmark = pytest.mark.cluster


@pytest.fixture
async def web(api: KubeApi, namespace: str) -> str:
    """A Deployment of no pods; its path."""
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    await api.send("POST", path, (), deployment("web"))
    return f"{path}/web"


@pytest.fixture
async def gadgets(api: KubeApi) -> AsyncIterator[str]:
    """A custom resource without a status subresource; its group."""
    group = f"g{uuid.uuid4().hex[:8]}.example.com"
    name = f"gadgets.{group}"
    names = {"plural": "gadgets", "singular": "gadget", "kind": "Gadget", "listKind": "GadgetList"}
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": name},
        "spec": {"group": group, "scope": "Cluster", "names": names, "versions": [version]},
    }
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    await api.send("POST", path, (), definition)
    yield group
    await api.send("DELETE", f"{path}/{name}")


async def test_strategic_merge_merges_lists_by_name(tools: ToolCaller, api: KubeApi, namespace: str, web: str) -> None:
    sidecar = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "nowhere.invalid/side:1"}]}}}}
    arguments = {"resource_type": "deploy", "resource_name": "web", "namespace": namespace, "patch": sidecar}
    rehearsed = await tools.ok("k8s_patch_resource", **arguments, dry_run=True)
    assert rehearsed["changed"] is True
    assert rehearsed["dry_run"] is True
    assert "+        name: side" in rehearsed["diff"] or "name: side" in rehearsed["diff"]
    assert len((await api.get(web))["spec"]["template"]["spec"]["containers"]) == 1

    done = await tools.ok("k8s_patch_resource", **arguments)
    assert (done["kind"], done["name"], done["namespace"], done["result"]) == (
        "Deployment",
        "web",
        namespace,
        "patched",
    )
    found = await api.get(web)
    assert [container["name"] for container in found["spec"]["template"]["spec"]["containers"]] == ["side", "main"]
    assert "status" not in done["diff"]
    assert "resourceVersion" not in done["diff"]

    again = await tools.ok("k8s_patch_resource", **arguments)
    assert again["changed"] is False
    assert again["result"] == "unchanged"
    assert "diff" not in again


async def test_each_type_of_patch(tools: ToolCaller, api: KubeApi, namespace: str, web: str) -> None:
    target = {"resource_type": "deployments", "resource_name": "web", "namespace": namespace}
    merge = {"metadata": {"labels": {"a": "1"}}}
    assert (await tools.ok("k8s_patch_resource", **target, patch=merge, patch_type="merge"))["changed"]
    operations = [{"op": "replace", "path": "/metadata/labels/a", "value": "2"}]
    assert (await tools.ok("k8s_patch_resource", **target, patch=operations))["changed"]
    assert (await api.get(web))["metadata"]["labels"] == {"a": "2"}
    operations[0]["value"] = "3"
    assert (await tools.ok("k8s_patch_resource", **target, patch=json.dumps(operations), patch_type="json"))["changed"]
    yaml_text = "metadata:\n  labels:\n    a: '4'\n"
    assert (await tools.ok("k8s_patch_resource", **target, patch=yaml_text))["changed"]
    assert (await api.get(web))["metadata"]["labels"] == {"a": "4"}


async def test_patches_of_the_wrong_shape(tools: ToolCaller, namespace: str, web: str) -> None:
    target = {"resource_type": "deployments", "resource_name": "web", "namespace": namespace}
    for patch, patch_type, said in [
        ([{"op": "add", "path": "/a", "value": 1}], "merge", "not a list"),
        ([{"op": "add", "path": "/a", "value": 1}], "strategic", "not a list"),
        ({"spec": {}}, "json", "list of operations"),
        ([{"op": "set", "path": "/a", "value": 1}], "json", "patch[0]: op is 'set', not one of add, remove"),
        ([{"op": "add", "path": "a", "value": 1}], "json", "starts with '/'"),
        ([{"op": "add", "path": "/a"}], "json", "patch[0]: add needs a value"),
        (["x"], "json", "patch[0]: an operation is an object"),
        ("just text", None, "not str"),
        ("a: [", None, "line"),
        ({"spec": {"replicaz": 1}}, None, "spec.replicaz"),
        ({"spec": {"replicaz": 1}}, "merge", "spec.replicaz"),
        ([{"op": "add", "path": "/spec/replicaz", "value": 1}], "json", "spec.replicaz"),
        ({"spec": {"replicas": "many"}}, "merge", "replicas"),
        ([{"op": "remove", "path": "/spec/nothing"}], "json", "do not fit Deployment web as it is"),
        ([{"op": "test", "path": "/spec/replicas", "value": 9}], "json", "a test does not hold"),
        ({"spec": {"replicas": -1}}, "merge", "spec.replicas"),
    ]:
        arguments = {"patch": patch, **({"patch_type": patch_type} if patch_type else {})}
        failed = await tools.fails("k8s_patch_resource", **target, **arguments)
        assert failed["code"] == "bad_argument", (patch, failed)
        assert said in failed["message"], (patch, failed)
        assert "managedFields" not in failed["message"]
        if "replicaz" in said:
            assert "did you mean replicas" in failed["hint"]


async def test_failures_do_not_repeat_the_object(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"odd": "hunter2-hunter2"}}
    await api.send("POST", f"/api/v1/namespaces/{namespace}/secrets", (), secret)
    target = {"resource_type": "secret", "resource_name": "s", "namespace": namespace}
    failed = await tools.fails("k8s_patch_resource", **target, patch={"dta": {"a": "b"}}, patch_type="merge")
    assert failed["code"] == "bad_argument"
    assert "aHVudGVyMi1odW50ZXIy" not in json.dumps(failed)
    assert "dta" in failed["message"]
    assert len(failed["message"]) < 200
    failed = await tools.fails("k8s_patch_resource", **target, patch={"data": {"odd": "[hidden:3f9c]"}})
    assert failed["code"] == "bad_argument"
    assert "data.odd" in failed["message"]


async def test_absent_objects_and_kinds(tools: ToolCaller, namespace: str, web: str) -> None:
    failed = await tools.fails(
        "k8s_patch_resource", resource_type="deployments", resource_name="wep", namespace=namespace, patch={"spec": {}}
    )
    assert failed["code"] == "not_found"
    assert "web" in failed["hint"]
    failed = await tools.fails("k8s_patch_resource", resource_type="deploymnt", resource_name="web", patch={"spec": {}})
    assert failed["code"] == "not_found"
    failed = await tools.fails(
        "k8s_patch_resource", resource_type="deployment", resource_name="a/b", patch={"spec": {}}
    )
    assert failed["code"] == "bad_argument"


async def test_custom_resources_merge_and_refuse_strategic(tools: ToolCaller, api: KubeApi, gadgets: str) -> None:
    manifest = {"apiVersion": f"{gadgets}/v1", "kind": "Gadget", "metadata": {"name": "one.with.dots"}}
    listing = f"/apis/{gadgets}/v1/gadgets"
    await until_served(api, listing)
    await api.send("POST", listing, (), manifest)
    target = {"resource_type": f"gadgets.{gadgets}", "resource_name": "one.with.dots"}
    done = await tools.ok("k8s_patch_resource", **target, patch={"spec": {"size": 1}})
    assert done["changed"] is True
    assert "namespace" not in done
    failed = await tools.fails("k8s_patch_resource", **target, patch={"spec": {"size": 2}}, patch_type="strategic")
    assert failed["code"] == "bad_argument"
    assert failed["hint"] == "use patch_type merge or json"
    failed = await tools.fails("k8s_patch_status", **target, patch={"phase": "x"})
    assert failed["code"] == "bad_argument"
    assert "no status subresource" in failed["message"]


async def until_served(api: KubeApi, path: str) -> None:
    async def served() -> bool:
        try:
            await api.get(path)
        except StatusFailure:
            return False
        return True

    await until(served, what=f"{path} is served")


async def test_status(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "main", "image": "nowhere.invalid/app:1"}], "nodeSelector": {"no": "where"}},
    }
    await api.send("POST", f"/api/v1/namespaces/{namespace}/pods", (), pod)
    target = {"resource_type": "pod", "resource_name": "p", "namespace": namespace}
    rehearsed = await tools.ok("k8s_patch_status", **target, patch={"status": {"reason": "Tested"}}, dry_run=True)
    assert "+  reason: Tested" in rehearsed["diff"]
    assert (await api.get(f"/api/v1/namespaces/{namespace}/pods/p"))["status"].get("reason") is None
    done = await tools.ok("k8s_patch_status", **target, patch={"reason": "Tested"})
    assert done["changed"] is True
    assert (await api.get(f"/api/v1/namespaces/{namespace}/pods/p"))["status"]["reason"] == "Tested"
    failed = await tools.fails("k8s_patch_status", **target, patch={"status": {"reson": "x"}})
    assert failed["code"] == "bad_argument"
    assert "status.reson: did you mean reason?" in failed["hint"]
    failed = await tools.fails("k8s_patch_status", **target, patch=[{"op": "remove", "path": "/status/reason"}])
    assert failed["code"] == "bad_argument"
    ignored = await tools.ok("k8s_patch_resource", **target, patch={"status": {"message": "x"}})
    assert "k8s_patch_status" in ignored["warnings"][0]


async def test_no_status_subresource(tools: ToolCaller, namespace: str) -> None:
    failed = await tools.fails(
        "k8s_patch_status",
        resource_type="configmap",
        resource_name="kube-root-ca.crt",
        namespace=namespace,
        patch={"a": 1},
    )
    assert failed["code"] == "bad_argument"
    assert "this kind has no status subresource" in failed["message"]
