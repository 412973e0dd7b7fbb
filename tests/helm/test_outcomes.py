"""What becomes of an operation of helm: what stands in its way, why it failed, what it leaves in place."""

import random
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastmcp import Client

from kmcp_helm.server import SERVER
from kmcp_runtime.engine.assembly import assemble
from kmcp_runtime.helm.settings import HelmSettings
from kmcp_runtime.kube.api import KubeApi
from tests.cluster.model import Cluster
from tests.helm.conftest import CHARTS, Cli
from tests.mcp import ToolCaller
from tests.patience import patient

pytestmark = pytest.mark.cluster
BARE = str(CHARTS / "bare")


def write_kept(chart: Path, policy: str = "keep") -> None:
    """An object of the chart with a resource policy."""
    metadata = {"name": "kept", "annotations": {"helm.sh/resource-policy": policy}}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    (chart / "templates" / "kept.yaml").write_text(yaml.safe_dump(body))


async def test_I3_a_rehearsal_fails_where_the_run_would(
    tools: ToolCaller, cli: Cli, api: KubeApi, namespace: str
) -> None:
    """An object of the chart is there and belongs to nobody, or to another release; or to this one."""
    about: dict[str, Any] = {"name": "web", "namespace": namespace, "chart": "web", "install": True}
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    other = {
        "labels": {"app.kubernetes.io/managed-by": "Helm"},
        "annotations": {"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": namespace},
    }
    for metadata in ({}, other):
        await api.send("POST", path, (), {"metadata": {"name": "web", **metadata}})
        for dry_run in (True, False):
            error = await tools.fails("helm_upgrade", **about, dry_run=dry_run)
            assert (error["code"], "owns that object" in error["hint"]) == ("conflict", True), error
            assert 'ConfigMap "web"' in error["message"]
        await api.send("DELETE", f"{path}/web")
    cli("install", "-n", namespace, "web", BARE)
    await api.send("POST", path, (), {"metadata": {"name": "web"}})
    for dry_run in (True, False):
        error = await tools.fails("helm_upgrade", **about, dry_run=dry_run)
        assert error["code"] == "conflict"
    await api.send("DELETE", f"{path}/web")
    own = {**other, "annotations": {**other["annotations"], "meta.helm.sh/release-name": "web"}}
    await api.send("POST", path, (), {"metadata": {"name": "web", **own}})
    for dry_run in (True, False):
        assert (await tools.ok("helm_upgrade", **about, dry_run=dry_run))["changed"] is True


@pytest.mark.pods
async def test_H6_a_hook_that_fails_is_named_with_its_log(tools: ToolCaller, cluster: Cluster, namespace: str) -> None:
    """By its own end, by the deadline of the call, and of an uninstall."""
    about = {"name": "web", "namespace": namespace}
    script = "echo 'no route to db-7'; echo 'password=planted-in-a-hook-log'; "
    hook: dict[str, Any] = {"job": cluster.image, "command": ["sh", "-c", script + "exit 3"]}
    error = await tools.fails("helm_upgrade", **about, chart="web", install=True, values=hook)
    assert (error["code"], "a hook of the chart failed" in error["hint"]) == ("conflict", True), error
    assert "end of the log of job web-job, container main: no route to db-7" in error["message"]
    assert "planted" not in str(error)
    hook["command"] = ["sh", "-c", script + "exec tail -f /dev/null"]
    error = await tools.fails("helm_upgrade", **about, chart="web", install=True, values=hook, timeout_seconds=15)
    assert error["code"] == "timed_out", error
    assert "no route to db-7" in error["message"]


async def test_H6_a_release_that_is_too_large_is_named(
    settings: HelmSettings, helm: Path, namespace: str, tmp_path: Path
) -> None:
    shutil.copytree(CHARTS / "bare", tmp_path / "large")
    (tmp_path / "large" / "data.bin").write_bytes(random.Random(1).randbytes(2_000_000))
    own = settings.model_copy(update={"chart_directory": str(tmp_path)})
    async with Client(assemble(SERVER, own, patient(approval="off"))) as client:
        about = {"name": "large", "namespace": namespace, "chart": "large", "install": True}
        error = await ToolCaller(client).fails("helm_upgrade", **about)
    assert (error["code"], "1 MiB" in error["hint"]) == ("too_large", True), error


async def test_H7_definitions_of_a_chart_and_kept_objects_are_told(
    settings: HelmSettings, cli: Cli, api: KubeApi, namespace: str, tmp_path: Path
) -> None:
    """As helm does: crds/ is installed once and never touched again; a kept object stays and is forgotten."""
    chart, group = tmp_path / "kinds", f"{namespace}.example.com"
    (chart / "crds").mkdir(parents=True)
    (chart / "templates").mkdir()
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: kinds\nversion: 1.0.0\n")
    names = {"plural": "toys", "singular": "toy", "kind": "Toy"}
    schema = {"openAPIV3Schema": {"type": "object"}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    spec = {"group": group, "scope": "Namespaced", "names": names, "versions": [version]}
    about = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
    definition = {**about, "metadata": {"name": f"toys.{group}"}, "spec": spec}
    (chart / "crds" / "toys.yaml").write_text(yaml.safe_dump(definition))
    write_kept(chart)
    own = settings.model_copy(update={"chart_directory": str(tmp_path)})
    call: dict[str, Any] = {"name": "kinds", "namespace": namespace, "chart": "kinds"}
    async with Client(assemble(SERVER, own, patient(approval="off"))) as client:
        tools = ToolCaller(client)
        try:
            plan = await tools.ok("helm_upgrade", **call, install=True, dry_run=True)
            assert plan["result"] == "would be installed"
            assert f"would be installed where they are absent, and stay after an uninstall (toys.{group})" in str(plan)
            done = await tools.ok("helm_upgrade", **call, install=True)
            assert (done["result"], "were installed where they are absent" in str(done["warnings"])) == (
                "installed",
                True,
            )
            (chart / "templates" / "kept.yaml").write_text("")
            for dry_run, word in ((True, "would be upgraded"), (False, "upgraded")):
                found = await tools.ok("helm_upgrade", **call, dry_run=dry_run)
                assert found["result"] == word
                assert found["changes"] == [{"kind": "ConfigMap", "name": "kept", "change": "kept"}]
                assert "apply newer ones yourself" in found["warnings"][-1]
                assert (await api.get(f"/api/v1/namespaces/{namespace}/configmaps/kept"))["metadata"]["name"] == "kept"
            # An uninstall reads the policy more freely than an upgrade.
            for policy, word in (("Keep ", "removed"), ("keep", "kept")):
                write_kept(chart, policy)
                await api.send("DELETE", f"/api/v1/namespaces/{namespace}/configmaps/kept")
                await tools.ok("helm_upgrade", **call)
                plan = await tools.ok("helm_uninstall", name="kinds", namespace=namespace, dry_run=True)
                assert plan["result"] == "would be uninstalled"
                assert plan["kept"] == [{"kind": "ConfigMap", "name": "kept"}]
                (chart / "templates" / "kept.yaml").write_text("")
                found = await tools.ok("helm_upgrade", **call)
                assert [each["change"] for each in found["changes"]] == [word]
                there = await api.find(f"/api/v1/namespaces/{namespace}/configmaps/kept")
                assert (there is None) is (word == "removed")
                if there is None:
                    await api.send(
                        "POST", f"/api/v1/namespaces/{namespace}/configmaps", (), {"metadata": {"name": "kept"}}
                    )
        finally:
            await api.send("DELETE", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/toys.{group}")
