"""X20 and G20: columns and paths together in a table, and the values of any field with their counts."""

from collections import Counter
from typing import Any

import pytest

from kmcp_runtime.kube.api import KubeApi
from tests.kubernetes.conftest import pod
from tests.kubernetes.making import config_map, make, make_many, pods_path
from tests.mcp import ToolCaller

pytestmark = pytest.mark.cluster
TOOL = "k8s_get_resources"
IMAGES = ("a:1", "a:1", "b:2", "c:3")


@pytest.fixture
async def pods(api: KubeApi, namespace: str) -> dict[str, Any]:
    """Four pods, one of them with a second container; the arguments that list them."""
    bodies = [pod(f"p{number}", image, schedulerName="none") for number, image in enumerate(IMAGES)]
    bodies[0]["spec"]["containers"].append({"name": "side", "image": "c:3"})
    bodies[3]["metadata"]["labels"] = {"app": "p3", "tier": "front"}
    await make_many(api, pods_path(namespace), bodies)
    return {"resource_type": "pods", "namespace": namespace}


async def test_columns_and_paths_in_one_table(tools: ToolCaller, pods: dict[str, Any]) -> None:
    fields = ["Name", "ready", "metadata.labels", "spec.containers[*].image", ".metadata.labels.tier"]
    found = await tools.ok(TOOL, **pods, fields=fields)
    assert found["columns"] == ["Name", "Ready", *fields[2:]]
    assert found["items"][0] == ["p0", "0/2", '{"app":"p0"}', "a:1,c:3", ""]
    assert found["items"][3] == ["p3", "0/1", '{"app":"p3","tier":"front"}', "c:3", "front"]
    one = await tools.ok(TOOL, **pods, resource_name="p3", fields=["Name", "metadata.labels.tier"])
    assert one["items"] == [["p3", "front"]]
    typo = await tools.ok(TOOL, **pods, fields=["Name", "spec.nodename"])
    assert "spec.nodename" in typo["warnings"][0]
    refused = await tools.fails(TOOL, **pods, fields=["Name", "Redy"])
    assert "did you mean Ready?" in refused["message"]
    everywhere = await tools.ok(
        TOOL, resource_type="pods", all_namespaces=True, selector="tier=front", fields=["Name", "metadata.labels.tier"]
    )
    assert [pods["namespace"], "p3", "front"] in everywhere["items"]
    assert everywhere["columns"] == ["Namespace", "Name", "metadata.labels.tier"]


async def test_secrets_stay_hidden_behind_paths(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    secret = {"metadata": {"name": "s"}, "stringData": {"word": "xyzzy-plugh"}}
    await make(api, f"/api/v1/namespaces/{namespace}/secrets", secret)
    await make(api, f"/api/v1/namespaces/{namespace}/configmaps", config_map("m", password="xyzzy-other"))
    for kind, path in (("secrets", "data.word"), ("secrets", ".data"), ("configmaps", "data.password")):
        for output in ("table", "counts"):
            of_it = {"resource_type": kind, "namespace": namespace, "output": output}
            text = await tools.text(TOOL, **of_it, fields=["Name", path])
            assert "xyzzy" not in text
            assert "eHl6enk" not in text


async def test_values_are_counted_over_all_pages(tools: ToolCaller, api: KubeApi, pods: dict[str, Any]) -> None:
    images = await tools.ok(TOOL, **pods, output="counts", fields=["spec.containers[*].image"])
    assert images["columns"] == ["spec.containers[*].image", "Count"]
    assert images["items"] == [["a:1", "2"], ["c:3", "2"], ["b:2", "1"]]
    assert images["hint"].startswith("Values of 4 objects")
    both = await tools.ok(TOOL, **pods, output="counts", fields=["Namespace", "Status", "metadata.labels.tier"])
    assert both["items"] == [[pods["namespace"], "Pending", "", "3"], [pods["namespace"], "Pending", "front", "1"]]
    first = await tools.ok(TOOL, **pods, output="counts", fields=["Name"], limit=3)
    assert (first["returned"], first["total"], first["truncated"]) == (3, 4, True)
    rest = await tools.ok(TOOL, **pods, output="counts", fields=["Name"], limit=3, cursor=first["cursor"])
    assert [row[0] for row in first["items"] + rest["items"]] == ["p0", "p1", "p2", "p3"]
    missing = await tools.ok(TOOL, **pods, output="counts", fields=["spec.nodename"])
    assert "spec.nodename" in missing["warnings"][0]
    nothing = await tools.ok(TOOL, **pods, output="counts", fields=["Name"], selector="app=none")
    assert (nothing["items"], "match the selector" in nothing["hint"]) == ([], True)


async def test_more_pages_than_one(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    maps = [config_map(f"m{number:04}", part=str(number % 7)) for number in range(620)]
    await make_many(api, f"/api/v1/namespaces/{namespace}/configmaps", maps)
    of_it = {"resource_type": "configmaps", "namespace": namespace, "selector": "app", "output": "counts"}
    found = await tools.ok(TOOL, **of_it, fields=["data.part"])
    assert {value: int(count) for value, count in found["items"]} == Counter(str(number % 7) for number in range(620))


async def test_without_fields_what_is_usual_is_counted(
    tools: ToolCaller, api: KubeApi, pods: dict[str, Any], namespace: str
) -> None:
    """By namespace where there are several, and by the column that says how an object is."""
    here = await tools.ok(TOOL, **pods, output="counts")
    assert (here["columns"], here["items"]) == (["Status", "Count"], [["Pending", "4"]])
    assert "fields counts by others" in here["hint"]
    everywhere = await tools.ok(TOOL, resource_type="pods", all_namespaces=True, selector="tier", output="counts")
    assert everywhere["columns"] == ["Namespace", "Status", "Count"]
    assert [pods["namespace"], "Pending", "1"] in everywhere["items"]
    for number in range(3):
        await make(api, f"/api/v1/namespaces/{namespace}/configmaps", config_map(f"m{number}"))
    bare = await tools.ok(TOOL, resource_type="configmaps", namespace=namespace, selector="app", output="counts")
    assert (bare["columns"], bare["items"]) == (["Count"], [["3"]])
    secrets = await tools.ok(TOOL, resource_type="secrets", namespace=namespace, output="counts")
    assert (secrets["items"], "No secrets in namespace" in secrets["hint"]) == ([], True)
    own = {"resource_type": "clusterroles", "selector": "kubernetes.io/bootstrapping=rbac-defaults"}
    roles = await tools.ok(TOOL, **own, output="counts")
    listed = await tools.ok(TOOL, **own, output="names", limit=500)
    assert (roles["columns"], roles["items"]) == (["Count"], [[str(listed["total"])]])


async def test_counts_go_with_no_name(tools: ToolCaller, pods: dict[str, Any]) -> None:
    named = await tools.fails(TOOL, **pods, resource_name="p0", output="counts", fields=["Name"])
    assert named["code"] == "bad_argument"
