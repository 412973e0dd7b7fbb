"""k8s_get_available_api_resources: what the cluster serves, filtered and paged."""

import pytest

from tests.mcp import ToolCaller

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
    cursor = (await tools.ok(TOOL, group="apps", limit=2))["cursor"]
    refused = await tools.fails(TOOL, group="batch", cursor=cursor)
    assert refused["code"] == "bad_argument"


async def test_nothing_is_explained(tools: ToolCaller) -> None:
    assert "did you mean apps" in (await tools.ok(TOOL, group="app"))["hint"]
    assert "list" in (await tools.ok(TOOL, verb="lst"))["hint"]
    assert (await tools.ok(TOOL, match="nothing-like-it"))["items"] == []
