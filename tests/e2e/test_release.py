"""From `helm install` to a tool call inside the cluster and back to nothing."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kmcp_runtime.catalog import load
from tests.e2e.release import PATIENCE, Release, conditions
from tests.waiting import until

pytestmark = [pytest.mark.pods, pytest.mark.timeout(900)]
CATALOG = load((Path(__file__).parents[2] / "catalog.yaml").read_text())
ENTRY = CATALOG.servers["kmcp-kubernetes"]
CLIENT = """
import asyncio, json, sys, urllib.request
from fastmcp import Client

async def main(mcp, catalog):
    listed = {}
    while not (listed.get("ready") and listed["tools"]):  # the replica that does not act follows in seconds
        await asyncio.sleep(0.5)
        with urllib.request.urlopen(catalog) as answer:
            servers = json.load(answer)["servers"]
        listed = {server["name"]: server for server in servers}.get("kmcp-kubernetes", {})
    async with Client(mcp, auth=open("/token/token").read()) as client:
        tools = [tool.name for tool in await client.list_tools()]
        result = await client.call_tool("k8s_get_resources", {"resource_type": "services", "output": "names"})
    print(json.dumps({"tools": tools, "called": result.structured_content, "listed": listed}))

asyncio.run(main(*sys.argv[1:]))
"""
STRANGER = """
import json, sys, urllib.error, urllib.request

def called(url, token):
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    head = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    head |= {"MCP-Protocol-Version": "2025-11-25"} | ({"Authorization": "Bearer " + token} if token else {})
    request = urllib.request.Request(url, json.dumps(body).encode(), head)
    try:
        with urllib.request.urlopen(request) as answer:
            text = answer.read().decode()
            return json.loads(text[text.index("{"):])  # an event's data, in one line
    except urllib.error.HTTPError as error:
        return error.code

own = open("/token/token").read()
print(json.dumps([called(sys.argv[1], token) for token in (None, own, "x." + own.split(".")[1] + ".x")]))
"""
OF_A_NAMESPACE = {"default", "kube-root-ca.crt"}
LEFT = (
    "v1/secrets",
    "v1/serviceaccounts",
    "v1/services",
    "v1/configmaps",
    "apps/v1/deployments",
    "v1/pods",
    "kagent.dev/v1alpha1/mcpservers",
    "coordination.k8s.io/v1/leases",
    "rbac.authorization.k8s.io/v1/roles",
    "rbac.authorization.k8s.io/v1/rolebindings",
)


async def test_a_client_in_the_cluster_calls_a_tool_and_all_tell_the_same(release: Release) -> None:
    found = await release.when("kmcp-kubernetes", _catalogued, "readiness")
    reasons = {kind: (each["status"], each["reason"]) for kind, each in conditions(found).items()}
    assert reasons == {
        "Accepted": ("True", "Accepted"),
        "ResolvedRefs": ("True", "ResolvedRefs"),
        "Programmed": ("True", "Programmed"),
        "Ready": ("True", "Available"),
        "ToolsDiscovered": ("True", "Discovered"),
        "CatalogMatched": ("True", "Matched"),
    }
    summary_of = found["status"]
    published = await until(lambda: _published(release), _listed, PATIENCE, "the tools in the catalog")
    space = release.namespace
    urls = f"http://kmcp-kubernetes.{space}:8083/mcp", f"http://kmcp-catalog.{space}:8082/catalog.json"
    seen = await release.ran(CLIENT, *urls, audience="kmcp")
    assert "kmcp-kubernetes" in seen["called"]["items"]
    listed = seen["listed"]
    assert {tool["name"] for tool in listed["tools"]} == set(seen["tools"])
    assert (listed["ready"], listed["match"], listed["url"]) == (True, "Matched", summary_of["url"])
    assert listed["hash"] == published["hash"] == summary_of["tools"]["hash"]
    assert len(seen["tools"]) == summary_of["tools"]["count"] == listed["toolCount"]
    assert summary_of["serverInfo"]["name"] == "kmcp-kubernetes"
    shown = await _table(release)
    assert shown["kmcp-kubernetes"] == ["True", "Available", summary_of["tools"]["count"], summary_of["url"]]


@pytest.mark.parametrize(("audience", "answer"), [("https://kubernetes.default.svc", 401), ("kmcp", {"tools": []})])
async def test_V1_a_pod_of_another_namespace_is_refused(
    release: Release, namespace: str, audience: str, answer: Any
) -> None:
    """Without a token, with a forged one, and with its own: who is known and may nothing is not even shown a tool."""
    await release.when("kmcp-kubernetes", _catalogued, "readiness")
    url = f"http://kmcp-kubernetes.{release.namespace}:8083/mcp"
    await until(lambda: _default_account(release, namespace), bool, PATIENCE, "the ServiceAccount default")
    without, own, forged = await release.ran(STRANGER, url, namespace=namespace, audience=audience)
    assert (without, forged) == (401, 401)
    assert (own["result"] if isinstance(own, dict) else own) == answer


async def _default_account(release: Release, namespace: str) -> bool:
    found = await release.api.get(f"/api/v1/namespaces/{namespace}/serviceaccounts")
    return any(each["metadata"]["name"] == "default" for each in found["items"])


async def test_two_controllers_run_and_one_acts(release: Release) -> None:
    pods = await until(
        lambda: release.all("v1/pods", "app.kubernetes.io/name=kmcp"), _both_ready, PATIENCE, "two controllers"
    )
    lease = await release.get("coordination.k8s.io/v1/leases", "kmcp-controller")
    names = {pod["metadata"]["name"] for pod in pods}
    holder = lease["spec"]["holderIdentity"]
    assert holder in names
    await release.when("kmcp-kubernetes", _catalogued, "readiness")
    await release.api.send("DELETE", release.path("v1/pods", holder))
    await release.api.send("DELETE", release.path("v1/services", "kmcp-kubernetes"))
    await until(lambda: release.get("v1/services", "kmcp-kubernetes"), bool, PATIENCE, "the Service again")
    after = await until(lambda: _holder(release), lambda now: now not in ("", holder), PATIENCE, "another holder")
    assert after != holder


async def test_an_uninstall_leaves_nothing_but_the_definition(release: Release) -> None:
    await release.when("kmcp-kubernetes", _catalogued, "readiness")
    await release.uninstalled()
    for collection in LEFT:
        await until(partial(_names, release, collection), OF_A_NAMESPACE.issuperset, PATIENCE, f"no {collection}")
    for kind in ("clusterroles", "clusterrolebindings"):
        found = await release.api.get(f"/apis/rbac.authorization.k8s.io/v1/{kind}")
        assert not [each for each in found["items"] if each["metadata"]["name"].startswith(release.namespace)]
    await release.api.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/mcpservers.kagent.dev")


def _catalogued(found: dict[str, Any]) -> bool:
    states = {kind: each["status"] for kind, each in conditions(found).items()}
    return states.get("Ready") == states.get("CatalogMatched") == "True"


def _listed(seen: dict[str, Any]) -> bool:
    """A server may be published as ready a moment before it has told its tools."""
    return bool(seen.get("ready") and seen["tools"])


async def _published(release: Release) -> dict[str, Any]:
    """The chart's server as the ConfigMap lists it; empty until it does."""
    found = await release.get("v1/configmaps", "kmcp-catalog")
    servers = json.loads(found["data"]["catalog.json"])["servers"] if found else ()
    return next((each for each in servers if each["name"] == "kmcp-kubernetes"), {})


async def _table(release: Release) -> dict[str, list[Any]]:
    """What `kubectl get mcpservers -o wide` shows: Ready, Reason, Tools, URL by name."""
    path = release.path("kagent.dev/v1alpha1/mcpservers")
    table = await release.api.get(path, accept="application/json;as=Table;v=v1;g=meta.k8s.io")
    names = [each["name"] for each in table["columnDefinitions"]]
    rows = [dict(zip(names, row["cells"], strict=True)) for row in table["rows"]]
    return {row["Name"]: [row[name] for name in ("Ready", "Reason", "Tools", "URL")] for row in rows}


def _both_ready(pods: list[dict[str, Any]]) -> bool:
    ready = [
        each["status"] == "True"
        for pod in pods
        for each in pod["status"].get("conditions") or ()
        if each["type"] == "Ready"
    ]
    return ready == [True, True]


async def _holder(release: Release) -> str:
    lease = await release.get("coordination.k8s.io/v1/leases", "kmcp-controller")
    return str(lease["spec"].get("holderIdentity") or "")


async def _names(release: Release, collection: str) -> set[str]:
    return {each["metadata"]["name"] for each in await release.all(collection)}
