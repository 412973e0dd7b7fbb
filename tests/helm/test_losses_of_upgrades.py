"""D2, D3: what an upgrade or a rollback loses of what is live, and what only the cluster decides, is asked."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastmcp import Client

from kmcp_helm.server import SERVER
from kmcp_runtime.engine.assembly import assemble
from kmcp_runtime.helm.settings import HelmSettings
from kmcp_runtime.kube.api import KubeApi
from tests.mcp import ToolCaller
from tests.patience import patient

pytestmark = pytest.mark.cluster
_CHART = "apiVersion: v2\nname: drift\nversion: 1.0.0\n"
_SET = """apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: w}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: w}}
  template:
    metadata: {labels: {app: w}}
    spec: {schedulerName: none, containers: [{name: c, image: none}]}
"""
_LOOKING = """{{ $by_chance := randAlphaNum 8 }}{{ if not (lookup "v1" "ConfigMap" .Release.Namespace "switch") }}
apiVersion: v1
kind: ConfigMap
metadata: {name: precious}
data: {a: b}
{{ end }}
"""


@pytest.fixture
async def careful(settings: HelmSettings, tmp_path: Path) -> AsyncIterator[ToolCaller]:
    """The server as it is by default, for a client that cannot be asked, with one chart."""
    chart = tmp_path / "charts" / "drift"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text(_CHART)
    (chart / "values.yaml").write_text("replicas: 0\n")
    (chart / "templates" / "set.yaml").write_text(_SET)
    (chart / "templates" / "looking.yaml").write_text(_LOOKING)
    own = settings.model_copy(update={"chart_directory": str(chart.parent)})
    async with Client(assemble(SERVER, own, patient())) as client:
        yield ToolCaller(client)


async def test_what_is_live_and_what_is_looked_up_decide(careful: ToolCaller, api: KubeApi, namespace: str) -> None:
    about = {"name": "drift", "namespace": namespace}
    maps, sets = f"/api/v1/namespaces/{namespace}/configmaps", f"/apis/apps/v1/namespaces/{namespace}/replicasets"
    assert (await careful.ok("helm_upgrade", **about, chart="drift", install=True))["revision"] == 1
    # What loses nothing asks nothing.
    assert (await careful.ok("helm_upgrade", **about, chart="drift", values={"replicas": 0}))["revision"] == 2

    await api.send("PATCH", f"{sets}/w", (), {"spec": {"replicas": 2}}, "application/merge-patch+json")
    error = await careful.fails("helm_upgrade", **about, chart="drift")
    assert error["plan"]["destroys"] == [f"scales ReplicaSet {namespace}/w from 2 to 0"]
    error = await careful.fails("helm_rollback", **about, revision=1)
    assert f"scales ReplicaSet {namespace}/w from 2 to 0" in error["plan"]["destroys"]
    assert (await api.get(f"{sets}/w"))["spec"]["replicas"] == 2

    await api.send("POST", maps, (), {"metadata": {"name": "switch"}})
    call = {**about, "chart": "drift", "values": {"replicas": 2}}
    error = await careful.fails("helm_upgrade", **call)
    assert error["plan"]["destroys"] == [f"deletes ConfigMap {namespace}/precious"]
    assert (await api.get(f"{maps}/precious"))["data"]["a"] == "b"
    await careful.ok("helm_upgrade", **call, approval=error["approval"])
    assert await api.find(f"{maps}/precious") is None
