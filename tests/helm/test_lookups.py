"""Charts that look into the cluster while they are rendered."""

import base64
import json

import pytest

from kmcp_runtime.kube.api import KubeApi
from tests.mcp import ToolCaller

pytestmark = pytest.mark.cluster
VALUE = "Zq7planted-in-a-secret-9Lw"


@pytest.mark.parametrize(
    "look",
    [
        '{{ lookup "v1" "Secret" .Release.Namespace "db" | toJson }}',
        '{{ dig "data" "key" "none" (lookup "v1" "Secret" .Release.Namespace "db") | b64dec }}',
    ],
)
async def test_L3_a_rehearsal_does_not_look_up_secrets(
    tools: ToolCaller, api: KubeApi, namespace: str, look: str
) -> None:
    encoded = base64.b64encode(VALUE.encode()).decode()
    body = {"metadata": {"name": "db"}, "data": {"key": encoded}}
    await api.send("POST", f"/api/v1/namespaces/{namespace}/secrets", (), body)
    about = {"name": "web", "namespace": namespace, "chart": "looking", "values": {"extraDeploy": look}}
    answer = await tools.ok("helm_upgrade", **about, install=True, dry_run=True)
    assert "extra:" in answer["manifest"]
    assert VALUE not in json.dumps(answer)
    assert encoded not in json.dumps(answer)
