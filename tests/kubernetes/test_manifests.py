"""Manifests: server-side apply, creation, and creation from the web."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastmcp import Client

from kmcp_kubernetes.server import SERVER
from kmcp_kubernetes.settings import KubernetesSettings
from kmcp_runtime.engine.assembly import assemble
from kmcp_runtime.kube.api import KubeApi
from tests.kubernetes.conftest import pod
from tests.mcp import ToolCaller
from tests.patience import patient

pytestmark = pytest.mark.cluster
APPLY = "application/apply-patch+yaml"


def config_map(name: str, namespace: str | None = None, **data: str) -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def deployment(name: str, replicas: int | None = 0, **labels: str) -> dict[str, Any]:
    container = {"name": "main", "image": "nowhere.invalid/app:1"}
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
    spec: dict[str, Any] = {"selector": {"matchLabels": {"app": name}}, "template": template}
    if replicas is not None:
        spec["replicas"] = replicas
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": labels}, "spec": spec}


async def config_maps(api: KubeApi, namespace: str) -> list[str]:
    found = await api.get(f"/api/v1/namespaces/{namespace}/configmaps")
    return [item["metadata"]["name"] for item in found["items"]]


def text(*documents: dict[str, Any]) -> str:
    return yaml.safe_dump_all(documents)


async def test_apply_creates_configures_and_leaves_alone(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    manifest = text(config_map("one", a="1"), config_map("two", a="1"))
    rehearsed = await tools.ok("k8s_apply_manifest", manifest=manifest, namespace=namespace, dry_run=True)
    assert [item["result"] for item in rehearsed["items"]] == ["created", "created"]
    assert rehearsed["dry_run"] is True
    assert rehearsed["changed"] is True
    assert (await api.get(f"/api/v1/namespaces/{namespace}/configmaps?labelSelector=a"))["items"] == []

    done = await tools.ok("k8s_apply_manifest", manifest=manifest, namespace=namespace)
    assert done["field_manager"] == "kmcp-suite"
    assert done["returned"] == 2
    assert done["items"][0] == {
        "kind": "ConfigMap",
        "api_version": "v1",
        "name": "one",
        "namespace": namespace,
        "result": "created",
        "diff": done["items"][0]["diff"],
    }
    assert "+  a: '1'" in done["items"][0]["diff"]
    assert "managedFields" not in json.dumps(done)

    again = await tools.ok("k8s_apply_manifest", manifest=manifest, namespace=namespace)
    assert [item["result"] for item in again["items"]] == ["unchanged", "unchanged"]
    assert again["changed"] is False
    assert "diff" not in again["items"][0]

    manifest = text(config_map("one", a="2"), config_map("two", a="1"))
    changed = await tools.ok("k8s_apply_manifest", manifest=manifest, namespace=namespace)
    assert [item["result"] for item in changed["items"]] == ["configured", "unchanged"]
    assert "-  a: '1'\n+  a: '2'" in changed["items"][0]["diff"]


async def test_apply_takes_json_and_lists_and_the_documents_own_namespace(tools: ToolCaller, namespace: str) -> None:
    listed = {"apiVersion": "v1", "kind": "List", "items": [config_map("in-list", namespace, a="1")]}
    done = await tools.ok("k8s_apply_manifest", manifest=json.dumps(listed))
    assert [(item["name"], item["namespace"]) for item in done["items"]] == [("in-list", namespace)]


async def test_apply_warns_of_fields_that_it_gives_up(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    await tools.ok("k8s_apply_manifest", manifest=text(config_map("c", a="1", b="2")), namespace=namespace)
    for dry_run in (True, False):
        done = await tools.ok(
            "k8s_apply_manifest", manifest=text(config_map("c", a="1")), namespace=namespace, dry_run=dry_run
        )
        assert "data.b" in done["warnings"][0]
        assert "data.a" not in done["warnings"][0]
    assert (await api.get(f"/api/v1/namespaces/{namespace}/configmaps/c"))["data"] == {"a": "1"}
    assert "warnings" not in await tools.ok(
        "k8s_apply_manifest", manifest=text(config_map("c", a="3")), namespace=namespace
    )


async def test_apply_leaves_what_others_own(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/web"
    theirs = deployment("web", 3, team="blue")
    await api.send("PATCH", path, [("fieldManager", "other"), ("force", "false")], theirs, APPLY)
    done = await tools.ok(
        "k8s_apply_manifest", manifest=text(deployment("web", None, tier="front")), namespace=namespace
    )
    assert done["items"][0]["result"] == "configured"
    found = await api.get(path)
    assert found["spec"]["replicas"] == 3
    assert found["metadata"]["labels"] == {"team": "blue", "tier": "front"}
    owners = {entry["manager"]: json.dumps(entry["fieldsV1"]) for entry in found["metadata"]["managedFields"]}
    assert "f:replicas" in owners["other"]
    assert "f:team" in owners["other"]
    assert "f:replicas" not in owners["kmcp-suite"]


async def test_apply_conflict_names_manager_and_field(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/web"
    await api.send("PATCH", path, [("fieldManager", "other"), ("force", "false")], deployment("web", 3), APPLY)
    failed = await tools.fails("k8s_apply_manifest", manifest=text(deployment("web", 5)), namespace=namespace)
    assert failed["code"] == "conflict"
    assert ".spec.replicas" in failed["message"]
    assert '"other"' in failed["message"]
    assert "force=true" in failed["hint"]

    several = text(config_map("beside", a="1"), deployment("web", 5), config_map("after", a="1"))
    done = await tools.ok("k8s_apply_manifest", manifest=several, namespace=namespace)
    assert [item["result"] for item in done["items"]] == ["created", "failed", "created"]
    assert done["items"][1]["error"]["code"] == "conflict"
    assert "1 of 3" in done["hint"]
    assert (await api.get(path))["spec"]["replicas"] == 3

    forced = await tools.ok("k8s_apply_manifest", manifest=text(deployment("web", 5)), namespace=namespace, force=True)
    assert forced["items"][0]["result"] == "configured"
    found = await api.get(path)
    assert found["spec"]["replicas"] == 5
    entries = [entry for entry in found["metadata"]["managedFields"] if "subresource" not in entry]
    managers = [entry["manager"] for entry in entries if "f:replicas" in json.dumps(entry["fieldsV1"])]
    assert managers == ["kmcp-suite"]


async def test_namespaces_go_first_and_are_rehearsed_as_far_as_possible(tools: ToolCaller, api: KubeApi) -> None:
    name = f"t-{uuid.uuid4().hex[:10]}"
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    manifest = text(config_map("inside", name, a="1"), space)
    try:
        for tool, argument in (("k8s_apply_manifest", "manifest"), ("k8s_create_resource", "yaml_content")):
            rehearsed = await tools.ok(tool, **{argument: manifest}, dry_run=True)
            assert [(item["kind"], item["result"]) for item in rehearsed["items"]] == [
                ("Namespace", "created"),
                ("ConfigMap", "created"),
            ]
            assert len(rehearsed["warnings"]) == 1
            assert "inside could not be checked: its namespace" in rehearsed["warnings"][0]
        done = await tools.ok("k8s_apply_manifest", manifest=manifest)
        assert [item["result"] for item in done["items"]] == ["created", "created"]
        assert "warnings" not in done
        assert (await api.get(f"/api/v1/namespaces/{name}/configmaps/inside"))["data"] == {"a": "1"}
    finally:
        await api.send("DELETE", f"/api/v1/namespaces/{name}")


async def test_a_definition_and_an_object_of_its_kind(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    group = f"g{uuid.uuid4().hex[:8]}.example.com"
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
    }
    widget = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 1}}
    manifest = text(widget, definition)
    try:
        rehearsed = await tools.ok("k8s_apply_manifest", manifest=manifest, namespace=namespace, dry_run=True)
        assert [item["result"] for item in rehearsed["items"]] == ["created", "created"]
        assert "w could not be checked: its kind" in rehearsed["warnings"][0]
        done = await tools.ok("k8s_apply_manifest", manifest=manifest, namespace=namespace)
        assert [(item["kind"], item["result"]) for item in done["items"]] == [
            ("CustomResourceDefinition", "created"),
            ("Widget", "created"),
        ]
        widget["spec"] = {"siez": 2}
        failed = await tools.fails("k8s_apply_manifest", manifest=text(widget), namespace=namespace)
        assert failed["code"] == "bad_argument"
        assert "spec.siez: did you mean size?" in failed["hint"]
    finally:
        await api.send("DELETE", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.{group}")


@pytest.mark.parametrize(
    ("tool", "argument"), [("k8s_apply_manifest", "manifest"), ("k8s_create_resource", "yaml_content")]
)
@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        ("kind: [", ("document 1", "line 1", "column 7")),
        (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\nkind: x\n  y: z",
            ("document 2", "line 6", "column 4"),
        ),
        ("a: 1\na: 2", ("line 2", "twice")),
        ("kind: ConfigMap\nmetadata: {name: a}", ("document 1 (line 1)", "apiVersion")),
        ("apiVersion: v1\nmetadata: {name: a}", ("document 1", "kind")),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {}", ("document 1", "metadata.name")),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\n- 1", ("document 2 (line 5)", "list")),
        ("just text", ("document 1", "str")),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a/b}", ("document 1", "'a/b'")),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '..'}", ("document 1", "'..'")),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: -b}", ("document 1", "'-b'")),
        ("# nothing", ("no document",)),
    ],
)
async def test_unreadable_manifests_change_nothing(
    tools: ToolCaller, api: KubeApi, namespace: str, tool: str, argument: str, manifest: str, said: tuple[str, ...]
) -> None:
    failed = await tools.fails(tool, **{argument: manifest}, namespace=namespace)
    assert failed["code"] == "bad_argument"
    for part in said:
        assert part in failed["message"]
    names = await config_maps(api, namespace)
    assert "a" not in names


async def test_unknown_fields_and_types_are_told_with_their_path(tools: ToolCaller, namespace: str) -> None:
    wrong = deployment("web")
    wrong["spec"]["template"]["spec"]["containers"][0]["imge"] = "x"
    for tool, argument in (("k8s_apply_manifest", "manifest"), ("k8s_create_resource", "yaml_content")):
        failed = await tools.fails(tool, **{argument: text(wrong)}, namespace=namespace)
        assert failed["code"] == "bad_argument"
        assert "spec.template.spec.containers" in failed["message"]
        assert "imge: did you mean image?" in failed["hint"]
    several = await tools.ok("k8s_apply_manifest", manifest=text(wrong, config_map("c", a="1")), namespace=namespace)
    assert [item["result"] for item in several["items"]] == ["failed", "created"]
    assert several["items"][0]["error"]["code"] == "bad_argument"

    mistyped = {**config_map("d"), "data": {"a": 1}}
    failed = await tools.fails("k8s_apply_manifest", manifest=text(mistyped), namespace=namespace)
    assert failed["code"] == "bad_argument"
    assert ".data.a: expected string" in failed["message"]


async def test_unknown_kinds_and_namespaces(tools: ToolCaller, namespace: str) -> None:
    unknown = {**config_map("a"), "kind": "ConfgMap"}
    failed = await tools.fails("k8s_apply_manifest", manifest=text(unknown), namespace=namespace)
    assert failed["code"] == "not_found"
    assert "ConfigMap" in failed["hint"]
    failed = await tools.fails("k8s_apply_manifest", manifest=text(config_map("a")), namespace="nowhere-at-all")
    assert failed["code"] == "not_found"
    assert "nowhere-at-all" in failed["message"]
    failed = await tools.fails("k8s_apply_manifest", manifest=text(config_map("a")), namespace="a/b")
    assert failed["code"] == "bad_argument"


async def test_a_huge_manifest_is_refused_before_any_request(tmp_path: Path) -> None:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {}}],
    }
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    unreachable = KubernetesSettings(kubeconfig=str(tmp_path / "kubeconfig"))
    manifest = text(config_map("big", a="x" * (5 << 20)))
    async with Client(assemble(SERVER, unreachable, patient())) as client:
        failed = await ToolCaller(client).fails("k8s_apply_manifest", manifest=manifest)
    assert failed["code"] == "too_large"


async def test_control_characters_come_out_stripped(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    manifest = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: "x\\e[31mred\\a\\u202Eend"}'
    done = await tools.ok("k8s_apply_manifest", manifest=manifest, namespace=namespace)
    assert "xredend" in done["items"][0]["diff"]
    assert (await api.get(f"/api/v1/namespaces/{namespace}/configmaps/c"))["data"]["a"] == "x\x1b[31mred\x07\u202eend"


async def test_secrets_stay_hidden_and_placeholders_are_not_written(tools: ToolCaller, namespace: str) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "hunter2-hunter2"}}
    done = await tools.ok("k8s_apply_manifest", manifest=text(secret), namespace=namespace)
    shown = json.dumps(done)
    assert "hunter2" not in shown
    assert "aHVudGVyMi" not in shown
    assert "[hidden" in done["items"][0]["diff"]
    secret["stringData"] = {"a": "[hidden:3f9c]"}
    failed = await tools.fails("k8s_apply_manifest", manifest=text(secret), namespace=namespace)
    assert failed["code"] == "bad_argument"
    assert "manifest" in failed["message"]


async def test_create_refuses_what_exists(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    manifest = text(config_map("one", a="1"))
    rehearsed = await tools.ok("k8s_create_resource", yaml_content=manifest, namespace=namespace, dry_run=True)
    assert rehearsed["items"][0]["result"] == "created"
    done = await tools.ok("k8s_create_resource", yaml_content=manifest, namespace=namespace)
    assert done["items"][0]["result"] == "created"
    assert "+  a: '1'" in done["items"][0]["diff"]
    managers = (await api.get(f"/api/v1/namespaces/{namespace}/configmaps/one"))["metadata"]["managedFields"]
    assert [entry["manager"] for entry in managers] == ["kmcp-suite"]
    failed = await tools.fails("k8s_create_resource", yaml_content=manifest, namespace=namespace)
    assert failed["code"] == "conflict"
    assert "k8s_apply_manifest" in failed["hint"]


async def test_create_stops_at_the_first_failure(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    await tools.ok("k8s_create_resource", yaml_content=text(config_map("two")), namespace=namespace)
    manifest = text(config_map("one"), config_map("two"), config_map("three"))
    done = await tools.ok("k8s_create_resource", yaml_content=manifest, namespace=namespace)
    assert [item["result"] for item in done["items"]] == ["created", "failed"]
    assert done["items"][1]["error"]["code"] == "conflict"
    assert "1 later" in done["hint"]
    names = await config_maps(api, namespace)
    assert "three" not in names


async def test_create_takes_generated_names(tools: ToolCaller, namespace: str) -> None:
    manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: made-}"
    done = await tools.ok("k8s_create_resource", yaml_content=manifest, namespace=namespace)
    assert done["items"][0]["name"].startswith("made-")
    assert len(done["items"][0]["name"]) > 5
    failed = await tools.fails("k8s_apply_manifest", manifest=manifest, namespace=namespace)
    assert failed["code"] == "bad_argument"
    assert "generateName" in failed["hint"]


async def test_g25_many_documents_take_a_line_each(tools: ToolCaller, namespace: str) -> None:
    maps = [config_map(f"c{number}", **{f"k{line}": "v" * 40 for line in range(40)}) for number in range(52)]
    done = await tools.text("k8s_apply_manifest", manifest=text(*maps), namespace=namespace)
    lines = [line for line in done.splitlines() if line.startswith("ConfigMap\t")]
    assert lines == [f"ConfigMap\tv1\tc{number}\t{namespace}\tcreated" for number in range(52)]
    assert len(done) < 52 * 60 + 400
    maps[7]["data"]["k3"] = "changed"
    again = await tools.ok("k8s_apply_manifest", manifest=text(*maps), namespace=namespace)
    assert [item["result"] for item in again["items"]] == ["unchanged"] * 7 + ["configured"] + ["unchanged"] * 44
    assert list(again["diffs"]) == [f"ConfigMap {namespace}/c7"]
    assert "+  k3: changed" in again["diffs"][f"ConfigMap {namespace}/c7"]


async def test_few_large_documents_share_the_diff(tools: ToolCaller, namespace: str) -> None:
    maps = [config_map(f"c{number}", **{f"k{line}": "v" * 40 for line in range(80)}) for number in range(8)]
    done = await tools.ok("k8s_apply_manifest", manifest=text(*maps), namespace=namespace)
    assert (done["returned"], done["truncated"]) == (8, False)
    assert "more lines" in done["items"][0]["diff"]


async def test_g21_defaults_of_the_api_server_are_left_out(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    """What is shown of a creation is what was sent; of a change, what was sent and what was there."""
    manifest = pod("bare", "none", schedulerName="none")
    made = await tools.ok("k8s_create_resource", yaml_content=text(manifest), namespace=namespace)
    shown = yaml.safe_load("\n".join(line[1:] for line in made["items"][0]["diff"].splitlines()[3:]))
    assert shown == manifest
    assert "k8s_get_resource_yaml" in made["hint"]
    workload = deployment("web")
    (first,) = (await tools.ok("k8s_apply_manifest", manifest=text(workload), namespace=namespace))["items"]
    assert "terminationMessagePath" not in first["diff"]
    workload["spec"]["template"]["spec"]["containers"].append({"name": "side", "image": "s:1"})
    (second,) = (await tools.ok("k8s_apply_manifest", manifest=text(workload), namespace=namespace))["items"]
    added = [line for line in second["diff"].splitlines() if line.startswith("+") and not line.startswith("+++")]
    assert sorted(line.strip("+- ") for line in added) == ["image: s:1", "name: side"]


async def test_what_the_api_server_warns_of_is_passed_on(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    label = {"metadata": {"labels": {"pod-security.kubernetes.io/warn": "restricted"}}}
    await api.send("PATCH", f"/api/v1/namespaces/{namespace}", (), label, "application/merge-patch+json")
    manifest = yaml.safe_dump(pod("loose", "none", schedulerName="none"))
    answer = await tools.ok("k8s_apply_manifest", manifest=manifest, namespace=namespace)
    assert any("would violate PodSecurity" in warning for warning in answer["warnings"])
    old = await tools.ok("k8s_get_resources", resource_type="endpoints", namespace=namespace)
    assert any("v1 Endpoints is deprecated" in warning for warning in old["warnings"])
    quiet = await tools.ok("k8s_get_resources", resource_type="configmaps", namespace=namespace)
    assert "warnings" not in quiet


async def test_a_body_that_is_sent_in_pieces_arrives_whole(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    data = {"long": "é" * 200_000, "last": "z"}
    done = await tools.ok("k8s_apply_manifest", manifest=text(config_map("large", **data)), namespace=namespace)
    assert [item["result"] for item in done["items"]] == ["created"]
    assert (await api.get(f"/api/v1/namespaces/{namespace}/configmaps/large"))["data"] == data
