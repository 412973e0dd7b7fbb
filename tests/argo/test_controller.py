"""Whether the controller is there, and what becomes of its plugins."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from kmcp_argo.server import SERVER
from kmcp_argo.settings import ArgoSettings
from kmcp_runtime.engine.assembly import assemble
from kmcp_runtime.kube.api import KubeApi
from tests.argo import install
from tests.cluster.model import Cluster
from tests.kubernetes.making import make
from tests.mcp import ToolCaller
from tests.patience import patient
from tests.serving import served
from tests.waiting import until

pytestmark = pytest.mark.pods
CONFIG_MAP = "argo-rollouts-config"
GATEWAY_API = "argoproj-labs/gatewayAPI"


@pytest.fixture
async def releases(cluster: Cluster) -> AsyncIterator[str]:
    """Where a controller in a pod can download a plugin's releases from."""

    async def file(request: Any) -> PlainTextResponse:
        return PlainTextResponse("a plugin\n")

    if not cluster.host_address:
        pytest.skip(f"pods of {cluster.kind} cannot reach this machine")
    app = Starlette(routes=[Route("/releases/{version}/gatewayapi-plugin-linux-amd64", file)])
    async with served(app, lifespan="off", host=cluster.host_address) as url:
        yield f"{url}/releases"


@pytest.fixture
async def own_controller(api: KubeApi, namespace: str, controller: None) -> str:
    """A controller of the test's own, for its namespace alone: its plugins may be changed and it be restarted."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "argo-rollouts"}}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "argo-rollouts"}
    subject = {"kind": "ServiceAccount", "name": "argo-rollouts", "namespace": namespace}
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "argo-rollouts"},
        "roleRef": role,
        "subjects": [subject],
    }
    (found,) = [each for each in install.manifests() if each["kind"] == "Deployment"]
    found = install.deployment(found)
    found["spec"]["template"]["spec"]["containers"][0]["args"] = ["--namespaced"]
    for each in (account, binding, found):
        await install.apply(api, each, namespace)
    await install.available(api, namespace)
    return namespace


async def test_the_running_controller_is_found_and_healthy(tools: ToolCaller, controller: None) -> None:
    answer = await tools.ok("argo_verify_argo_rollouts_controller_install")
    assert (answer["installed"], answer["healthy"], answer["problems"]) == (True, True, [])
    assert (answer["namespace"], answer["version"]) == (install.NAMESPACE, "v1.9.0")
    assert [pod["ready"] for pod in answer["pods"]] == [True]
    assert {"name": "rollouts", "versions": ["v1alpha1"]} in answer["crds"]


async def test_a_controller_elsewhere_is_found_and_none_is_said(
    tools: ToolCaller, controller: None, namespace: str
) -> None:
    elsewhere = await tools.ok("argo_verify_argo_rollouts_controller_install", namespace=namespace)
    assert elsewhere["healthy"] is True
    assert any(f"not in namespace {namespace}" in problem for problem in elsewhere["problems"])
    none = await tools.ok("argo_verify_argo_rollouts_controller_install", label="app.kubernetes.io/name=other")
    assert (none["installed"], none["healthy"]) == (False, False)
    assert "no Deployment has the label" in none["problems"][0]


async def test_no_plugin_of_kubectl_is_needed(
    tools: ToolCaller, controller: None, programs: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    without = await tools.ok("argo_verify_kubectl_plugin_install")
    assert (without["required"], without["plugin"]) == (False, {"installed": False})
    assert without["api"]["rollouts"] is True
    assert without["controller_version"] == "v1.9.0"
    monkeypatch.setenv("PATH", str(programs["kubectl-argo-rollouts"].parent))
    assert (await tools.ok("argo_verify_kubectl_plugin_install"))["plugin"]["installed"] is True


async def test_the_gateway_plugin_is_configured_downloaded_and_loaded(
    settings: ArgoSettings, api: KubeApi, own_controller: str, releases: str
) -> None:
    settings = settings.model_copy(update={"gateway_plugin_url": releases})
    about = {"namespace": own_controller, "version": "0.5.0", "should_install": True}
    async with Client(assemble(SERVER, settings, patient(approval="off"))) as client:
        tools = ToolCaller(client)
        before = await tools.ok("argo_verify_gateway_plugin", namespace=own_controller)
        assert (before["configured"], before["changed"]) == (False, False)
        unnamed = await tools.fails("argo_verify_gateway_plugin", namespace=own_controller, should_install=True)
        assert unnamed["message"].startswith("version: required")
        await _other_plugin(api, own_controller, releases)
        rehearsed = await tools.ok("argo_verify_gateway_plugin", **about, dry_run=True)
        assert (rehearsed["configured"], rehearsed["changed"], rehearsed["dry_run"]) == (False, True, True)
        made = await tools.ok("argo_verify_gateway_plugin", **about, restart_controller=True)
        assert made["location"] == f"{releases}/v0.5.0/gatewayapi-plugin-linux-amd64"
        assert (made["version"], made["architecture"]) == ("v0.5.0", "linux-amd64")
        assert "name: example/other" in await _read_configured(api, own_controller)
        again = await tools.ok("argo_verify_gateway_plugin", **about)
        assert again["changed"] is False
        seen = await until(
            lambda: _logs(tools, own_controller), lambda seen: seen["loaded"], 120, "the plugin in the controller's log"
        )
    assert seen["source"] == made["location"]
    assert seen["download_seconds"] >= 0
    assert any("Downloading plugin" in line for line in seen["lines"])


async def test_a_malformed_configuration_is_never_overwritten(
    tools: ToolCaller, api: KubeApi, controller: None, namespace: str
) -> None:
    data = {"trafficRouterPlugins": "- name: [unclosed\n"}
    await make(api, f"/api/v1/namespaces/{namespace}/configmaps", {"metadata": {"name": CONFIG_MAP}, "data": data})
    error = await tools.fails("argo_verify_gateway_plugin", namespace=namespace, should_install=True, version="v0.5.0")
    assert error["code"] == "conflict"
    assert "line 1" in error["message"]
    assert await _read_configured(api, namespace) == data["trafficRouterPlugins"]


async def test_a_log_without_the_plugin_says_so(tools: ToolCaller, controller: None) -> None:
    answer = await tools.ok("argo_check_plugin_logs", timeout_seconds=1)
    assert (answer["found"], answer["loaded"], answer["lines"]) == (False, False, [])
    assert "does not mention argoproj-labs/gatewayAPI" in answer["hint"]


async def _logs(tools: ToolCaller, namespace: str) -> dict[str, Any]:
    result = await tools.client.call_tool("argo_check_plugin_logs", {"namespace": namespace}, raise_on_error=False)
    return dict(result.structured_content or {"loaded": False})


async def _other_plugin(api: KubeApi, namespace: str, releases: str) -> None:
    location = f"{releases}/v1.0.0/gatewayapi-plugin-linux-amd64"
    data = {"trafficRouterPlugins": f"- name: example/other\n  location: {location}\n"}
    await make(api, f"/api/v1/namespaces/{namespace}/configmaps", {"metadata": {"name": CONFIG_MAP}, "data": data})


async def _read_configured(api: KubeApi, namespace: str) -> str:
    found = await api.get(f"/api/v1/namespaces/{namespace}/configmaps/{CONFIG_MAP}")
    return str(found["data"]["trafficRouterPlugins"])
