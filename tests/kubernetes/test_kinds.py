"""k8s_get_available_api_resources: what the cluster serves, filtered and paged."""

import functools
import uuid

import pytest

from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.failures import StatusFailure
from tests.kubernetes.making import custom_kind, make
from tests.mcp import ToolCaller
from tests.paging import brings_each_once
from tests.waiting import until

pytestmark = pytest.mark.cluster
TOOL = "k8s_get_available_api_resources"


async def test_each_kind_once_in_its_preferred_version(tools: ToolCaller) -> None:
    found = await tools.ok(TOOL, limit=500)
    pods = next(item for item in found["items"] if item["name"] == "pods" and item["api_version"] == "v1")
    assert (pods["kind"], pods["namespaced"], pods["short_names"]) == ("Pod", True, ["po"])
    assert {"get", "list", "create", "delete"} <= set(pods["verbs"])
    keys = [(item["name"], item["api_version"].rpartition("/")[0]) for item in found["items"]]
    assert len(keys) == len(set(keys))
    assert (found["returned"], found["total"], found["truncated"]) == (len(keys), len(keys), False)


@pytest.mark.parametrize(
    ("arguments", "name", "absent"),
    [
        ({"group": "apps"}, "deployments", "pods"),
        ({"group": "core"}, "pods", "deployments"),
        ({"namespaced": False}, "nodes", "pods"),
        ({"namespaced": True}, "pods", "nodes"),
        ({"verb": "list"}, "pods", "bindings"),
        ({"match": "deploy"}, "deployments", "pods"),
        ({"match": "PVC"}, "persistentvolumeclaims", "pods"),
    ],
)
async def test_filters(tools: ToolCaller, arguments: dict[str, object], name: str, absent: str) -> None:
    names = [item["name"] for item in (await tools.ok(TOOL, limit=500, **arguments))["items"]]
    assert name in names
    assert absent not in names


async def test_paging(tools: ToolCaller) -> None:
    whole = [item["name"] for item in (await tools.ok(TOOL, group="apps"))["items"]]
    seen: list[str] = []
    page = await tools.ok(TOOL, group="apps", limit=2)
    while True:
        seen += [item["name"] for item in page["items"]]
        if not page["truncated"]:
            break
        page = await tools.ok(TOOL, group="apps", limit=2, cursor=page["cursor"])
    assert seen == whole
    await brings_each_once(tools, TOOL, 7, group="apps")
    cursor = (await tools.ok(TOOL, group="apps", limit=2))["cursor"]
    refused = await tools.fails(TOOL, group="batch", cursor=cursor)
    assert refused["code"] == "bad_argument"


async def test_nothing_is_explained(tools: ToolCaller) -> None:
    assert "did you mean apps" in (await tools.ok(TOOL, group="app"))["hint"]
    assert "list" in (await tools.ok(TOOL, verb="lst"))["hint"]
    assert (await tools.ok(TOOL, match="nothing-like-it"))["items"] == []


async def test_g11_a_definition_that_others_delete(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    """The first call says that the kind is gone, whatever it asks for; the next ones do not know it any more."""
    group = f"g{uuid.uuid4().hex[:8]}.example.org"
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    objects = f"/apis/{group}/v1/namespaces/{namespace}/gadgets"

    async def is_served() -> bool:
        try:
            await api.get(objects)
        except StatusFailure:
            return False
        return True

    async def is_gone() -> bool:
        return not await is_served()

    async def listed(about: dict[str, str]) -> bool:
        # Kinds that are unknown are looked for once a second.
        answer = await tools.client.call_tool("k8s_get_resources", about, raise_on_error=False)
        return not answer.is_error

    for call in ({"resource_name": "one"}, {}):
        await make(api, definitions, custom_kind("gadgets", group, "Gadget"))
        await until(is_served, what="the new kind")
        about = {"resource_type": f"gadgets.{group}", "namespace": namespace}
        await until(functools.partial(listed, about), what="a list of the new kind")
        await api.send("DELETE", f"{definitions}/gadgets.{group}")
        await until(is_gone, what="the end of the kind")
        first = await tools.fails("k8s_get_resources", **about, **call)
        assert first["code"] == "not_found"
        assert "page not found" not in first["message"]
        assert f"API group '{group}'" in first["message"] or "does not serve gadgets" in first["message"]
        again = await tools.fails("k8s_get_resources", **about, **call)
        assert f"the cluster has no API group '{group}'" in again["message"]
        assert not (await tools.ok(TOOL, group=group))["items"]
