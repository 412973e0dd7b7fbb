"""Several kinds at once, as kubectl lists them: `services,configmaps`, `all` (G15)."""

from pathlib import Path
from typing import Any

import pytest

from kmcp_kubernetes.server import SERVER
from kmcp_kubernetes.settings import KubernetesSettings
from kmcp_runtime import Rule
from kmcp_runtime.kube.api import KubeApi
from tests.cluster.model import Cluster
from tests.kubernetes.descriptions.test_descriptions import kubectl_run
from tests.kubernetes.making import config_map, make, make_many
from tests.mcp import ToolCaller
from tests.paging import brings_each_once, walk
from tests.rights import holding

pytestmark = pytest.mark.cluster
BOTH = "services,configmaps"
MAPS = 7


@pytest.fixture
async def mixed(api: KubeApi, namespace: str) -> str:
    """A namespace with a Service, a Deployment without pods and eight ConfigMaps, one of them the cluster's own."""
    port = {"ports": [{"port": 80}], "selector": {"app": "web"}}
    await make(api, f"/api/v1/namespaces/{namespace}/services", {"metadata": {"name": "web"}, "spec": port})
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "main", "image": "none"}]}}
    workload = {"replicas": 0, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    await make(
        api, f"/apis/apps/v1/namespaces/{namespace}/deployments", {"metadata": {"name": "web"}, "spec": workload}
    )
    bodies = [config_map(f"map-{number}", one="1") for number in range(MAPS)]
    await make_many(api, f"/api/v1/namespaces/{namespace}/configmaps", bodies)
    return namespace


def kinds(found: dict[str, Any]) -> list[str]:
    assert found["columns"][:2] == ["Kind", "Name"]
    return [row[0] for row in found["items"]]


async def test_g15_several_kinds_are_one_table(tools: ToolCaller, mixed: str) -> None:
    found = await tools.ok("k8s_get_resources", resource_type="svc, configmaps,svc", namespace=mixed)
    assert kinds(found) == ["Service", *["ConfigMap"] * (MAPS + 1)]
    assert (found["kind"], found["total"], found["truncated"]) == ("List", MAPS + 2, False)
    service = dict(zip(found["columns"], found["items"][0], strict=True))
    assert (service["Type"], service["Data"]) == ("ClusterIP", "")


async def test_all_is_what_kubectl_lists(tools: ToolCaller, mixed: str, kubectl: Path, cluster: Cluster) -> None:
    found = await tools.ok("k8s_get_resources", resource_type="all", namespace=mixed, output="names")
    listed = await kubectl_run(kubectl, cluster, "get", "all", "--namespace", mixed, "--output", "name")
    assert sorted(found["items"]) == sorted(listed.split())


@pytest.mark.parametrize("output", ["table", "names", "yaml"])
@pytest.mark.parametrize("limit", [1, 3, 8, 9])
async def test_a_cursor_brings_each_object_once(tools: ToolCaller, mixed: str, output: str, limit: int) -> None:
    whole = await tools.ok("k8s_get_resources", resource_type=BOTH, namespace=mixed, output=output)
    items, cursor = [], None
    while True:
        found = await tools.ok(
            "k8s_get_resources", resource_type=BOTH, namespace=mixed, output=output, limit=limit, cursor=cursor
        )
        assert len(found["items"]) <= limit
        items += [row[:2] if output == "table" else row for row in found["items"]]
        cursor = found.get("cursor")
        assert found["truncated"] is bool(cursor)
        if not cursor:
            break
    assert items == [row[:2] if output == "table" else row for row in whole["items"]]


@pytest.mark.parametrize(
    "arguments",
    [
        {"resource_type": BOTH},
        {"resource_type": "configmaps"},
        {"resource_type": "deployments,configmaps,services", "output": "yaml", "fields": ["metadata.name"]},
    ],
)
async def test_a_limit_that_changes_brings_each_object_once(
    tools: ToolCaller, mixed: str, arguments: dict[str, Any]
) -> None:
    arguments = {"output": "names", **arguments, "namespace": mixed}
    await brings_each_once(tools, "k8s_get_resources", MAPS, **arguments)


async def test_a_limit_that_changes_brings_each_object_of_all_namespaces_once(
    tools: ToolCaller, api: KubeApi, mixed: str
) -> None:
    for number in range(MAPS):
        body = {"metadata": {"name": f"own-{number}", "labels": {"of": mixed}}}
        for kind in ("configmaps", "secrets"):
            await make(api, f"/api/v1/namespaces/{'default' if number % 2 else mixed}/{kind}", body)
    about: dict[str, Any] = {"all_namespaces": True, "selector": f"of={mixed}", "output": "names"}
    try:
        for kinds_of in ("configmaps", "secrets,configmaps"):
            await brings_each_once(tools, "k8s_get_resources", MAPS, resource_type=kinds_of, **about)
    finally:
        for kind in ("configmaps", "secrets"):
            await api.send("DELETE", f"/api/v1/namespaces/default/{kind}", [("labelSelector", f"of={mixed}")])


async def test_a_total_is_that_of_all_kinds_or_absent(tools: ToolCaller, mixed: str) -> None:
    answers = await walk(tools, "k8s_get_resources", [1], resource_type=BOTH, namespace=mixed)
    assert [answer.get("total") for answer in answers] == [None] * len(answers)
    assert len(answers) == MAPS + 2
    whole = await tools.ok("k8s_get_resources", resource_type=BOTH, namespace=mixed)
    assert whole["total"] == MAPS + 2


async def test_one_name_in_several_kinds(tools: ToolCaller, mixed: str) -> None:
    found = await tools.ok(
        "k8s_get_resources",
        resource_type="service,deployment,configmap",
        resource_name="web",
        namespace=mixed,
        output="names",
    )
    assert found["items"] == ["service/web", "deployment.apps/web"]
    assert "configmaps" in found["warnings"][0]
    absent = await tools.fails("k8s_get_resources", resource_type=BOTH, resource_name="nothing", namespace=mixed)
    assert absent["code"] == "not_found"


async def test_a_kind_that_may_not_be_read_hides_no_other(
    api: KubeApi, settings: KubernetesSettings, mixed: str, tmp_path: Path
) -> None:
    async with holding(api, SERVER, settings, mixed, [Rule("", ("services",), ("list",))], tmp_path) as limited:
        found = await limited.ok("k8s_get_resources", resource_type="services,secrets", namespace=mixed)
        refused = await limited.fails("k8s_get_resources", resource_type="secrets,configmaps", namespace=mixed)
    assert kinds(found) == ["Service"]
    assert "total" not in found
    assert (found["warnings"][0].startswith("secrets: "), "forbidden" in found["warnings"][0]) == (True, True)
    assert refused["code"] == "forbidden"


async def test_kinds_without_a_namespace_are_among_others(tools: ToolCaller, mixed: str) -> None:
    found = await tools.ok("k8s_get_resources", resource_type="services,namespaces", namespace=mixed, output="names")
    assert {"service/web", f"namespace/{mixed}"} <= set(found["items"])


async def test_what_several_kinds_cannot_be_asked(tools: ToolCaller, mixed: str) -> None:
    counted = await tools.fails(
        "k8s_get_resources", resource_type=BOTH, namespace=mixed, output="counts", fields=["name"]
    )
    assert (counted["code"], counted["hint"]) == ("bad_argument", "call once for each kind")
    unknown = await tools.fails("k8s_get_resources", resource_type="services,gateway-things", namespace=mixed)
    assert (unknown["code"], "gateway-things" in unknown["message"]) == ("not_found", True)
    described = await tools.fails("k8s_describe_resource", resource_type=BOTH, resource_name="web", namespace=mixed)
    assert (described["code"], "one kind" in described["message"]) == ("bad_argument", True)
    other = await tools.ok("k8s_get_resources", resource_type=BOTH, namespace=mixed, limit=1)
    wrong = await tools.fails(
        "k8s_get_resources", resource_type="configmaps,services", namespace=mixed, limit=1, cursor=other["cursor"]
    )
    assert wrong["code"] == "bad_argument"


@pytest.mark.parametrize("resource_type", ["pods/web,secret/web", "pods/../secrets", "pod/a b", "pod/-x"])
async def test_what_is_no_name_behind_a_kind_is_told(tools: ToolCaller, namespace: str, resource_type: str) -> None:
    failed = await tools.fails("k8s_get_resources", resource_type=resource_type, namespace=namespace)
    assert (failed["code"], "pod/web" in failed["hint"]) == ("bad_argument", True)
