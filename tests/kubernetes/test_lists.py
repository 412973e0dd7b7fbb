"""k8s_get_resources on real objects: every shape, every argument, every refusal; and a crowd of 2,000 pods."""

import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from kmcp_runtime import cursors
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.config import load_contexts
from tests.cluster.model import Cluster
from tests.kubernetes.conftest import pod
from tests.kubernetes.making import config_map, custom_kind, make, make_many, pods_path
from tests.mcp import ToolCaller, text_of
from tests.patience import limits
from tests.waiting import until

pytestmark = pytest.mark.cluster
CROWD = 2_000
BUDGET_BYTES = 8_000 * 4
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@pytest.fixture
async def maps(api: KubeApi, namespace: str) -> str:
    """A namespace with the ConfigMaps alpha (of two keys), beta and gamma."""
    bodies = [
        config_map("alpha", one="1", two="2"),
        config_map("beta", one="1"),
        config_map("gamma", token="hunter2hunter2"),
    ]
    await make_many(api, f"/api/v1/namespaces/{namespace}/configmaps", bodies)
    return namespace


async def test_a_table_has_the_columns_of_kubectl(tools: ToolCaller, maps: str) -> None:
    found = await tools.ok("k8s_get_resources", resource_type="configmaps", namespace=maps)
    assert found["columns"] == ["Name", "Data", "Age"]
    assert [row[:2] for row in found["items"]] == [
        ["alpha", "2"],
        ["beta", "1"],
        ["gamma", "1"],
        ["kube-root-ca.crt", "1"],
    ]
    assert (found["kind"], found["api_version"], found["namespace"]) == ("ConfigMap", "v1", maps)
    assert (found["returned"], found["total"], found["truncated"]) == (4, 4, False)
    assert "cursor" not in found


async def test_wide_has_more_columns_and_fields_choose_among_them(
    tools: ToolCaller, api: KubeApi, namespace: str
) -> None:
    await make(api, pods_path(namespace), pod("web", "none", schedulerName="none"))
    table = await tools.ok("k8s_get_resources", resource_type="pod", namespace=namespace)
    wide = await tools.ok("k8s_get_resources", resource_type="pod", namespace=namespace, output="wide")
    assert set(table["columns"]) < set(wide["columns"])
    assert "Node" in wide["columns"]
    chosen = await tools.ok("k8s_get_resources", resource_type="pod", namespace=namespace, fields=["status", "NODE"])
    assert chosen["columns"] == ["Status", "Node"]
    assert chosen["items"] == [["Pending", "<none>"]]
    refused = await tools.fails("k8s_get_resources", resource_type="pod", namespace=namespace, fields=["statu"])
    assert refused["code"] == "bad_argument"
    assert "Status" in refused["message"]


@pytest.mark.parametrize("output", ["yaml", "json"])
async def test_whole_objects_are_slim_and_their_secrets_hidden(tools: ToolCaller, maps: str, output: str) -> None:
    found = await tools.ok(
        "k8s_get_resources", resource_type="cm", namespace=maps, output=output, selector="app in (alpha,gamma)"
    )
    alpha, gamma = found["items"]
    assert alpha["data"] == {"one": "1", "two": "2"}
    assert "managedFields" not in alpha["metadata"]
    assert gamma["data"]["token"].startswith("[hidden")
    chosen = await tools.ok(
        "k8s_get_resources",
        resource_type="cm",
        namespace=maps,
        output=output,
        selector="app=gamma",
        fields=["metadata.name", "data.token"],
    )
    assert chosen["items"] == [{"metadata.name": "gamma", "data.token": gamma["data"]["token"]}]


async def test_names_are_qualified_across_namespaces(tools: ToolCaller, maps: str) -> None:
    here = await tools.ok(
        "k8s_get_resources", resource_type="configmap", namespace=maps, output="names", selector="app"
    )
    assert here["items"] == ["alpha", "beta", "gamma"]
    everywhere = await tools.ok(
        "k8s_get_resources", resource_type="configmap", all_namespaces=True, output="names", selector="app=beta"
    )
    assert f"{maps}/beta" in everywhere["items"]
    assert "namespace" not in everywhere
    table = await tools.ok("k8s_get_resources", resource_type="configmap", all_namespaces=True, selector="app=beta")
    assert table["columns"][0] == "Namespace"
    assert maps in [row[0] for row in table["items"]]


async def test_selectors_narrow(tools: ToolCaller, maps: str) -> None:
    by_label = await tools.ok(
        "k8s_get_resources", resource_type="cm", namespace=maps, output="names", selector="app!=alpha,app"
    )
    assert by_label["items"] == ["beta", "gamma"]
    by_field = await tools.ok(
        "k8s_get_resources", resource_type="cm", namespace=maps, output="names", field_selector="metadata.name=beta"
    )
    assert by_field["items"] == ["beta"]
    nothing = await tools.ok("k8s_get_resources", resource_type="cm", namespace=maps, selector="app=nobody")
    assert nothing["items"] == []
    assert "match the selector" in nothing["hint"]
    assert nothing["truncated"] is False


@pytest.mark.parametrize(
    ("arguments", "position"),
    [
        ({"selector": "app=a=b"}, 6),
        ({"selector": "app in (a"}, 10),
        ({"selector": "=x"}, 1),
        ({"selector": "app=a b"}, 7),
        ({"selector": "app,tier notin a"}, 16),
        ({"selector": "!"}, 2),
        ({"selector": "app=a/b"}, 5),
        ({"field_selector": "status.phase"}, 1),
        ({"field_selector": "metadata.name=a,status.phase"}, 17),
    ],
)
async def test_a_malformed_selector_is_refused_with_its_place(
    tools: ToolCaller, maps: str, arguments: dict[str, str], position: int
) -> None:
    refused = await tools.fails("k8s_get_resources", resource_type="pods", namespace=maps, **arguments)
    assert refused["code"] == "bad_argument"
    [(argument, value)] = arguments.items()
    assert refused["message"].startswith(f"{argument}: ")
    assert f"position {position} of {value!r}" in refused["message"]


async def test_an_unsupported_field_is_refused(tools: ToolCaller, maps: str) -> None:
    refused = await tools.fails(
        "k8s_get_resources", resource_type="pods", namespace=maps, field_selector="spec.color=red"
    )
    assert refused["code"] == "bad_argument"
    assert "spec.color" in refused["message"]


async def test_one_object(tools: ToolCaller, maps: str) -> None:
    row = await tools.ok("k8s_get_resources", resource_type="cm", resource_name="alpha", namespace=maps)
    assert [item[0] for item in row["items"]] == ["alpha"]
    assert row["returned"] == 1
    whole = await tools.ok(
        "k8s_get_resources", resource_type="cm", resource_name="alpha", namespace=maps, output="yaml"
    )
    assert whole["items"][0]["data"] == {"one": "1", "two": "2"}


async def test_without_a_namespace_the_default_one_is_named(tools: ToolCaller) -> None:
    found = await tools.ok("k8s_get_resources", resource_type="configmaps")
    assert found["namespace"] == "default"
    empty = await tools.ok("k8s_get_resources", resource_type="leases")
    assert "all_namespaces" in empty["hint"]


async def test_scope_is_minded(tools: ToolCaller, namespace: str) -> None:
    refused = await tools.fails("k8s_get_resources", resource_type="namespaces", namespace=namespace)
    assert refused["code"] == "bad_argument"
    assert "cluster-scoped" in refused["message"]
    found = await tools.ok("k8s_get_resources", resource_type="namespace", resource_name=namespace, output="names")
    assert found["items"] == [namespace]
    assert "namespace" not in found
    star = await tools.fails("k8s_get_resources", resource_type="pods", namespace="*")
    assert star["code"] == "bad_argument"
    assert "all_namespaces" in star["message"]


@pytest.mark.parametrize("name", ["-f", "a/b", "a\nb", "a\0b", "", "..", "%2e"])
async def test_a_name_that_is_none_is_refused_before_any_request(tools: ToolCaller, name: str) -> None:
    refused = await tools.fails("k8s_get_resources", resource_type="pods", resource_name=name)
    assert refused["code"] == "bad_argument"
    assert "backend" not in refused


@pytest.mark.parametrize("spelling", ["po", "pod", "pods", "Pod", "PODS", "pods.v1.", "pods.v1"])
async def test_usual_spellings_of_a_kind(tools: ToolCaller, namespace: str, spelling: str) -> None:
    assert (await tools.ok("k8s_get_resources", resource_type=spelling, namespace=namespace))["kind"] == "Pod"


SPELLINGS = {
    "Deployment": (
        *("deploy", "deployments.apps", "deployment.apps", "deploy.apps", "Deployment", "Deployment.apps"),
        *("deployments.v1.apps", "deploy.v1.apps", "Deployment.v1.apps", "deploy.app"),
    ),
    "Pod": ("po", "Pods", "pods.", "po.v1.", "Pod.v1."),
    "Ingress": ("ing.networking", "ingress.networking.k8s.io", "ing.v1.networking.k8s.io", "ingresses.netw"),
    "HorizontalPodAutoscaler": ("hpa.autoscal", "hpa.v2.autoscaling"),
    None: ("deploy.v2.apps", "deploy.batch", "deployments.pps", "po.v2.", "ing.v1.networking", "depl.apps"),
}
"""What kubectl takes each for; of a version that is not served kubectl answers another one, here it is refused."""


async def test_spellings_with_a_group(tools: ToolCaller, namespace: str) -> None:
    for kind, spellings in SPELLINGS.items():
        for spelling in spellings:
            asked = {"resource_type": spelling, "namespace": namespace, "limit": 1}
            if kind is None:
                assert (await tools.fails("k8s_get_resources", **asked))["code"] == "not_found", spelling
            else:
                assert (await tools.ok("k8s_get_resources", **asked))["kind"] == kind, spelling


async def test_unknown_kinds_are_explained(tools: ToolCaller) -> None:
    misspelt = await tools.fails("k8s_get_resources", resource_type="deploymnt")
    assert misspelt["code"] == "not_found"
    assert "deployments.apps" in misspelt["hint"]
    foreign = await tools.fails("k8s_get_resources", resource_type="widgets.example.org")
    assert foreign["code"] == "not_found"
    assert "CustomResourceDefinition" in foreign["hint"]
    everything = await tools.fails("k8s_get_resources", resource_type="*")
    assert everything["code"] == "bad_argument"
    assert "k8s_get_available_api_resources" in everything["hint"]


@pytest.fixture
async def twins(api: KubeApi) -> AsyncIterator[tuple[str, list[str]]]:
    """One plural in two groups."""
    plural = f"twins{uuid.uuid4().hex[:6]}s"
    names = [f"{plural}.{group}.example.org" for group in ("one", "two")]
    for name in names:
        await make(api, CRDS, custom_kind(plural, name.removeprefix(f"{plural}."), f"Twin{plural[5:]}".capitalize()))
    yield plural, names
    for name in names:
        await api.send("DELETE", f"{CRDS}/{name}")


async def test_an_ambiguous_kind_names_its_forms(
    tools: ToolCaller, twins: tuple[str, list[str]], namespace: str
) -> None:
    plural, names = twins

    async def served() -> bool:
        result = await tools.client.call_tool("k8s_get_resources", {"resource_type": plural}, raise_on_error=False)
        return "ambiguous" in str(result.content)

    await until(served, what="both groups served")
    refused = await tools.fails("k8s_get_resources", resource_type=plural, namespace=namespace)
    assert refused["code"] == "bad_argument"
    assert all(name in refused["message"] for name in names)
    found = await tools.ok("k8s_get_resources", resource_type=names[1], namespace=namespace)
    assert found["api_version"] == "two.example.org/v1"
    assert found["items"] == []


async def test_an_absent_name_comes_with_near_names_and_other_namespaces(
    tools: ToolCaller, maps: str, api: KubeApi
) -> None:
    near = await tools.fails("k8s_get_resources", resource_type="cm", resource_name="alpah", namespace=maps)
    assert near["code"] == "not_found"
    assert "alpha" in near["hint"]
    assert maps in near["message"]
    await make(api, f"/api/v1/namespaces/{maps}/configmaps", config_map(f"only-{maps}"))
    elsewhere = await tools.fails(
        "k8s_get_resources", resource_type="cm", resource_name=f"only-{maps}", namespace="kube-system", output="yaml"
    )
    assert elsewhere["code"] == "not_found"
    assert maps in elsewhere["hint"]


async def test_a_missing_namespace_is_said(tools: ToolCaller, namespace: str) -> None:
    near = namespace[:-1] + "x"
    refused = await tools.fails("k8s_get_resources", resource_type="pods", namespace=near)
    assert refused["code"] == "not_found"
    assert near in refused["message"]
    assert namespace in refused["hint"]
    named = await tools.fails("k8s_get_resources", resource_type="pods", namespace=near, resource_name="x")
    assert named["code"] == "not_found"
    assert "namespace" in named["message"]


async def test_limit_and_cursor(tools: ToolCaller, maps: str) -> None:
    exact = await tools.ok("k8s_get_resources", resource_type="cm", namespace=maps, limit=4)
    assert exact["truncated"] is False
    assert "cursor" not in exact
    first = await tools.ok("k8s_get_resources", resource_type="cm", namespace=maps, limit=3, output="names")
    assert (first["returned"], first["total"], first["truncated"]) == (3, 4, True)
    rest = await tools.ok(
        "k8s_get_resources", resource_type="cm", namespace=maps, limit=3, output="names", cursor=first["cursor"]
    )
    assert rest["items"] == ["kube-root-ca.crt"]
    assert (rest["total"], rest["truncated"]) == (4, False)


async def test_a_cursor_that_does_not_fit_is_refused(tools: ToolCaller, maps: str) -> None:
    first = await tools.ok("k8s_get_resources", resource_type="cm", namespace=maps, limit=1)
    for changed in ({"selector": "app"}, {"output": "yaml"}, {"namespace": "default"}):
        arguments: dict[str, Any] = {"resource_type": "cm", "namespace": maps, "limit": 1, "cursor": first["cursor"]}
        refused = await tools.fails("k8s_get_resources", **{**arguments, **changed})
        assert refused["code"] == "bad_argument"
        assert "different arguments" in refused["message"]
    for foreign in ("nonsense", "e30", "", "ünicode"):
        refused = await tools.fails("k8s_get_resources", resource_type="cm", namespace=maps, cursor=foreign or "-")
        assert refused["code"] == "bad_argument"
        assert "without cursor" in refused["hint"]


async def test_a_cursor_that_the_api_server_does_not_take_says_start_again(tools: ToolCaller, maps: str) -> None:
    first = await tools.ok("k8s_get_resources", resource_type="cm", namespace=maps, limit=1)
    bound_to = {
        "context": (await tools.ok("k8s_get_cluster_configuration"))["current_context"],
        "kind": "configmaps",
        "namespace": maps,
        "output": "table",
        "selector": None,
        "field_selector": None,
    }
    position = cursors.decode(first["cursor"], bound_to)
    broken = cursors.encode({**position, "c": "bm90LWEtdG9rZW4"}, bound_to)
    refused = await tools.fails("k8s_get_resources", resource_type="cm", namespace=maps, limit=1, cursor=broken)
    assert refused["code"] == "bad_argument"
    assert refused["hint"] == "start again without cursor"


@pytest.fixture(scope="module")
async def crowd(cluster: Cluster, _namespaces: Any) -> AsyncIterator[str]:
    """A namespace with 2,000 pods that no scheduler takes."""
    name = f"t-crowd-{uuid.uuid4().hex[:8]}"
    _namespaces.create(name)
    contexts = load_contexts(str(cluster.kubeconfig))
    api = KubeApi(contexts, contexts.named(None), limits())
    await make_many(
        api, pods_path(name), [pod(f"p-{number:04}", "none", schedulerName="none") for number in range(CROWD)]
    )
    await api.close()
    yield name
    _namespaces.delete(name)


@pytest.mark.parametrize("output", ["table", "wide", "names", "yaml", "json"])
async def test_an_answer_about_a_crowd_keeps_the_budget(tools: ToolCaller, crowd: str, output: str) -> None:
    arguments = {"resource_type": "pods", "namespace": crowd, "output": output}
    result = await tools.client.call_tool("k8s_get_resources", arguments)
    content = result.structured_content
    assert content is not None
    assert len(text_of(result.content).encode()) <= BUDGET_BYTES
    assert len(json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()) <= BUDGET_BYTES
    assert content["total"] == CROWD
    assert content["truncated"] is True
    assert content["cursor"]
    assert content["returned"] == len(content["items"])
    assert "selector" in content["hint"]


@pytest.mark.parametrize(("output", "limit"), [("names", 500), ("table", 500), ("yaml", 500)])
async def test_walking_the_cursor_returns_a_crowd_exactly_once(
    tools: ToolCaller, crowd: str, output: str, limit: int
) -> None:
    names: list[str] = []
    cursor: str | None = None
    while True:
        page = await tools.ok(
            "k8s_get_resources", resource_type="pods", namespace=crowd, output=output, limit=limit, cursor=cursor
        )
        names += [_name(item) for item in page["items"]]
        assert page["total"] == CROWD
        cursor = page.get("cursor")
        assert page["truncated"] is (cursor is not None)
        if cursor is None:
            break
    assert names == [f"p-{number:04}" for number in range(CROWD)]


def _name(item: Any) -> str:
    return str(item if isinstance(item, str) else item[0] if isinstance(item, list) else item["metadata"]["name"])
