"""Istio's installation: rendered, rehearsed on the real API server; by istioctl, by charts, or by neither."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastmcp import Client

from kmcp_istio.server import SERVER
from kmcp_istio.settings import IstioSettings
from kmcp_runtime.engine.assembly import assemble
from kmcp_runtime.kube.api import KubeApi
from tests.istio.conftest import Backend
from tests.istio.mesh import chart_settings
from tests.mcp import ToolCaller
from tests.patience import patient

pytestmark = pytest.mark.cluster


async def serve(settings: IstioSettings) -> AsyncIterator[ToolCaller]:
    async with Client(assemble(SERVER, settings, patient(approval="off"))) as client:
        yield ToolCaller(client)


@pytest.fixture
async def by_istioctl(settings: IstioSettings, backend: Backend, namespace: str) -> AsyncIterator[ToolCaller]:
    """The server of a machine with istioctl; its control plane would be in a namespace of the test."""
    update = {"istioctl": str(backend("istio")["istioctl"]), "istio_namespace": namespace}
    async for caller in serve(settings.model_copy(update=update)):
        yield caller


@pytest.fixture
async def by_charts(settings: IstioSettings, helm: Path, namespace: str, tmp_path: Path) -> AsyncIterator[ToolCaller]:
    """The server of a machine without istioctl, but with helm and Istio's charts."""
    async for caller in serve(chart_settings(settings, helm, tmp_path, namespace)):
        yield caller


@pytest.fixture
async def unaided(settings: IstioSettings) -> AsyncIterator[ToolCaller]:
    async for caller in serve(settings.model_copy(update={"istioctl": "/nowhere/istioctl"})):
        yield caller


async def test_with_neither(unaided: ToolCaller) -> None:
    for tool, arguments in (
        ("istio_generate_manifest", {}),
        ("istio_install_istio", {}),
        ("istio_install_istio", {"dry_run": True}),
    ):
        absent = await unaided.fails(tool, **arguments)
        assert absent["code"] == "unavailable"
        assert "/nowhere/istioctl" in absent["message"]
        assert "KMCP_ISTIOCTL" in absent["hint"]
        assert "KMCP_ISTIO_CHARTS" in absent["hint"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"profile": "ambiente"}, "did you mean ambient"),
        ({"set": {"--manifests": "/etc"}}, "not the path of a setting"),
        ({"set": {"-f": "/etc/passwd"}}, "not the path of a setting"),
        ({"set": {"a=b": "c"}}, "not the path of a setting"),
        ({"set": {"values.a b": "c"}}, "not the path of a setting"),
        ({"set": {"values..x": "c"}}, "not the path of a setting"),
        ({"set": {"installPackagePath": "/etc"}}, "read files of this server"),
        ({"set": {"profile": "demo"}}, "argument profile"),
        ({"set": {"revision": "x"}}, "argument revision"),
        ({"set": {"hub": "a\nb"}}, "control character"),
        ({"set": "nonsense"}, "is not path=value"),
        ({"revision": "-x"}, "revision"),
    ],
)
async def test_arguments_that_cannot_be_meant(unaided: ToolCaller, arguments: dict[str, Any], says: str) -> None:
    for tool in ("istio_generate_manifest", "istio_install_istio"):
        refused = await unaided.fails(tool, **arguments)
        assert refused["code"] == "bad_argument"
        assert says in refused["message"]


async def test_rendered_by_charts(by_charts: ToolCaller, namespace: str) -> None:
    told = await by_charts.ok("istio_generate_manifest", profile="minimal", revision="canary")
    names = {(each["kind"], each["name"]) for each in told["objects"]}
    assert ("Deployment", "istiod-canary") in names
    assert ("CustomResourceDefinition", "virtualservices.networking.istio.io") in names
    assert "istioctl is not on this server" in told["warnings"][0]
    assert "yaml" not in told
    shown = await by_charts.ok(
        "istio_generate_manifest",
        profile="minimal",
        kinds=["deployment"],
        output="yaml",
        set={
            "values.pilot.traceSampling": "7.5",
            "hub": "registry.example/istio",
            # As istioctl takes them: a tag is a text, and False is none, which would be true to a template.
            "tag": "1.30",
            "values.pilot.autoscaleEnabled": "False",
            "values.pilot.env.A": "+7",
        },
    )
    (deployment,) = list(yaml.safe_load_all(shown["yaml"]))
    assert deployment["metadata"]["namespace"] == namespace
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry.example/istio/pilot:1.30"
    assert deployment["spec"]["replicas"] == 1
    assert {"name": "A", "value": "7"} in container["env"]
    assert {"name": "PILOT_TRACE_SAMPLING", "value": "7.5"} in container["env"]
    ambient = await by_charts.ok("istio_generate_manifest", profile="ambient", kinds=["DaemonSet"])
    assert {each["name"] for each in ambient["objects"]} == {"istio-cni-node", "ztunnel"}
    assert (await by_charts.ok("istio_generate_manifest", profile="empty"))["objects"] == []
    other = await by_charts.fails("istio_generate_manifest", set={"components.cni.enabled": "true"})
    assert other["code"] == "bad_argument"
    assert "components.cni.enabled" in other["message"]
    unknown = await by_charts.fails("istio_generate_manifest", kinds=["Deploymnt"])
    assert unknown["code"] == "bad_argument"
    assert "Deployment" in unknown["hint"]


async def test_the_parts_of_a_long_manifest(by_charts: ToolCaller) -> None:
    whole = await by_charts.ok("istio_generate_manifest", profile="minimal", kinds=["ConfigMap"])
    seen: list[dict[str, Any]] = []
    cursor = None
    while True:
        part = await by_charts.ok(
            "istio_generate_manifest",
            profile="minimal",
            kinds=["ConfigMap"],
            output="yaml",
            cursor=cursor,
        )
        seen += part["objects"]
        cursor = part.get("cursor")
        if cursor is None:
            break
        assert part["truncated"] is True
        assert 0 < part["bytes_returned"] < part["bytes_total"]
    assert seen == whole["objects"]
    assert (await by_charts.fails("istio_generate_manifest", output="yaml", cursor="x"))["code"] == "bad_argument"


async def test_a_plan_by_charts(by_charts: ToolCaller, api: KubeApi, namespace: str) -> None:
    before = await api.get(f"/apis/apps/v1/namespaces/{namespace}/deployments")
    about = {"profile": "minimal", "revision": "canary", "set": {"values.global.resourceScope": "namespace"}}
    plan = await by_charts.ok("istio_install_istio", **about, dry_run=True)
    assert (plan["engine"], plan["installed"], plan["dry_run"]) == ("helm", False, True)
    changes = {each["kind"]: each for each in plan["changes"]}
    assert changes["Deployment"] == {"kind": "Deployment", "created": 1, "configured": 0, "unchanged": 0, "failed": 0}
    assert "CustomResourceDefinition" not in changes
    assert sum(sum(v for k, v in each.items() if k != "kind") for each in plan["changes"]) == len(plan["objects"])
    assert (await api.get(f"/apis/apps/v1/namespaces/{namespace}/deployments"))["items"] == before["items"]


async def test_I3_a_plan_fails_where_the_installation_would(by_charts: ToolCaller, namespace: str) -> None:
    """The kinds of Istio are on the cluster, and no release of Helm has made them."""
    for dry_run in (True, False):
        error = await by_charts.fails("istio_install_istio", profile="minimal", revision="canary", dry_run=dry_run)
        assert (error["code"], "CustomResourceDefinition" in error["message"]) == ("conflict", True), error
        assert "owns that object" in error["hint"]
