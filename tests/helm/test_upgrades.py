"""Releases installed, upgraded and rolled back on the real cluster, and every way in which that fails."""

import asyncio
import re
from typing import Any

import mcp_types
import pytest
import yaml
from fastmcp import Client

from kmcp_helm.server import SERVER
from kmcp_runtime.engine.assembly import assemble
from kmcp_runtime.helm.settings import HelmSettings
from kmcp_runtime.kube.api import KubeApi
from tests.cluster.model import Cluster
from tests.helm.conftest import CHARTS, Cli
from tests.helm.storing import restate
from tests.mcp import ToolCaller
from tests.patience import patient

pytestmark = pytest.mark.cluster
BARE = str(CHARTS / "bare")
NESTED = {
    "settings": {"level": "debug", "nested": {"deep": {"deeper": [1, "two, three", {"four": None}]}}},
    "servers": [{"host": "a,b=c", "port": 1}, {"host": "d", "port": 2}],
}


async def data_of(api: KubeApi, namespace: str, name: str) -> dict[str, Any]:
    found = await api.get(f"/api/v1/namespaces/{namespace}/configmaps/{name}")
    return {key: yaml.safe_load(value) for key, value in found["data"].items()}


async def test_nested_values_and_lists_arrive_as_they_were_given(
    tools: ToolCaller, cli: Cli, api: KubeApi, namespace: str
) -> None:
    about = {"name": "web", "namespace": namespace, "chart": "web"}
    made = await tools.ok("helm_upgrade", **about, values=NESTED, install=True)
    assert (made["revision"], made["status"], made["result"], made["changed"]) == (1, "deployed", "installed", True)
    assert (made["chart"], made["chart_version"], made["app_version"]) == ("web", "1.2.3", "4.5")
    assert {(item["kind"], item["name"], item["change"]) for item in made["changes"]} == {
        ("ConfigMap", "web", "added"),
        ("Secret", "web", "added"),
        ("Deployment", "web", "added"),
        ("ConfigMap", "web-kept", "added"),
    }
    assert made["notes"].startswith("web 1.2.3 says hello")
    assert cli.json("get", "values", "-n", namespace, "web") == NESTED
    data = await data_of(api, namespace, "web")
    assert data["servers"] == NESTED["servers"]
    assert data["settings"]["nested"]["deep"] == {"deeper": [1, "two, three", {"four": None}]}


async def test_values_as_text_and_single_values_by_path(tools: ToolCaller, cli: Cli, namespace: str) -> None:
    about = {"name": "web", "namespace": namespace, "chart": "bare"}
    await tools.ok(
        "helm_upgrade",
        **about,
        install=True,
        values="servers: [{host: a, port: 1}, {host: b}]\n",
        set={"servers[1].port": 2, "settings.nested.deep": None, r"notes.a\.b/c": "x=1,y"},
    )
    assert cli.json("get", "values", "-n", namespace, "web") == {
        "servers": [{"host": "a", "port": 1}, {"host": "b", "port": 2}],
        "settings": {"nested": {"deep": None}},
        "notes": {"a.b/c": "x=1,y"},
    }
    await tools.ok("helm_upgrade", **about, set="greeting=hi,replicas=0,settings.level=error")
    assert cli.json("get", "values", "-n", namespace, "web") == {
        "greeting": "hi",
        "replicas": 0,
        "settings": {"level": "error"},
    }
    error = await tools.fails("helm_upgrade", **about, set={"a[": 1})
    assert (error["code"], "is not a path" in error["message"]) == ("bad_argument", True)
    error = await tools.fails("helm_upgrade", **about, values="a: [")
    assert (error["code"], "line 1, column" in error["message"]) == ("bad_argument", True)


@pytest.mark.parametrize(
    ("mode", "flag"),
    [
        ("default", None),
        ("reset", "--reset-values"),
        ("reuse", "--reuse-values"),
        ("reset_then_reuse", "--reset-then-reuse-values"),
    ],
)
async def test_each_values_mode_does_what_helm_does(
    tools: ToolCaller, cli: Cli, namespace: str, mode: str, flag: str | None
) -> None:
    for name in ("ours", "theirs"):
        cli("install", "-n", namespace, name, BARE, "--set", "greeting=first,settings.level=debug")
    second = {"settings": {"nested": {"deep": 9}}}
    await tools.ok("helm_upgrade", name="ours", namespace=namespace, chart="bare", values=second, values_mode=mode)
    flags = [flag] if flag else []
    cli("upgrade", "-n", namespace, "theirs", BARE, *flags, "--set", "settings.nested.deep=9")
    ours, theirs = (cli.json("get", "values", "--all", "-n", namespace, name) for name in ("ours", "theirs"))
    assert ours == theirs
    # Without new values Helm keeps the earlier ones in default mode.
    await tools.ok("helm_upgrade", name="ours", namespace=namespace, chart="bare", values_mode=mode)
    cli("upgrade", "-n", namespace, "theirs", BARE, *flags)
    ours, theirs = (cli.json("get", "values", "-n", namespace, name) for name in ("ours", "theirs"))
    assert ours == theirs


async def test_a_dry_run_shows_the_diff_and_changes_nothing(
    tools: ToolCaller, cli: Cli, api: KubeApi, namespace: str
) -> None:
    about = {"name": "web", "namespace": namespace, "chart": "web"}
    first = await tools.ok("helm_upgrade", **about, install=True, dry_run=True)
    assert (first["dry_run"], first["revision"], first["status"]) == (True, 1, "not installed")
    assert "kind: Deployment" in first["manifest"]
    assert "planted-default-password" not in str(first)
    assert cli.json("list", "-n", namespace, "--all") == []
    await tools.ok("helm_upgrade", **about, install=True)
    values = {"greeting": "bye", "auth": {"password": "planted-new-password"}, "extraObjects": 1}
    plan = await tools.ok("helm_upgrade", **about, values=values, dry_run=True)
    assert [(item["name"], item["change"]) for item in plan["changes"]] == [
        ("web", "changed"),
        ("web", "changed"),
        ("web-extra-0", "added"),
        ("web", "changed"),
    ]
    assert "-  greeting: hello" in plan["diff"]
    assert "+  greeting: bye" in plan["diff"]
    assert "planted" not in str(plan)
    assert "# Secret web: its values are hidden, and not compared" in plan["diff"]
    assert [line["revision"] for line in cli.json("history", "-n", namespace, "web")] == [1]
    assert (await data_of(api, namespace, "web"))["greeting"] == "hello"
    text = await tools.text("helm_upgrade", **about, values=values, dry_run=True)
    assert text.index("diff:") < text.index("manifest:")


async def test_a_failing_upgrade_is_told_and_rolled_back(
    tools: ToolCaller, cli: Cli, api: KubeApi, namespace: str
) -> None:
    about = {"name": "web", "namespace": namespace}
    await tools.ok("helm_upgrade", **about, chart="web", install=True)
    error = await tools.fails("helm_upgrade", **about, chart="web", values={"broken": True, "greeting": "bad"})
    assert error["code"] == "conflict"
    assert "cannot be handled as a ConfigMap" in error["message"]
    assert error["backend"] == "helm"
    history = await tools.ok("helm_history", **about)
    assert [(item["revision"], item["status"]) for item in history["items"]] == [(2, "failed"), (1, "deployed")]
    plan = await tools.ok("helm_rollback", **about, dry_run=True)
    assert (plan["from"], plan["to"], plan["dry_run"]) == (2, 1, True)
    assert "revision" not in plan
    # The Secret is not compared: a failed revision may hold a guess, and equality would confirm it.
    assert [(item["kind"], item["name"], item["change"]) for item in plan["changes"]] == [
        ("Secret", "web", "changed"),
        ("ConfigMap", "web", "changed"),
        ("ConfigMap", "web-broken", "removed"),
    ]
    assert "+  greeting: hello" in plan["diff"]
    back = await tools.ok("helm_rollback", **about)
    assert (back["from"], back["to"], back["revision"], back["status"]) == (2, 1, 3, "deployed")
    assert (await data_of(api, namespace, "web"))["greeting"] == "hello"
    printed = [(line["revision"], line["status"]) for line in cli.json("history", "-n", namespace, "web")]
    assert printed == [(1, "superseded"), (2, "failed"), (3, "deployed")]
    shown = await tools.ok("helm_history", **about)
    assert [(item["revision"], item["status"]) for item in shown["items"]] == list(reversed(printed))
    warned = await tools.ok("helm_rollback", **about, revision=2, dry_run=True)
    assert "revision 2 is failed" in warned["warnings"][0]
    error = await tools.fails("helm_rollback", **about, revision=7)
    assert (error["code"], "stored revisions: 3, 2, 1" in error["hint"]) == ("not_found", True)


async def test_a_release_that_is_not_there_needs_install(tools: ToolCaller, cli: Cli, namespace: str) -> None:
    cli("install", "-n", namespace, "shop", BARE)
    error = await tools.fails("helm_upgrade", name="shoop", namespace=namespace, chart="bare")
    assert error["code"] == "not_found"
    assert "install=true" in error["hint"]
    assert "did you mean shop?" in error["hint"]


async def test_a_pending_release_is_a_conflict_with_the_way_out(
    tools: ToolCaller, api: KubeApi, namespace: str
) -> None:
    about = {"name": "web", "namespace": namespace}
    for _ in range(2):
        await tools.ok("helm_upgrade", **about, chart="bare", install=True)
    await restate(api, namespace, "web", 2, "pending-upgrade")
    await restate(api, namespace, "web", 1, "deployed")
    error = await tools.fails("helm_upgrade", **about, chart="bare")
    assert error["code"] == "conflict"
    assert "pending-upgrade (revision 2, for " in error["message"]
    assert "helm_rollback revision=1" in error["hint"]
    listed = await tools.ok("helm_list_releases", namespace=namespace, pending=True)
    assert [item["status"] for item in listed["items"]] == ["pending-upgrade"]
    # H3: also without being asked for.
    (shown,) = (await tools.ok("helm_list_releases", namespace=namespace, filter="^web$"))["items"]
    assert (shown["status"], "helm_rollback frees it" in shown["way_out"]) == ("pending-upgrade", True)
    odd = await tools.ok("helm_list_releases", namespace=namespace, filter="^web$", deployed=True)
    assert (odd["items"], "1 matching releases" in odd["hint"]) == ([], True)
    back = await tools.ok("helm_rollback", **about, revision=1)
    assert (back["revision"], back["status"]) == (3, "deployed")


async def test_a_first_install_that_was_cut_off_is_freed_by_uninstall(
    tools: ToolCaller, api: KubeApi, namespace: str
) -> None:
    about = {"name": "web", "namespace": namespace}
    await tools.ok("helm_upgrade", **about, chart="bare", install=True)
    await restate(api, namespace, "web", 1, "pending-install")
    error = await tools.fails("helm_upgrade", **about, chart="bare", install=True)
    assert "helm_uninstall" in error["hint"]
    await tools.ok("helm_uninstall", **about)


async def test_values_that_the_chart_refuses_name_their_place(tools: ToolCaller, namespace: str) -> None:
    about = {"name": "web", "namespace": namespace, "chart": "web", "install": True}
    error = await tools.fails("helm_upgrade", **about, values={"replicas": "two", "settings": {"level": "loud"}})
    assert error["code"] == "bad_argument"
    assert "/replicas" in error["message"]
    assert "/settings/level" in error["message"]
    error = await tools.fails("helm_upgrade", **about, values={"auth": None})
    assert error["code"] == "bad_argument"
    assert "web/templates/objects.yaml:18" in error["message"]


async def test_objects_of_others_are_not_taken_over(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    await api.send("POST", f"/api/v1/namespaces/{namespace}/configmaps", (), {"metadata": {"name": "web"}})
    error = await tools.fails("helm_upgrade", name="web", namespace=namespace, chart="web", install=True)
    assert error["code"] == "conflict"
    assert "ConfigMap" in error["message"]
    assert "owns that object" in error["hint"]


async def test_a_namespace_is_made_when_asked_for(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    about = {"name": "web", "namespace": f"{namespace}-own", "chart": "bare", "install": True}
    error = await tools.fails("helm_upgrade", **about)
    assert error["code"] == "not_found"
    try:
        made = await tools.ok("helm_upgrade", **about, create_namespace=True)
        assert made["status"] == "deployed"
    finally:
        await api.send("DELETE", f"/api/v1/namespaces/{namespace}-own")


async def test_a_wait_that_ends_too_soon(tools: ToolCaller, cli: Cli, namespace: str) -> None:
    """It says what is not ready; with atomic it also leaves the release as it was."""
    plain, atomic = ({"name": name, "namespace": namespace, "chart": "web"} for name in ("plain", "atomic"))
    for about in (plain, atomic):
        await tools.ok("helm_upgrade", **about, install=True)
    more = {"values": {"replicas": 1}, "timeout_seconds": 8}
    # On a busy machine the Deployment's controller may be late itself.
    unready = "0 of 1 (new|updated) replicas|the controller has not yet seen the latest change"
    late, error = await asyncio.gather(
        tools.ok("helm_upgrade", **plain, **more, wait=True), tools.fails("helm_upgrade", **atomic, **more, atomic=True)
    )
    assert (late["timed_out"], late["status"], late["revision"]) == (True, "failed", 2)
    assert re.match(f"Deployment plain: ({unready})", late["not_ready"][0])
    assert "helm_rollback" in late["hint"]
    assert cli.json("status", "-n", namespace, "plain")["info"]["status"] == "failed"
    assert error["code"] == "timed_out"
    assert "rolled back" in error["message"]
    assert re.match(f"Deployment atomic: ({unready})", error["not_ready"][0])
    printed = [(line["revision"], line["status"]) for line in cli.json("history", "-n", namespace, "atomic")]
    assert printed == [(1, "superseded"), (2, "failed"), (3, "deployed")]


@pytest.mark.pods
async def test_progress_is_told_while_it_waits(
    settings: HelmSettings, cluster: Cluster, api: KubeApi, namespace: str
) -> None:
    told: list[tuple[float, str]] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, message or ""))

    values = {"replicas": 2, "image": cluster.image, "command": ["sleep", "3600"]}
    arguments = {"name": "web", "namespace": namespace, "chart": "web", "values": values, "install": True, "wait": True}
    async with Client(assemble(SERVER, settings, patient(approval="off")), progress_handler=note) as client:
        answer = await client.call_tool("helm_upgrade", arguments)
    assert isinstance(answer.content[0], mcp_types.TextContent)
    assert (answer.structured_content or {})["status"] == "deployed"
    found = await api.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/web")
    assert found["status"]["readyReplicas"] == 2
    messages = [message for _, message in told]
    assert any("creating" in message for message in messages)
    assert any("wait" in message for message in messages)
    assert [number for number, _ in told] == sorted({number for number, _ in told})


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        ({"name": "--post-renderer=/bin/sh"}, "bad_argument", "not a valid release name"),
        ({"chart": "--repo=https://evil.test"}, "bad_argument", "not a chart reference"),
        ({"chart": "-"}, "bad_argument", "not a chart reference"),
        ({"chart": "a\nb"}, "bad_argument", "not a chart reference"),
        ({"chart": "stable/web"}, "denied", "neither in a configured repository"),
        ({"chart": "nginx"}, "denied", "repositories: none"),
        ({"chart": "../conftest.py"}, "denied", "neither in a configured repository"),
        ({"chart": "/etc"}, "denied", "neither in a configured repository"),
        ({"chart": "."}, "denied", "neither in a configured repository"),
        ({"chart": "https://evil.test/web.tgz"}, "denied", "not among the hosts"),
        ({"chart": "http://127.0.0.1/web.tgz"}, "denied", "only https"),
        ({"chart": "oci://evil.test/web"}, "denied", "not among the hosts"),
        ({"chart": "file:///etc/passwd"}, "denied", "only https"),
        ({"chart": "https://u:p@evil.test/web.tgz"}, "denied", "credentials"),
        ({"version": "--devel"}, "bad_argument", "not a valid version"),
        ({"version": "1.2.3"}, "bad_argument", "local charts"),
        ({"timeout_seconds": 0}, "bad_argument", "between 1 and 3600"),
        ({"values_mode": "keep"}, "bad_argument", "values_mode"),
        ({"values": [1]}, "bad_argument", "values"),
        ({"value": {}}, "bad_argument", "did you mean values"),
    ],
)
async def test_bad_arguments_are_refused(
    tools: ToolCaller, namespace: str, arguments: dict[str, Any], code: str, why: str
) -> None:
    given = {"name": "web", "namespace": namespace, "chart": "web", "install": True, **arguments}
    error = await tools.fails("helm_upgrade", **given)
    assert error["code"] == code
    assert why in error["message"] + str(error.get("hint"))


async def test_system_namespaces_are_no_exception(tools: ToolCaller) -> None:
    plan = await tools.ok("helm_upgrade", name="web", namespace="kube-system", chart="web", install=True, dry_run=True)
    assert plan["namespace"] == "kube-system"


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
