"""Tools as a ServiceAccount that holds exactly what they declare: enough, and nothing in it to spare.

istiod, the sidecar and the ztunnel are pods with recorded answers: what is asked here is the API server.
"""

import secrets
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kmcp_istio.server import SERVER
from kmcp_istio.settings import IstioSettings
from kmcp_runtime.kube.api import KubeApi
from tests.istio import recordings
from tests.istio.conftest import Backend
from tests.istio.proxies import proxy_pod, serve_recording
from tests.kubernetes.making import make
from tests.mcp import ToolCaller
from tests.rights import complaints, holding, names_only, without
from tests.slowness import whole
from tests.waiting import until

pytestmark = pytest.mark.pods
Calls = Sequence[Mapping[str, Any]]
TOOLS = {declared.name: declared for declared in SERVER.tools()}
CALLS: dict[str, Calls] = {
    "istio_proxy_status": [
        {"pod_name": "deployment/web", "namespace": "{ns}"},
        {"pod_name": "web", "namespace": "{ns}", "diff": True},
    ],
    "istio_proxy_config": [
        {"pod_name": "deployment/web", "namespace": "{ns}", "config_type": "bootstrap"},
        {"pod_name": "web", "namespace": "{ns}", "config_type": "bootstrap"},
    ],
    "istio_version": [{}],
    "istio_remote_clusters": [{}],
    "istio_ztunnel_config": [
        {"pod_name": "deployment/plain", "namespace": "{ns}", "config_type": "policy"},
        {"pod_name": "plain", "namespace": "{ns}", "config_type": "policy"},
    ],
    "istio_list_waypoints": [{"namespace": "{ns}"}],
    "istio_waypoint_status": [{"namespace": "{ns}"}],
    "istio_apply_waypoint": [
        {"namespace": "{ns}", "name": "{fresh}", "wait": True, "timeout_seconds": 1},
        {"namespace": "{ns}", "name": "{fresh}", "enroll_namespace": True, "overwrite": True},
    ],
    "istio_analyze_cluster_configuration": [{"namespace": "{ns}", "timeout_seconds": whole(30)}],
    "istio_delete_waypoint": [{"namespace": "{ns}", "names": ["{gone}"]}],
}
"""Calls that together use every right of a tool; what needs the real istioctl is asked where that is."""


@pytest.fixture(scope="module")
async def furnished(admin: KubeApi, mesh_kinds: None, proxy_image: str, shared_namespace: str) -> str:
    """A namespace of the ambient mesh with an istiod, a sidecar, a ztunnel, and a pod of neither."""
    api, namespace = admin, shared_namespace
    ambient = {"metadata": {"labels": {"istio.io/dataplane-mode": "ambient"}}}
    await api.send("PATCH", f"/api/v1/namespaces/{namespace}", (), ambient, "application/merge-patch+json")
    sync = f'[{{"proxy": "web.{namespace}", "istio_version": "1.31.0"}}]'
    istiod = proxy_pod("istiod", proxy_image)
    istiod["metadata"] |= {"labels": {"app": "istiod"}, "annotations": {"prometheus.io/port": "15000"}}
    ztunnel = proxy_pod("ztunnel", proxy_image)
    ztunnel["metadata"]["labels"] = {"app": "ztunnel"}
    plain = proxy_pod("plain", proxy_image)
    plain["spec"]["containers"][0]["name"] = "main"
    for body, files in (
        (
            istiod,
            {
                "debug_syncz": sync,
                "debug_clusterz": "[]",
                "version": "1.31.0-0-Clean",
                "debug_config_dump": recordings.whole(),
            },
        ),
        (proxy_pod("web", proxy_image), {"config_dump": recordings.whole()}),
        (ztunnel, {"config_dump": "{}"}),
        (plain, {}),
    ):
        await serve_recording(api, namespace, body, files)
    for name in ("web", "plain"):
        labels = {"app": name}
        template = {"metadata": {"labels": labels}, "spec": proxy_pod(name, proxy_image)["spec"]}
        body = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
        await make(api, f"/apis/apps/v1/namespaces/{namespace}/deployments", {"metadata": {"name": name}, "spec": body})
    await make(api, f"/apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/gateways", _waypoint("kept"))
    return namespace


def _waypoint(name: str) -> dict[str, Any]:
    listener = {"name": "mesh", "port": 15008, "protocol": "HBONE"}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": name},
        "spec": {"gatewayClassName": "istio-waypoint", "listeners": [listener]},
    }


async def outcome(caller: ToolCaller, tool: str, api: KubeApi, namespace: str) -> str:
    """Empty when every call succeeded without a warning of rights; else what was said."""
    gateways = f"/apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/gateways"
    said: list[str] = []
    for arguments in CALLS[tool]:
        words = {"{ns}": namespace, "{fresh}": f"w{secrets.token_hex(4)}", "{gone}": f"w{secrets.token_hex(4)}"}
        if "{gone}" in str(arguments):
            await make(api, gateways, _waypoint(words["{gone}"]))
        said += complaints(await caller.client.call_tool(tool, _filled(arguments, words), raise_on_error=False))
    return "\n".join(said)


def _filled(node: Any, words: Mapping[str, str]) -> Any:
    if isinstance(node, str):
        return words.get(node, node)
    if isinstance(node, list):
        return [_filled(item, words) for item in node]
    return {key: _filled(item, words) for key, item in node.items()} if isinstance(node, Mapping) else node


@pytest.mark.parametrize("tool", CALLS)
async def test_declared_rights_are_enough_and_needed(
    tool: str, api: KubeApi, settings: IstioSettings, backend: Backend, furnished: str, tmp_path: Path
) -> None:
    declared = TOOLS[tool]
    analysis = tool == "istio_analyze_cluster_configuration"
    program = str(backend("istio")["istioctl"]) if analysis else "/nowhere/istioctl"
    own = settings.model_copy(update={"istio_namespace": furnished, "istioctl": program})

    async def said(caller: ToolCaller) -> str:
        return await outcome(caller, tool, api, furnished)

    async with holding(api, SERVER, own, furnished, declared.needs, tmp_path) as caller:
        # The authorizer learns of a new binding within moments.
        await until(partial(said, caller), lambda told: told == "", 30, f"{tool} to succeed")
    # The many rights that istioctl needs are refused by one look at all of them: a verb of each rule tells enough.
    for rule, verb in [(each, verb) for each in declared.needs for verb in each.verbs[: 1 if analysis else None]]:
        async with holding(api, SERVER, own, furnished, without(declared.needs, rule, verb), tmp_path) as caller:
            refused = partial(names_only, rule=rule, verb=verb)
            await until(partial(said, caller), refused, 30, f"{tool}: {verb} {rule.resources} refused")


def test_what_is_not_asked_here_needs_no_right_or_istioctl() -> None:
    assert set(TOOLS) - set(CALLS) == {
        "istio_generate_waypoint",
        "istio_generate_manifest",
        "istio_install_istio",
    }
    assert not TOOLS["istio_generate_waypoint"].needs
    assert not TOOLS["istio_generate_manifest"].needs
