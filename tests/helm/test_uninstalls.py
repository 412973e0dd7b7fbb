"""Releases uninstalled: planned from what is stored, approved, with and without their history."""

import pytest
from fastmcp import Client

from kmcp_helm.server import SERVER
from kmcp_runtime.engine.assembly import assemble
from kmcp_runtime.helm.settings import HelmSettings
from kmcp_runtime.kube.api import KubeApi
from tests.asked import refused_as_changed, yes_after
from tests.helm.conftest import CHARTS, Cli
from tests.mcp import ToolCaller
from tests.patience import patient

pytestmark = pytest.mark.cluster


@pytest.fixture
def release(cli: Cli, namespace: str) -> str:
    cli("install", "-n", namespace, "web", str(CHARTS / "web"))
    return "web"


@pytest.fixture
def bare(cli: Cli, namespace: str) -> str:
    """A release without objects, for what its history is about."""
    cli("install", "-n", namespace, "bare", str(CHARTS / "bare"))
    return "bare"


async def names(api: KubeApi, namespace: str, plural: str) -> set[str]:
    listed = await api.get(f"/api/v1/namespaces/{namespace}/{plural}")
    return {item["metadata"]["name"] for item in listed["items"]}


async def test_an_uninstall_takes_what_it_said_it_would(
    tools: ToolCaller, cli: Cli, api: KubeApi, namespace: str, release: str
) -> None:
    about = {"name": release, "namespace": namespace}
    plan = await tools.ok("helm_uninstall", **about, dry_run=True)
    assert {(item["kind"], item["name"]) for item in plan["objects"]} == {
        ("ConfigMap", "web"),
        ("Secret", "web"),
        ("Deployment", "web"),
    }
    assert [(item["kind"], item["name"]) for item in plan["kept"]] == [("ConfigMap", "web-kept")]
    assert (plan["dry_run"], plan["history"]) == (True, "deleted")
    assert "web" in await names(api, namespace, "configmaps")
    done = await tools.ok("helm_uninstall", **about)
    assert (done["objects"], done["kept"], done["result"]) == (plan["objects"], plan["kept"], "uninstalled")
    left = await names(api, namespace, "configmaps")
    assert "web" not in left
    assert "web-kept" in left
    assert cli.json("list", "-n", namespace, "--all") == []
    error = await tools.fails("helm_uninstall", **about)
    assert error["code"] == "not_found"


async def test_history_is_kept_when_asked_for(tools: ToolCaller, cli: Cli, namespace: str, release: str) -> None:
    about = {"name": release, "namespace": namespace}
    done = await tools.ok("helm_uninstall", **about, keep_history=True, wait=True)
    assert done["history"] == "kept"
    assert [line["status"] for line in cli.json("history", "-n", namespace, "web")] == ["uninstalled"]
    error = await tools.fails("helm_uninstall", **about, keep_history=True)
    assert (error["code"], "already uninstalled" in error["message"]) == ("conflict", True)
    back = await tools.ok("helm_rollback", **about, revision=1)
    assert (back["revision"], back["status"]) == (2, "deployed")
    await tools.ok("helm_uninstall", **about, keep_history=True)
    gone = await tools.ok("helm_uninstall", **about)
    assert gone["objects"] == []
    assert cli.json("list", "-n", namespace, "--all") == []


async def test_a_kept_release_can_be_installed_again(tools: ToolCaller, cli: Cli, namespace: str, bare: str) -> None:
    about = {"name": bare, "namespace": namespace}
    await tools.ok("helm_uninstall", **about, keep_history=True)
    again = await tools.ok("helm_upgrade", **about, chart="bare", install=True)
    assert (again["revision"], again["status"], again["result"]) == (2, "deployed", "installed")


async def test_nothing_is_uninstalled_without_a_yes(
    settings: HelmSettings, api: KubeApi, namespace: str, release: str
) -> None:
    about = {"name": release, "namespace": namespace}
    async with Client(assemble(SERVER, settings, patient())) as client:
        caller = ToolCaller(client)
        refused = await caller.fails("helm_uninstall", **about)
        assert refused["code"] == "approval_required"
        assert {item["kind"] for item in refused["plan"]["objects"]} == {"ConfigMap", "Secret", "Deployment"}
        assert "web" in await names(api, namespace, "configmaps")
        await caller.ok("helm_uninstall", **about, approval=refused["approval"])
    assert "web" not in await names(api, namespace, "configmaps")


@pytest.mark.parametrize("anew", [False, True], ids=["upgraded", "installed anew"])
async def test_A4_a_release_that_others_changed_after_the_plan_survives(
    settings: HelmSettings, cli: Cli, api: KubeApi, namespace: str, release: str, anew: bool
) -> None:
    async def meanwhile() -> None:
        if anew:
            cli("uninstall", "-n", namespace, release, "--wait")
            cli("install", "-n", namespace, release, str(CHARTS / "web"), "--take-ownership")
        else:
            cli("upgrade", "-n", namespace, release, str(CHARTS / "web"))

    async with yes_after(SERVER, settings, meanwhile) as caller:
        await refused_as_changed(caller, "helm_uninstall", name=release, namespace=namespace)
    assert "web" in await names(api, namespace, "configmaps")


async def test_orphans_stay(tools: ToolCaller, api: KubeApi, namespace: str, release: str) -> None:
    await tools.ok("helm_uninstall", name=release, namespace=namespace, cascade="orphan")
    error = await tools.fails("helm_uninstall", name=release, namespace=namespace, cascade="all")
    assert error["code"] == "bad_argument"
