"""A server whose backend is gone: not ready by its condition, yet reachable, so that its answer can say why."""

import pytest
import yaml
from fastmcp import Client

from tests.e2e.release import IMAGE, PATIENCE, Release, conditions
from tests.mcp import ToolCaller
from tests.waiting import until

pytestmark = [pytest.mark.pods, pytest.mark.timeout(900)]
KUBECONFIG = {
    "clusters": [{"name": "gone", "cluster": {"server": "https://10.255.255.1:6443"}}],
    "users": [{"name": "nobody", "user": {"token": "t"}}],
    "contexts": [{"name": "gone", "context": {"cluster": "gone", "user": "nobody"}}],
    "current-context": "gone",
}


async def test_dead_backend_keeps_endpoints(release: Release) -> None:
    await release.config_map("dead", {"kubeconfig": yaml.safe_dump(KUBECONFIG)})
    deployment = {
        "image": IMAGE,
        "port": 8083,
        "args": ["--host", "0.0.0.0", "--port", "8083", "--allow-unauthenticated"],
        "env": {"KUBECONFIG": "/configmaps/dead/kubeconfig", "KMCP_TIMEOUT": "5"},
        "configMapRefs": [{"name": "dead"}],
    }
    await release.server("cut-off", {"transportType": "http", "deployment": deployment})
    found = await release.when("cut-off", lambda seen: "backend: " in _ready(seen), "the backend's absence")
    assert conditions(found)["Ready"]["reason"] == "NotAvailable"
    assert "KUBECONFIG" in _ready(found), "what to set"
    await until(lambda: release.endpoints("cut-off"), bool, PATIENCE, "an endpoint")
    async with Client(await release.url("cut-off")) as client:
        failure = await ToolCaller(client).fails("k8s_get_resources", resource_type="pods")
    assert failure["code"] in ("unavailable", "timed_out")
    assert await release.endpoints("cut-off")


def _ready(found: dict[str, object]) -> str:
    return str((conditions(found).get("Ready") or {}).get("message", ""))
