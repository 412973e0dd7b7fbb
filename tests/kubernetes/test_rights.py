"""Every tool as a ServiceAccount that holds exactly what the tool declares: enough, and nothing in it to spare."""

import dataclasses
import secrets
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest

from kmcp_kubernetes.client import open_backend
from kmcp_kubernetes.server import SERVER
from kmcp_kubernetes.settings import KubernetesSettings
from kmcp_runtime import Rule, Server, ToolSpec
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.config import load_contexts
from kmcp_runtime.web import Web
from tests.cluster.model import Cluster
from tests.kubernetes.making import make
from tests.kubernetes.metrics import BASE, GROUP, measuring
from tests.kubernetes.scenarios import CONFIG_MAP, SCENARIOS, Scenario, filled, scenario_of
from tests.mcp import ToolCaller
from tests.patience import limits
from tests.rights import complaints, each_tool, each_verb, holding, names_only, without
from tests.waiting import until

pytestmark = pytest.mark.pods
TOOLS = {declared.name: declared for declared in SERVER.tools()}


def test_every_tool_of_the_registry_has_a_scenario() -> None:
    for declared in TOOLS.values():
        assert scenario_of(declared).calls
    assert set(SCENARIOS) <= set(TOOLS)


@pytest.fixture(scope="module")
async def furnished(cluster: Cluster) -> AsyncIterator[dict[str, str]]:
    """A namespace with something for every tool; the words that scenarios use for it."""
    contexts = load_contexts(str(cluster.kubeconfig))
    api = KubeApi(contexts, contexts.named(None), limits())
    namespace = f"rights-{secrets.token_hex(4)}"
    await make(api, "/api/v1/namespaces", {"metadata": {"name": namespace}})
    try:
        await _workloads(api, namespace, cluster.image)
        await until(lambda: _ready_pod(api, namespace), what="a ready pod of web")
        yield {"ns": namespace}
    finally:
        await api.send("DELETE", f"/api/v1/namespaces/{namespace}")
        await api.close()


async def _workloads(api: KubeApi, namespace: str, image: str) -> None:
    labels = {"app": "web"}
    container = {
        "name": "main",
        "image": image,
        "command": ["httpd", "-f", "-p", "8080"],
        "imagePullPolicy": "IfNotPresent",
    }
    template: dict[str, Any] = {
        "metadata": {"labels": labels},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
    }
    spec = {"selector": {"matchLabels": labels}, "template": template, "replicas": 1}
    apps, core = f"/apis/apps/v1/namespaces/{namespace}", f"/api/v1/namespaces/{namespace}"
    await make(api, f"{apps}/deployments", {"metadata": {"name": "web"}, "spec": spec})
    idle = {**template, "metadata": {"labels": {"app": "idle"}}}
    never = {**idle, "spec": {**template["spec"], "schedulerName": "none"}}
    for plural, name, pods, count in (("statefulsets", "store", idle, 0), ("deployments", "stuck", never, 1)):
        body = {"selector": {"matchLabels": {"app": "idle"}}, "template": pods, "replicas": count}
        await make(api, f"{apps}/{plural}", {"metadata": {"name": name}, "spec": body})
    ports = [{"port": 80, "targetPort": 8080}]
    await make(api, f"{core}/services", {"metadata": {"name": "web"}, "spec": {"selector": labels, "ports": ports}})
    await make(api, f"{core}/configmaps", {"metadata": {"name": "settings"}, "data": {"a": "b"}})


@pytest.fixture
async def equipped(
    request: pytest.FixtureRequest, api: KubeApi, furnished: dict[str, str]
) -> AsyncIterator[dict[str, str]]:
    """The furnished namespace, with the metrics API for the one tool that reads it."""
    declared: ToolSpec = request.node.callspec.params["declared"]
    if declared.name != "k8s_top":
        yield furnished
        return
    async with measuring(api):
        await _measurements(api, furnished["ns"])
        yield furnished


async def _measurements(api: KubeApi, namespace: str) -> None:
    usage = {"cpu": "5m", "memory": "8Mi"}
    measured = {"apiVersion": f"{GROUP}/v1beta1", "metadata": {"name": "web"}}
    containers = [{"name": "main", "usage": usage}]
    await make(api, f"{BASE}/nodes", {**measured, "kind": "NodeMetrics", "usage": usage})
    await make(api, f"{BASE}/namespaces/{namespace}/pods", {**measured, "kind": "PodMetrics", "containers": containers})


async def _ready_pod(api: KubeApi, namespace: str) -> str:
    listed = await api.get(f"/api/v1/namespaces/{namespace}/pods", (("labelSelector", "app=web"),))
    ready = [
        item["metadata"]["name"]
        for item in listed["items"]
        if all(status.get("ready") for status in item["status"].get("containerStatuses") or [{}])
        and not item["metadata"].get("deletionTimestamp")
    ]
    return ready[0] if ready else ""


def _serving() -> Server:
    """The server with a web whose one file creates another object each time."""

    async def resolve(host: str, port: int) -> list[str]:
        return ["93.184.216.34"]

    def answering(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, text=CONFIG_MAP % f"x{secrets.token_hex(4)}")

    web = Web(transport=httpx2.MockTransport(answering), resolve=resolve)
    return dataclasses.replace(SERVER, open=lambda settings: open_backend(settings, web))


class Attempt:
    """The calls of a scenario, each time with fresh names."""

    def __init__(self, scenario: Scenario, tool: str, api: KubeApi, words: Mapping[str, str]) -> None:
        self.scenario, self.tool, self.api, self.words = scenario, tool, api, dict(words)

    async def outcome(self, caller: ToolCaller) -> str:
        """Empty when every call succeeded without a warning; else what was said."""
        said = []
        for arguments in self.scenario.calls:
            words = {**self.words, "fresh": f"x{secrets.token_hex(4)}", "pod": await self._pod()}
            if self.scenario.before:
                body = {"metadata": {"name": words["fresh"]}}
                await make(self.api, f"/api/v1/namespaces/{words['ns']}/configmaps", body)
            result = await caller.client.call_tool(self.tool, filled(arguments, words), raise_on_error=False)
            said += complaints(result)
        return "\n".join(said)

    async def _pod(self) -> str:
        return await until(lambda: _ready_pod(self.api, self.words["ns"]), what="a ready pod of web")


@pytest.mark.parametrize("declared", each_tool(SERVER))
async def test_the_declared_rights_are_enough(
    declared: ToolSpec, api: KubeApi, settings: KubernetesSettings, equipped: dict[str, str], tmp_path: Path
) -> None:
    settings = settings.model_copy(update={"manifest_hosts": "files.example.com"})
    attempt = Attempt(scenario_of(declared), declared.name, api, equipped)
    async with holding(api, _serving(), settings, equipped["ns"], declared.needs, tmp_path) as caller:
        # The authorizer learns of a new binding within moments.
        await until(lambda: attempt.outcome(caller), lambda said: said == "", 20, f"{declared.name} to succeed")


@pytest.mark.parametrize(("declared", "rule", "verb"), list(each_verb(SERVER)))
async def test_each_declared_right_is_needed(
    declared: ToolSpec,
    rule: Rule,
    verb: str,
    api: KubeApi,
    settings: KubernetesSettings,
    equipped: dict[str, str],
    tmp_path: Path,
) -> None:
    settings = settings.model_copy(update={"manifest_hosts": "files.example.com"})
    attempt = Attempt(scenario_of(declared), declared.name, api, equipped)
    rules = without(declared.needs, rule, verb)
    async with holding(api, _serving(), settings, equipped["ns"], rules, tmp_path) as caller:
        said = await until(
            lambda: attempt.outcome(caller), lambda said: names_only(said, rule, verb), 20, f"{verb} refused"
        )
        assert "forbidden" in said
