"""V5, V6: with `examples/kagent/values.yaml`, every reference of kagent's own agents resolves."""

import copy
import json
import os
import re
import secrets
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from kmcp_controller.render import render
from kmcp_controller.spec import Platform, parse
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.failures import StatusFailure
from tests.applying import apply
from tests.chart.rendering import Chart, Object, of_kind
from tests.kagent.agents import AGENTS, GRAFANA, PAGE, TOOL_SERVER, VALUES, VERSIONS, list_composed, page
from tests.waiting import until

SOURCE = os.environ.get("KMCP_TEST_KAGENT", "")
NO_SOURCE = "KMCP_TEST_KAGENT is not set: a git directory of kagent's repository, for its resource definitions"


async def test_every_name_on_the_tool_server_is_there_and_the_page_says_what_may_be_called() -> None:
    reading, everything = await list_composed(read_only=True), await list_composed()
    for agent, named in AGENTS.items():
        assert not set(named.get(TOOL_SERVER, [])) - everything, agent
    assert reading < everything
    assert PAGE.read_text() == page(reading, everything), "python -m tests.kagent.agents"


def remotes(chart: Chart) -> dict[str, Object]:
    """Each RemoteMCPServer that the guide makes, by its name."""
    manifest = yaml.safe_load(Path("examples/manifests/kagent-grafana-mcp.yaml").read_text())
    objects = render(parse(manifest, Platform()), Platform())
    return of_kind(chart.rendered(VALUES, "kmcp"), "RemoteMCPServer") | of_kind(objects, "RemoteMCPServer")


def test_each_server_that_an_agent_names_is_a_resource_beside_it(chart: Chart) -> None:
    found = remotes(chart)
    assert set(found) == {name for named in AGENTS.values() for name in named} == {TOOL_SERVER, GRAFANA}
    # An agent names no namespace, so they are where kagent is.
    assert found[TOOL_SERVER]["metadata"]["namespace"] == "kagent"
    assert found[TOOL_SERVER]["spec"]["url"] == "http://kagent-tools.kmcp:8084/mcp?tools=all"
    assert found[TOOL_SERVER]["spec"]["headersFrom"][0]["valueFrom"]["name"] == "kmcp-caller"
    composed = of_kind(chart.rendered(VALUES, "kmcp"), "MCPServer")["kagent-tools"]
    assert composed["spec"]["deployment"]["port"] == 8084
    assert {"kubernetes", "helm", "istio", "argo", "cilium"} <= set(composed["spec"]["deployment"]["args"])


def test_the_tool_server_needs_the_composed_one(chart: Chart) -> None:
    assert "set composed.enabled" in chart.refused({"kagent": {"toolServer": {"enabled": True}}})
    bare = chart.rendered({**VALUES, "kagent": {"toolServer": {"enabled": True, "tokenSecret": ""}}})
    assert "headersFrom" not in of_kind(bare, "RemoteMCPServer")[TOOL_SERVER]["spec"]


def git(*arguments: str) -> str:
    return subprocess.run(["git", "-C", SOURCE, *arguments], check=True, capture_output=True, text=True).stdout


def tools_block(text: str) -> Any:
    """`spec.declarative.tools` of an agent's template, which is plain YAML there."""
    found = re.search(r"^    tools:\n(.*?)(?=^    [a-z]|\Z)", text, re.MULTILINE | re.DOTALL)
    return yaml.safe_load(found[1]) if found else []


def agents(version: str) -> dict[str, list[dict[str, Any]]]:
    """By the name of each agent that this version ships, its tools."""
    paths = [path for path in git("ls-tree", "-r", "--name-only", f"v{version}").split() if "helm/agents/" in path]
    texts = [git("show", f"v{version}:{path}") for path in paths if path.endswith("/templates/agent.yaml")]
    names = [re.search(r"^metadata:\n  name: (\S+)", text, re.MULTILINE) for text in texts]
    return {name[1]: tools_block(text) for name, text in zip(names, texts, strict=True) if name}


@asynccontextmanager
async def defined(api: KubeApi, version: str, plural: str) -> AsyncIterator[str]:
    """kagent's own definition under a group of this test alone, so that nobody else sees it: the group."""
    group = f"kagent-{secrets.token_hex(4)}.test"
    text = git("show", f"v{version}:helm/kagent-crds/templates/kagent.dev_{plural}.yaml")
    body = yaml.safe_load(re.sub(r"^\s*\{\{.*\}\}\s*$", "", text, flags=re.MULTILINE))
    body["metadata"] = {"name": f"{plural}.{group}"}
    body["spec"]["group"] = group
    await apply(api, body)
    try:

        async def is_served() -> bool:
            try:
                await api.get(f"/apis/{group}/v1alpha2/{plural}")
            except StatusFailure as failure:
                if failure.http_status not in (404, 429, 503):
                    raise
                return False
            return True

        await until(is_served, seconds=60, what=f"{plural} of kagent {version}")
        yield group
    finally:
        await api.send("DELETE", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{plural}.{group}")


async def create(api: KubeApi, group: str, plural: str, namespace: str, body: dict[str, Any]) -> None:
    made = copy.deepcopy(body)
    made["apiVersion"] = f"{group}/v1alpha2"
    made["metadata"] = {"name": body["metadata"]["name"]}
    query = [("fieldValidation", "Strict")]
    await api.send("POST", f"/apis/{group}/v1alpha2/namespaces/{namespace}/{plural}", query, made)


@pytest.mark.cluster
@pytest.mark.skipif(not SOURCE, reason=NO_SOURCE)
@pytest.mark.parametrize("version", VERSIONS)
async def test_kagents_own_definitions_take_what_the_guide_makes(
    version: str,
    api: KubeApi,
    namespace: str,
    chart: Chart,
) -> None:
    shipped = agents(version)
    facts = {
        name: {
            each["mcpServer"]["name"]: sorted(each["mcpServer"]["toolNames"]) for each in tools if "mcpServer" in each
        }
        for name, tools in shipped.items()
    }
    assert facts == AGENTS, "references.json is not what this version ships"
    found = remotes(chart)
    async with defined(api, version, "remotemcpservers") as group:
        for body in found.values():
            await create(api, group, "remotemcpservers", namespace, body)
        listed = await api.get(f"/apis/{group}/v1alpha2/namespaces/{namespace}/remotemcpservers")
        assert {each["metadata"]["name"] for each in listed["items"]} == set(found)
    async with defined(api, version, "agents") as group:
        for name, tools in shipped.items():
            wanted = [copy.deepcopy(each) for each in tools]
            for each in (tool["mcpServer"] for tool in wanted if "mcpServer" in tool):
                # As the guide says it: what destroys is asked for in kagent.
                each["requireApproval"] = [
                    tool for tool in each["toolNames"] if "delete" in tool or "uninstall" in tool
                ]
            spec = {"type": "Declarative", "declarative": {"systemMessage": "x", "modelConfig": "m", "tools": wanted}}
            body = {"kind": "Agent", "metadata": {"name": name}, "spec": spec}
            await create(api, group, "agents", namespace, json.loads(json.dumps(body)))
        listed = await api.get(f"/apis/{group}/v1alpha2/namespaces/{namespace}/agents")
        assert {each["metadata"]["name"] for each in listed["items"]} == set(AGENTS)
