"""A policy for one namespace and Helm: what a chart brings for other places is refused before helm sends anything."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastmcp import Client

from kmcp_helm.server import SERVER
from kmcp_runtime.engine.assembly import assemble
from kmcp_runtime.helm.settings import HelmSettings
from kmcp_runtime.kube.api import KubeApi
from tests.helm.conftest import Cli
from tests.mcp import ToolCaller
from tests.patience import patient

pytestmark = pytest.mark.cluster
NEAR = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: near}\n"
ROLE = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: charts-far}\nrules: []\n"
AWAY = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: charts-away, namespace: default}\n"
HOOK = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: charts-hook\n  namespace: default\n"
HOOK += '  annotations: {"helm.sh/hook": pre-install}\n'
ITEMS = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n"
ITEMS += "  metadata: {name: charts-item, namespace: default}\n"
FAR = {"far": ROLE, "away": AWAY, "hook": HOOK, "items": ITEMS}


@pytest.fixture
def charts(tmp_path: Path) -> Path:
    folder = tmp_path / "charts"
    for name, text in {"near": NEAR, **{each: f"{NEAR}---\n{more}" for each, more in FAR.items()}}.items():
        (folder / name / "templates").mkdir(parents=True)
        (folder / name / "Chart.yaml").write_text(f"apiVersion: v2\nname: {name}\nversion: 1.0.0\n")
        (folder / name / "templates" / "all.yaml").write_text(text)
    return folder


@pytest.fixture
async def team(settings: HelmSettings, charts: Path, namespace: str, tmp_path: Path) -> AsyncIterator[ToolCaller]:
    """The server under a policy that allows everything in one namespace."""
    policy = tmp_path / "policy.cedar"
    policy.write_text(
        f'@id("own") permit (principal, action, resource) when {{ resource.namespace == "{namespace}" }};'
    )
    mine = settings.model_copy(update={"chart_directory": str(charts)})
    async with Client(assemble(SERVER, mine, patient(approval="off", policy=str(policy)))) as client:
        yield ToolCaller(client)


async def test_a_chart_that_stays_in_the_namespace_is_installed_and_removed(
    team: ToolCaller, cli: Cli, api: KubeApi, namespace: str
) -> None:
    about = {"name": "a", "namespace": namespace}
    await team.ok("helm_upgrade", **about, chart="near", install=True)
    assert [each["name"] for each in (await team.ok("helm_list_releases", namespace=namespace))["items"]] == ["a"]
    every = await team.fails("helm_list_releases", all_namespaces=True)
    assert every["code"] == "denied"
    assert f"namespace={namespace}" in every["hint"]
    assert (await team.fails("helm_list_releases"))["code"] == "denied"
    assert (await team.fails("helm_get_release", name="a", namespace="default"))["code"] == "denied"
    for name in FAR:
        refused = await team.fails("helm_upgrade", **about, chart=name)
        assert refused["code"] == "denied", name
    assert [line["revision"] for line in cli.json("history", "-n", namespace, "a")] == [1]
    await team.ok("helm_uninstall", **about)
    assert cli.json("list", "-n", namespace, "--all") == []


async def test_nothing_of_a_chart_for_other_places_is_installed(
    team: ToolCaller, cli: Cli, api: KubeApi, namespace: str
) -> None:
    for name in FAR:
        for dry_run in (True, False):
            refused = await team.fails(
                "helm_upgrade", name="b", namespace=namespace, chart=name, install=True, dry_run=dry_run
            )
            assert refused["code"] == "denied", (name, refused)
    absent = await team.fails(
        "helm_upgrade", name="b", namespace=namespace, chart="near", install=True, create_namespace=True
    )
    assert absent["code"] == "denied"
    assert cli.json("list", "-n", namespace, "--all") == []
    assert await api.find(f"/api/v1/namespaces/{namespace}/configmaps/near") is None
    assert await api.find("/api/v1/namespaces/default/configmaps/charts-hook") is None


async def test_a_release_with_objects_elsewhere_is_not_uninstalled(
    team: ToolCaller, tools: ToolCaller, cli: Cli, charts: Path, api: KubeApi, namespace: str
) -> None:
    cli("install", "-n", namespace, "c", str(charts / "away"))
    try:
        refused = await team.fails("helm_uninstall", name="c", namespace=namespace)
        assert refused["code"] == "denied"
        assert "default/charts-away" in refused["message"]
        assert (await team.fails("helm_uninstall", name="c", namespace=namespace, dry_run=True))["code"] == "denied"
        assert await api.find("/api/v1/namespaces/default/configmaps/charts-away") is not None
    finally:
        cli("uninstall", "-n", namespace, "c")
