"""A backend that breaks its API's promise is named with what it broke; a fault of ours stays one; names stay names."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kmcp_runtime import did_you_mean, quoted, quoted_list
from kmcp_runtime.answers import UNREADABLE, broken_promise, remember, remembered
from kmcp_runtime.kube import shapes
from kmcp_runtime.kube.api import JSON, KubeApi
from kmcp_runtime.kube.discovery import Discovery
from kmcp_runtime.kube.pages import FORMS
from tests.fuzz import cluster_standin
from tests.fuzz.hostile_answers import mood_of
from tests.fuzz.worlds import World, world
from tests.hostile import HOSTILE_LINES, hostile_texts
from tests.mcp import ToolCaller

VALID = next(seed for seed in range(1000) if mood_of(seed) == "valid")
POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "namespace": "default", "uid": "1", "creationTimestamp": "2026-11-01T00:00:00Z"},
    "spec": {"containers": [{"name": "main", "image": "x"}]},
    "status": {},
}
WEB = "/api/v1/namespaces/default/pods/web"


@pytest.fixture(scope="module")
async def kubernetes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with world("kubernetes", Path(tmp_path_factory.mktemp("kubernetes"))) as found:
        yield found


@pytest.fixture
def standin(kubernetes: World) -> cluster_standin.StandIn:
    found = kubernetes.standin
    assert isinstance(found, cluster_standin.StandIn)
    found.seed = VALID
    found.fixed.clear()
    found.asked.clear()
    return found


@pytest.fixture
def tools(kubernetes: World) -> ToolCaller:
    return ToolCaller(kubernetes.client)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"spec": None}, "Pod web has no spec"),
        ({"spec": {"containers": "main"}}, "spec.containers is a text and not a list"),
        ({"spec": {"containers": ["main"]}}, "spec.containers holds something other than objects"),
        ({"spec": {"containers": [{"image": "x"}]}}, "spec.containers lacks name"),
    ],
)
async def test_the_answer_that_breaks_the_promise_is_named(
    tools: ToolCaller, standin: cluster_standin.StandIn, change: dict[str, Any], said: str
) -> None:
    standin.fixed[WEB] = {**POD, **change}
    failed = await tools.fails("k8s_get_pod_logs", pod_name="web", namespace="default")
    assert failed["code"] == "unavailable"
    assert failed["message"] == f"the answer of kube-apiserver to GET {WEB} is not what its API promises: {said}"


@pytest.mark.parametrize("answer", [[], "x", 5, None, {"items": {}}, {"metadata": []}, {"items": [{"metadata": "x"}]}])
async def test_what_is_no_object_of_the_api_is_refused_on_arrival(
    tools: ToolCaller, standin: cluster_standin.StandIn, answer: Any
) -> None:
    standin.fixed[WEB] = answer
    failed = await tools.fails("k8s_get_resource_yaml", resource_type="pods", resource_name="web", namespace="default")
    assert "something that is not of the Kubernetes API" in failed["message"]


@pytest.mark.cluster
async def test_every_answer_of_a_real_api_server_is_as_promised(api: KubeApi) -> None:
    discovery = Discovery(api)
    for kind in await discovery.kinds():
        if "list" in kind.verbs:
            for form in FORMS.values():
                found = await api.get(kind.path(), (("limit", "50"),), form)
                assert shapes.broken(found, KeyError("x")) is None, kind
    for path in ("/version", "/api", "/apis", "/openapi/v3", "/api/v1", "/apis/apps/v1"):
        assert shapes.broken(await api.get(path, accept=JSON), KeyError("x")) is None, path


def test_where_every_answer_is_as_promised_the_fault_is_ours() -> None:
    with remembered():
        remember("kube-apiserver", "GET /x", POD, shapes.broken, 1)
        assert broken_promise(KeyError("anything")) is None
    assert broken_promise(KeyError("anything")) is None
    assert not issubclass(RuntimeError, UNREADABLE)


@pytest.mark.parametrize(
    "namespace", ["de fault", "a?watch=1", "a#b", "a%2fb", "a\u2028b", "é", "a\tb", "a\r\nHost: x"]
)
async def test_a_name_adds_nothing_to_a_request(
    tools: ToolCaller, standin: cluster_standin.StandIn, namespace: str
) -> None:
    arguments = {"resource_type": "pods", "resource_name": "web", "namespace": namespace}
    await tools.client.call_tool("k8s_get_resource_yaml", arguments, raise_on_error=False)
    for path in standin.asked:
        assert path.isascii()
        assert "watch" not in path.partition("?")[2]
        assert path.count("/namespaces/") <= 1


@pytest.mark.parametrize("address", ["@127.0.0.1:1/x", ".evil.example/x", ":1/x", ""])
async def test_an_address_of_the_server_names_no_other_host(
    tools: ToolCaller, standin: cluster_standin.StandIn, address: str
) -> None:
    standin.fixed["/openapi/v3"] = {"paths": {"api/v1": {"serverRelativeURL": address}}}
    failed = await tools.fails("k8s_explain", resource_type="pods")
    assert "an address that is no path" in failed["message"]


async def test_a_list_that_goes_round_in_circles_ends(tools: ToolCaller, standin: cluster_standin.StandIn) -> None:
    endless = {"kind": "EventList", "metadata": {"continue": "again"}, "items": []}
    standin.fixed["/api/v1/namespaces/default/events"] = endless
    failed = await tools.fails("k8s_get_events", namespace="default")
    assert "repeats its continue token" in failed["message"]


@pytest.mark.parametrize("line", HOSTILE_LINES)
def test_i2_a_word_of_others_in_a_hint_cannot_speak(line: str) -> None:
    shown = quoted_list(["web", line])
    assert shown.startswith("web, ")
    assert "\n" not in shown
    if " " in line:
        assert shown.removeprefix("web, ").startswith('"')


@settings(deadline=None)
@given(hostile_texts() | st.text())
def test_i2_whatever_is_quoted_stays_in_its_quotes(text: str) -> None:
    shown = quoted(text)
    if shown != text:
        assert shown[0] == shown[-1] == '"'
        assert '"' not in shown[1:-1].replace("\\\\", "").replace('\\"', "")
        assert len(shown) < 600
    assert "\n" not in shown


def test_i2_suggestions_are_quoted_too() -> None:
    assert did_you_mean("My dash", ["My dash!", "web"]) == 'did you mean "My dash!"?'
