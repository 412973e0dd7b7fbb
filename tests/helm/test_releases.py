"""What is read natively equals what the helm binary prints of the same release."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from kmcp_runtime import redaction
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.output import trees
from tests.cluster.model import Cluster
from tests.helm.conftest import CHARTS, Cli
from tests.mcp import ToolCaller, unframed
from tests.paging import brings_each_once

pytestmark = pytest.mark.cluster
WEB, BARE = str(CHARTS / "web"), str(CHARTS / "bare")
RELEASE = "one"


@pytest.fixture(scope="module")
def shop(shared_namespace: str, cluster: Cluster, helm: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The namespace of a release that the binary has made, of two revisions. No test changes anything there."""
    folder = tmp_path_factory.mktemp("shop")
    values = folder / "values.yaml"
    values.write_text(
        "greeting: bye\nsettings: {nested: {deep: 2, gone: null}}\nservers: [{host: b.example, port: 81}, {host: c}]\n"
        "auth: {password: planted-given-password}\n"
    )
    cli = Cli(helm, folder, cluster.kubeconfig)
    cli("install", "-n", shared_namespace, RELEASE, WEB)
    cli("upgrade", "-n", shared_namespace, "-f", str(values), RELEASE, WEB)
    return shared_namespace


async def test_lists_equal_those_of_the_binary(tools: ToolCaller, cli: Cli, namespace: str) -> None:
    cli("install", "-n", namespace, "one", BARE)
    cli("install", "-n", namespace, "two", BARE, "--labels", "team=a")
    cli("uninstall", "-n", namespace, "--keep-history", "two")
    for arguments, flags in (
        ({}, []),
        ({"all": True}, ["--all"]),
        ({"uninstalled": True}, ["--uninstalled"]),
        ({"deployed": True, "uninstalled": True}, ["--deployed", "--uninstalled"]),
        ({"failed": True}, ["--failed"]),
        ({"filter": "^t"}, ["--filter", "^t"]),
        ({"all": True, "filter": "o$"}, ["--all", "--filter", "o$"]),
        ({"all": True, "selector": "team=a"}, ["--all", "--selector", "team=a"]),
        ({"selector": "team=b"}, ["--selector", "team=b"]),
    ):
        answer = await tools.ok("helm_list_releases", namespace=namespace, **arguments)
        printed = cli.json("list", "-n", namespace, *flags)
        assert [_listed(item) for item in answer["items"]] == [_printed(item) for item in printed], arguments
        assert answer["total"] == len(printed)
        assert answer["truncated"] is False


def _listed(item: dict[str, Any]) -> tuple[str, ...]:
    chart = f"{item['chart']}-{item['chart_version']}"
    return (item["name"], item["namespace"], str(item["revision"]), item["status"], chart, item["app_version"])


def _printed(item: dict[str, Any]) -> tuple[str, ...]:
    return tuple(item[key] for key in ("name", "namespace", "revision", "status", "chart", "app_version"))


async def test_all_namespaces_are_listed(tools: ToolCaller, shop: str) -> None:
    items, cursor = [], None
    while True:
        page = await tools.ok("helm_list_releases", all_namespaces=True, limit=2, cursor=cursor)
        items += page["items"]
        cursor = page.get("cursor")
        if cursor is None:
            break
    assert {(item["name"], item["namespace"]) for item in items} >= {(RELEASE, shop)}
    assert items == sorted(items, key=lambda item: (item["name"], item["namespace"]))


async def test_pages_go_on_where_they_ended(tools: ToolCaller, cli: Cli, namespace: str) -> None:
    for name in "abc":
        cli("install", "-n", namespace, name, BARE)
    first = await tools.ok("helm_list_releases", namespace=namespace, limit=2)
    assert [item["name"] for item in first["items"]] == ["a", "b"]
    assert (first["truncated"], first["total"]) == (True, 3)
    second = await tools.ok("helm_list_releases", namespace=namespace, limit=2, cursor=first["cursor"])
    assert [item["name"] for item in second["items"]] == ["c"]
    assert second["truncated"] is False
    assert "cursor" not in second
    await brings_each_once(tools, "helm_list_releases", 3, namespace=namespace)
    error = await tools.fails("helm_list_releases", namespace=namespace, filter="a", cursor=first["cursor"])
    assert error["code"] == "bad_argument"


async def test_values_equal_those_of_the_binary(tools: ToolCaller, cli: Cli, shop: str) -> None:
    about = {"name": RELEASE, "namespace": shop}
    for revision in (0, 1, 2):
        flags = ["-n", shop, *(["--revision", str(revision)] if revision else []), RELEASE]
        given = await tools.ok("helm_get_release", **about, resource="values", revision=revision)
        assert given["values"] == redaction.value(cli.json("get", "values", *flags) or {})
        whole = await tools.ok("helm_get_release", **about, resource="values_all", revision=revision)
        assert whole["values_all"] == redaction.value(cli.json("get", "values", "--all", *flags))
    assert "gone" not in whole["values_all"]["settings"]["nested"]
    assert whole["values_all"]["servers"] == [{"host": "b.example", "port": 81}, {"host": "c"}]


async def test_large_values_are_read_on_with_a_cursor_and_narrowed_by_a_path(
    tools: ToolCaller, cli: Cli, namespace: str, tmp_path: Path
) -> None:
    """H4: every value of a large chart can be read."""
    given = {
        "one": {"auth": {"password": "planted-in-a-large-chart", "user": "me"}, "a.b": [{"c": 1}, {"c": [2, 3]}]},
        "many": {f"key{n:03}": {"text": "x" * 400, "none": None, "empty": {}} for n in range(120)},
        "list": [{"name": f"item-{n}", "text": "y" * 400} for n in range(120)],
    }
    path = tmp_path / "large.json"
    path.write_text(json.dumps(given))
    cli("install", "-n", namespace, "large", BARE, "-f", str(path))
    about = {"name": "large", "namespace": namespace}
    for resource, flags in (("values", []), ("values_all", ["--all"])):
        answer = await tools.ok("helm_get_release", **about, resource=resource)
        found, firsts = list(trees.leaves(answer[resource])), []
        while cursor := answer.get("cursor"):
            answer = await tools.ok("helm_get_release", **about, resource=resource, cursor=cursor)
            found += trees.leaves(answer[resource])
            firsts.append(answer["first"])
        whole = redaction.value(cli.json("get", "values", *flags, "-n", namespace, "large"))
        assert sorted(repr(value) for _, value in found) == sorted(repr(value) for _, value in trees.leaves(whole))
        assert len(firsts) >= 3
        assert {*firsts} <= {trees.written(leaf) for leaf, _ in trees.leaves(whole)}
        assert "planted" not in json.dumps(found)
    for narrow, expected in (
        ("one.auth", {"one": {"auth": {"password": "[hidden]", "user": "me"}}}),
        ("one.auth.password", {"one": {"auth": {"password": "[hidden]"}}}),
        (r"one.a\.b[1].c", {"one": {"a.b": [{"c": [2, 3]}]}}),
        ("list[119]", {"list": [{"name": "item-119", "text": "y" * 400}]}),
    ):
        answer = await tools.ok("helm_get_release", **about, resource="values_all", path=narrow)
        assert (answer["values_all"], answer["truncated"]) == (expected, False), narrow
    for wrong, code, told in (
        ("one.outh", "not_found", "did you mean auth?"),
        ("list[120]", "not_found", "there: 0, 1"),
        ("one..auth", "bad_argument", "servers[0].port"),
    ):
        error = await tools.fails("helm_get_release", **about, resource="values_all", path=wrong)
        assert (error["code"], told in error["hint"]) == (code, True), error
    error = await tools.fails("helm_get_release", **about, resource="manifest", path="one")
    assert (error["code"], "resource=values" in error["hint"]) == ("bad_argument", True)


async def test_the_manifest_equals_that_of_the_binary(tools: ToolCaller, cli: Cli, shop: str) -> None:
    for revision in (1, 2):
        answer = await tools.ok(
            "helm_get_release", name=RELEASE, namespace=shop, resource="manifest", revision=revision
        )
        printed = cli("get", "manifest", "-n", shop, "--revision", str(revision), RELEASE)
        assert _documents(answer["manifest"]) == redaction.value(_documents(printed))
        assert [(item["kind"], item["name"]) for item in answer["objects"]] == [
            (each["kind"], each["metadata"]["name"]) for each in _documents(printed)
        ]
    # Where nothing is secret the text is as it was rendered, comments included.
    assert "# said to everybody" in answer["manifest"]
    assert "# Source: web/templates/objects.yaml" in answer["manifest"]


def _documents(text: str) -> list[Any]:
    return [each for each in yaml.safe_load_all(text) if each]


async def test_hooks_and_notes_equal_those_of_the_binary(tools: ToolCaller, cli: Cli, shop: str) -> None:
    about = {"name": RELEASE, "namespace": shop}
    hooks = await tools.ok("helm_get_release", **about, resource="hooks")
    printed = _documents(cli("get", "hooks", "-n", shop, RELEASE))
    assert _documents(hooks["manifest"]) == redaction.value(printed)
    (hook,) = hooks["hooks"]
    assert hook == {
        "name": "one-hook",
        "kind": "Secret",
        "events": ["pre-install", "pre-upgrade"],
        "weight": 5,
        "delete_policies": ["before-hook-creation"],
        "last_run": "Succeeded",
    }
    notes = await tools.ok("helm_get_release", **about, resource="notes")
    assert notes["notes"].splitlines()[0] in cli("get", "notes", "-n", shop, RELEASE)
    assert notes["notes"].startswith(f"web 1.2.3 says bye in {shop}.")


async def test_metadata_and_history_equal_those_of_the_binary(tools: ToolCaller, cli: Cli, shop: str) -> None:
    metadata = await tools.ok("helm_get_release", name=RELEASE, namespace=shop, resource="metadata")
    printed = cli.json("get", "metadata", "-n", shop, RELEASE)
    assert (metadata["chart"], metadata["chart_version"], metadata["app_version"], metadata["revision"]) == (
        printed["chart"],
        printed["version"],
        printed["appVersion"],
        printed["revision"],
    )
    assert "manifest" not in metadata
    history = await tools.ok("helm_history", name=RELEASE, namespace=shop)
    lines = cli.json("history", "-n", shop, RELEASE)
    assert [_past(item) for item in history["items"]] == [
        (line["revision"], line["status"], line["chart"], line["app_version"], line["description"])
        for line in reversed(lines)
    ]
    assert (history["total"], history["chart"]) == (2, "web")
    newest = await tools.ok("helm_history", name=RELEASE, namespace=shop, limit=1)
    assert [item["revision"] for item in newest["items"]] == [2]
    assert newest["truncated"] is True


def _past(item: dict[str, Any]) -> tuple[Any, ...]:
    chart = f"web-{item['chart_version']}"
    return (item["revision"], item["status"], chart, item["app_version"], item["description"])


async def test_all_of_a_release_is_in_one_answer_without_its_secrets(tools: ToolCaller, shop: str) -> None:
    text = await tools.text("helm_get_release", name=RELEASE, namespace=shop)
    for part in ("greeting: bye", "kind: Deployment", "one-hook", "web 1.2.3 says bye"):
        assert part in text
    for secret in ("planted-given-password", "planted-hook-value", "planted-default-password"):
        assert secret not in text
    whole = await tools.text("helm_get_release", name=RELEASE, namespace=shop, resource="values_all")
    assert "planted" not in whole
    first = await tools.text("helm_get_release", name=RELEASE, namespace=shop, revision=1)
    assert "planted-default-password" not in first


async def test_values_keep_their_types_in_the_text(tools: ToolCaller, cli: Cli, namespace: str) -> None:
    """A list of one item read as a text, and null as None: what is copied from it must be what was given."""
    odd: dict[str, Any] = {
        "list": ["z"],
        "text": "1",
        "flag": "true",
        "nothing": None,
        "none": [],
        "no": {},
        "word": "none",
    }
    cli("install", "-n", namespace, "odd", WEB, "--set-json", f"odd={json.dumps(odd)}")
    for resource in ("values", "values_all"):
        about = {"name": "odd", "namespace": namespace, "resource": resource}
        told = yaml.safe_load(unframed(await tools.text("helm_get_release", **about)))
        structured = await tools.ok("helm_get_release", **about)
        assert told[resource]["odd"] == structured[resource]["odd"]
        assert told[resource]["odd"].items() >= {"list": ["z"], "text": "1", "flag": "true", "none": []}.items()


async def test_a_long_manifest_is_read_on_with_its_cursor(tools: ToolCaller, cli: Cli, namespace: str) -> None:
    cli("install", "-n", namespace, "long", WEB, "--set", "extraObjects=20,filling=2000")
    text, cursor, answers = "", None, 0
    while True:
        answer = await tools.ok(
            "helm_get_release", name="long", namespace=namespace, resource="manifest", cursor=cursor
        )
        text += answer["manifest"] + "\n"
        answers += 1
        cursor = answer.get("cursor")
        if cursor is None:
            break
        assert answer["truncated"] is True
    assert answers > 1
    printed = cli("get", "manifest", "-n", namespace, "long")
    assert _documents(text) == redaction.value(_documents(printed))


async def test_unknown_names_are_told_with_near_ones_and_where_they_are(tools: ToolCaller, shop: str) -> None:
    error = await tools.fails("helm_get_release", name="onee", namespace=shop)
    assert (error["code"], "did you mean one?" in error["hint"]) == ("not_found", True)
    error = await tools.fails("helm_history", name="web", namespace=shop)
    assert "web is the chart of release one" in error["hint"]
    error = await tools.fails("helm_get_release", name=RELEASE, namespace="default")
    assert "has a release of that name" in error["hint"]
    assert shop in error["hint"]  # Other tests may have one, too.
    error = await tools.fails("helm_get_release", name=RELEASE, namespace="no-such-namespace")
    assert "namespace 'no-such-namespace' does not exist" in error["message"]
    error = await tools.fails("helm_get_release", name=RELEASE, namespace=shop, revision=9)
    assert (error["code"], "2, 1" in error["hint"]) == ("not_found", True)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"name": "--kube-apiserver=https://evil"}, "not a valid release name"),
        ({"name": "-x"}, "not a valid release name"),
        ({"name": "a" * 54}, "longer than 53"),
        ({"name": "A"}, "not a valid release name"),
        ({"name": "a/b"}, "not a valid release name"),
        ({"name": "a\nb"}, "not a valid release name"),
        ({"name": "a,owner!=helm"}, "not a valid release name"),
        ({"name": ""}, "not a valid release name"),
        ({"name": "a", "namespace": "-n"}, "starts with '-'"),
        ({"name": "a", "namespace": "*"}, "not a namespace"),
        ({"name": "a", "revision": -1}, "start at 1"),
        ({"name": "a", "resource": "value"}, "did you mean values"),
    ],
)
async def test_bad_arguments_are_refused_before_any_request(
    tools: ToolCaller, arguments: dict[str, Any], why: str
) -> None:
    error = await tools.fails("helm_get_release", **{"namespace": "default", **arguments})
    assert error["code"] == "bad_argument"
    assert why in error["message"]


async def test_bad_filters_and_selectors_are_refused(tools: ToolCaller, namespace: str) -> None:
    error = await tools.fails("helm_list_releases", namespace=namespace, filter="(")
    assert (error["code"], "filter: not a valid regular expression" in error["message"]) == ("bad_argument", True)
    error = await tools.fails("helm_list_releases", namespace=namespace, selector="a=b=c")
    assert (error["code"], "position 4" in error["message"]) == ("bad_argument", True)


async def test_an_empty_list_says_why(tools: ToolCaller, cli: Cli, namespace: str) -> None:
    answer = await tools.ok("helm_list_releases", namespace=namespace)
    assert (answer["items"], "all_namespaces=true" in answer["hint"]) == ([], True)
    cli("install", "-n", namespace, "old", BARE)
    cli("uninstall", "-n", namespace, "--keep-history", "old")
    answer = await tools.ok("helm_list_releases", namespace=namespace)
    assert "1 releases" in answer["hint"]
    assert "all=true" in answer["hint"]
    answer = await tools.ok("helm_list_releases", namespace=namespace, filter="x")
    assert "matches" in answer["hint"]
    error = await tools.fails("helm_list_releases", namespace="no-such-namespace")
    assert error["code"] == "not_found"


async def test_data_that_does_not_decode_harms_no_other(
    tools: ToolCaller, cli: Cli, api: KubeApi, namespace: str
) -> None:
    cli("install", "-n", namespace, "good", BARE)
    labels = {"owner": "helm", "name": "broken", "status": "deployed", "version": "1"}
    body = {
        "type": "helm.sh/release.v1",
        "metadata": {"name": "sh.helm.release.v1.broken.v1", "labels": labels},
        "stringData": {"release": "no release"},
    }
    await api.send("POST", f"/api/v1/namespaces/{namespace}/secrets", (), body)
    answer = await tools.ok("helm_list_releases", namespace=namespace)
    broken, good = answer["items"]
    assert (broken["name"], "not base64" in broken["error"]) == ("broken", True)
    assert (good["name"], good["chart"]) == ("good", "bare")
    history = await tools.ok("helm_history", name="broken", namespace=namespace)
    assert "not base64" in history["items"][0]["error"]
    error = await tools.fails("helm_get_release", name="broken", namespace=namespace)
    assert (error["code"], "cannot be read" in error["message"]) == ("unavailable", True)
