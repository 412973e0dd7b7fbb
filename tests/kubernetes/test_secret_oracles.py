"""Nothing shows whether a guess is a Secret's value, and no mark is stored in place of one."""

import base64
import json
from typing import Any

import pytest
import yaml

from kmcp_runtime.kube.api import KubeApi
from tests.kubernetes.conftest import pod
from tests.mcp import ToolCaller
from tests.trust import Trust

pytestmark = pytest.mark.cluster
VALUE = "Zq7planted-in-a-secret-9Xw"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.fixture
async def secret(api: KubeApi, namespace: str) -> dict[str, Any]:
    """A Secret with a value and a PIN; the arguments that name it."""
    body = {"metadata": {"name": "db"}, "data": {"password": encoded(VALUE), "pin": encoded("4711")}}
    await api.send("POST", f"/api/v1/namespaces/{namespace}/secrets", (), body)
    return {"resource_name": "db", "namespace": namespace}


@pytest.mark.parametrize("resource_type", ["secrets", "secret", "secrets.v1."])
@pytest.mark.parametrize(
    "operation",
    [
        {"op": "copy", "from": "/data", "path": "/metadata/annotations"},
        {"op": "move", "from": "/data/password", "path": "/metadata/labels/x"},
        {"op": "copy", "from": "", "path": "/metadata/annotations/x"},
        {"op": "copy", "from": "/data/password", "path": "/type"},
        {"op": "copy", "from": "/metadata", "path": "/stringData"},
    ],
    ids=json.dumps,
)
async def test_L1_and_L2_a_value_is_not_carried_elsewhere(
    tools: ToolCaller, secret: dict[str, Any], resource_type: str, operation: dict[str, Any], trust: Trust
) -> None:
    failed = await tools.fails(
        "k8s_patch_resource", **secret, resource_type=resource_type, patch=[operation], dry_run=True
    )
    assert failed["code"] == "bad_argument"
    assert encoded(VALUE) not in json.dumps(failed)
    trust.count("Secret objects", "values carried elsewhere", probes=1, values_shown=0)


OF_A_POD = "Hx3planted-in-a-pod-7Qw"  # no Secret holds it: it is hidden by its place alone
LAST = "/spec/containers/-1/env/-1/value"
FIRST = "/spec/containers/0/env/0/value"
LEAK = "/metadata/annotations/leak"
DETOURS: list[list[dict[str, Any]]] = [
    [{"op": "copy", "from": LAST, "path": LEAK}],
    [{"op": "test", "path": LAST, "value": OF_A_POD}],
    [{"op": "copy", "from": "/spec/containers/-1/env", "path": "/spec/containers/-1/env/-1/valueFrom"}],
    [
        {"op": "replace", "path": "/metadata/annotations/absent", "value": "x"},
        {"op": "copy", "from": FIRST, "path": LEAK},
    ],
    [{"op": "test", "path": "/metadata/absent", "value": None}, {"op": "test", "path": FIRST, "value": OF_A_POD}],
    [{"op": "copy", "from": "/spec/containers/00/image", "path": LEAK}, {"op": "copy", "from": FIRST, "path": LEAK}],
    [{"op": "replace", "path": "/spec/containers/-1/env/-1/name", "value": "HARMLESS"}],
]
"""What the API server takes and RFC 6902 does not, on the way to the hidden variable of a pod."""


async def test_what_the_api_server_takes_of_a_patch_is_judged(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    body = pod("web", "none", schedulingGates=[{"name": "example.com/never"}])
    body["spec"]["containers"][0]["env"] = [{"name": "DB_PASSWORD", "value": OF_A_POD}]
    body["metadata"]["annotations"] = {"team": "web"}
    await api.send("POST", f"/api/v1/namespaces/{namespace}/pods", (), body)
    about: dict[str, Any] = {"resource_type": "pods", "resource_name": "web", "namespace": namespace}
    for patch in DETOURS:
        failed = await tools.fails("k8s_patch_resource", **about, patch=patch)
        assert failed["code"] == "bad_argument", patch
        assert "hidden" in failed["message"], patch
    # What harms nothing is taken as the API server takes it.
    patch = [{"op": "replace", "path": "/metadata/annotations/absent", "value": "x"}]
    assert (await tools.ok("k8s_patch_resource", **about, patch=patch))["changed"]


@pytest.mark.parametrize("path", ["/data/pin", "/data", "", "/metadata/annotations"])
async def test_F2_a_guess_is_not_tested(tools: ToolCaller, secret: dict[str, Any], path: str, trust: Trust) -> None:
    test = {"op": "test", "path": path, "value": encoded("4711")}
    failed = await tools.fails("k8s_patch_resource", **secret, resource_type="secret", patch=[test], dry_run=True)
    assert "neither compared nor copied" in failed["message"]
    trust.count("Secret objects", "guesses at a value", probes=1, values_shown=0)


async def test_F2_right_and_wrong_guesses_are_answered_alike(
    tools: ToolCaller, api: KubeApi, secret: dict[str, Any], trust: Trust
) -> None:
    def shape(answer: dict[str, Any]) -> str:
        return json.dumps(answer, sort_keys=True)

    for field, encode in (("data", encoded), ("stringData", str)):
        answers = [
            await tools.ok(
                "k8s_patch_resource",
                **secret,
                resource_type="secret",
                patch={field: {"pin": encode(guess)}},
                dry_run=True,
            )
            for guess in ("4711", "4712")
        ]
        assert shape(answers[0]) == shape(answers[1])
        assert answers[0]["changed"] is True
    manifests = [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "stringData": {"pin": guess}}
        for guess in ("4711", "4712")
    ]
    applied = [
        await tools.ok(
            "k8s_apply_manifest",
            manifest=json.dumps(each),
            namespace=secret["namespace"],
            dry_run=True,
            force=True,
        )
        for each in manifests
    ]
    assert shape(applied[0]) == shape(applied[1])
    await api.send(
        "PATCH",
        f"/api/v1/namespaces/{secret['namespace']}/secrets/db",
        (),
        {"immutable": True},
        "application/merge-patch+json",
    )
    for guess in ("4711", "4712"):
        failed = await tools.fails(
            "k8s_patch_resource",
            **secret,
            resource_type="secret",
            patch={"stringData": {"pin": guess}},
            dry_run=True,
        )
        assert "immutable" in failed["message"]
    trust.count("Secret objects", "guesses at a value", probes=8, values_shown=0)


async def test_R1_what_comes_back_with_a_mark_stays_as_it_is(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    live = {"app.properties": f"db.password = {VALUE}\nport = 80\n", "url": f"postgres://u:{VALUE}@h/db"}
    await api.send("POST", path, (), {"metadata": {"name": "app"}, "data": live})
    named = {"resource_type": "configmap", "resource_name": "app", "namespace": namespace}
    shown = (await tools.ok("k8s_get_resource_yaml", **named))["yaml"]
    assert VALUE not in shown
    manifest = yaml.safe_load(shown)
    manifest["metadata"] = {"name": "app"}
    marks = dict(manifest["data"])

    def text(port: int) -> str:
        return str(marks["app.properties"]).replace("port = 80", f"port = {port}")

    async def stored() -> dict[str, str]:
        found: dict[str, str] = (await api.get(f"{path}/app"))["data"]
        return found

    manifest["data"]["app.properties"] = text(81)
    applied = {"manifest": json.dumps(manifest), "namespace": namespace, "force": True}
    answer = await tools.ok("k8s_apply_manifest", **applied)
    assert await stored() == {**live, "app.properties": f"db.password = {VALUE}\nport = 81\n"}
    changed = [
        line for line in answer["items"][0]["diff"].splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")
    ]
    assert [line.strip("+- ") for line in changed] == ["port = 80", "port = 81"]
    assert VALUE not in json.dumps(answer)
    for port, patch in (
        (82, {"data": {"app.properties": text(82), "url": marks["url"]}}),
        (83, [{"op": "replace", "path": "/data/app.properties", "value": text(83)}]),
    ):
        answer = await tools.ok("k8s_patch_resource", **named, patch=patch)
        assert await stored() == {**live, "app.properties": f"db.password = {VALUE}\nport = {port}\n"}
        assert VALUE not in json.dumps(answer)


async def test_R1_a_secret_keeps_the_values_that_come_back_as_marks(
    tools: ToolCaller, api: KubeApi, secret: dict[str, Any]
) -> None:
    shown = (await tools.ok("k8s_get_resource_yaml", **secret, resource_type="secret"))["yaml"]
    manifest = yaml.safe_load(shown)
    manifest["metadata"] = {"name": "db"}
    manifest["data"]["pin"] = encoded("4712")
    applied = {"manifest": json.dumps(manifest), "namespace": secret["namespace"], "force": True}
    answer = await tools.ok("k8s_apply_manifest", **applied)
    stored = (await api.get(f"/api/v1/namespaces/{secret['namespace']}/secrets/db"))["data"]
    assert stored == {"password": encoded(VALUE), "pin": encoded("4712")}
    changed = {line.split(":")[0].strip("+- ") for line in answer["items"][0]["diff"].splitlines() if line[:1] in "+-"}
    assert "pin" in changed
    assert "password" not in changed


async def test_R1_a_mark_never_takes_the_place_of_a_value(tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    live = {"app.properties": f"db.password = {VALUE}\nport = 80\n"}
    await api.send("POST", path, (), {"metadata": {"name": "app"}, "data": live})
    named = {"resource_type": "configmap", "resource_name": "app", "namespace": namespace}
    shown = (await tools.ok("k8s_get_resource_yaml", **named))["yaml"]
    moved = shown.replace("db.password = [", "note = [")
    elsewhere = shown.replace("name: app", "name: other")
    for tool, arguments in (
        ("k8s_apply_manifest", {"manifest": moved, "namespace": namespace, "force": True}),
        ("k8s_apply_manifest", {"manifest": elsewhere, "namespace": namespace, "force": True}),
        ("k8s_create_resource", {"yaml_content": elsewhere, "namespace": namespace}),
        ("k8s_patch_resource", {**named, "patch": {"data": {"app.properties": "db.password = [hidden:3f9c]\n"}}}),
        (
            "k8s_patch_resource",
            {**named, "patch": [{"op": "add", "path": "/data/x", "value": "--token=[hidden] --verbose"}]},
        ),
        # As text the mark is written with an escape, so it is seen only in what was read.
        ("k8s_patch_resource", {**named, "patch": r'{"data": {"x": "\u005bhidden]"}}'}),
    ):
        failed = await tools.fails(tool, **arguments)
        assert failed["code"] == "bad_argument", tool
        assert "in place of a secret" in failed["message"]
    assert (await api.get(f"{path}/app"))["data"] == live


async def test_what_a_secret_held_is_hidden_wherever_it_comes_back(
    tools: ToolCaller, api: KubeApi, secret: dict[str, Any], trust: Trust
) -> None:
    await tools.ok("k8s_get_resource_yaml", **secret, resource_type="secret")
    body = {"metadata": {"name": "elsewhere"}, "data": {"note": f"it is {VALUE}, or {encoded(VALUE)}"}}
    await api.send("POST", f"/api/v1/namespaces/{secret['namespace']}/configmaps", (), body)
    elsewhere = {"resource_type": "configmap", "resource_name": "elsewhere", "namespace": secret["namespace"]}
    shown = (await tools.ok("k8s_get_resource_yaml", **elsewhere))["yaml"]
    assert VALUE not in shown
    assert encoded(VALUE) not in shown
    trust.count("Secret objects", "values that come back elsewhere", probes=2, values_shown=0)
