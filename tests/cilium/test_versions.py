"""What agents of each supported minor version answer where their answers differ, after the source of that version.

Read in the Go modules of 1.15.19, 1.16.19, 1.17.6, 1.18.6, 1.19.5 and 1.20.2; the file is named beside each answer.
"""

from pathlib import Path
from typing import Any, cast

import pytest

from kmcp_cilium.chart import cluster_mesh
from kmcp_cilium.chart.cluster_mesh import Side
from kmcp_cilium.client import Cilium
from kmcp_cilium.server import SERVER
from kmcp_runtime.helm.release import Release
from tests.cilium.conftest import calling
from tests.cilium.fleet import NAMESPACE, VERSION, Argv, FakeAgent, Output, answering, fleet
from tests.cluster.binaries import MODULES

# Both printed by the two libraries themselves: logrus 1.9.3 and log/slog.
ERROR = (
    r'error="spec.ingress[0].fromCIDR[0]: Invalid value: \"10.0.0.0/99\": not a \"CIDR\"\n'
    r'\x1b[31mred\a é 😀 \u200b\\"'
)
BY_LOGRUS = f"""\
time="2026-11-30T00:49:18Z" level=info msg="Validation OK!" CiliumNetworkPolicy=shop/web
time="2026-11-30T00:49:18Z" level=error msg="Unexpected validation error" CiliumNetworkPolicy=shop/bad.one {ERROR}
time="2026-11-30T00:49:18Z" level=info msg="Validation OK!" CiliumClusterwideNetworkPolicy=wide
time="2026-11-30T00:49:18Z" level=fatal msg="Found invalid CiliumNetworkPolicy"
"""
BY_SLOG = f"""\
time=2026-11-30T00:49:18.384Z level=INFO msg="Validation OK!" type=CiliumNetworkPolicy name=shop/web
time=2026-11-30T00:49:18.384Z level=ERROR msg="Unexpected validation error" {ERROR} \
type=CiliumNetworkPolicy name=shop/bad.one
time=2026-11-30T00:49:18.384Z level=INFO msg="Validation OK!" type=CiliumClusterwideNetworkPolicy name=wide
time=2026-11-30T00:49:18.384Z level=ERROR msg="Found invalid CiliumNetworkPolicy"
"""


@pytest.mark.parametrize(
    ("version", "log"),
    [
        *((version, BY_LOGRUS) for version in ("1.15.19", "1.16.19", "1.17.6")),
        *((version, BY_SLOG) for version in ("1.18.6", "1.19.5", "1.20.2")),
    ],
)
async def test_validation_is_read_from_the_log_of_each_version(tmp_path: Path, version: str, log: str) -> None:
    """C3: cilium-dbg/cmd/preflight_k8s_valid_cnp.go."""

    def answer(argv: Argv) -> Output:
        assert argv[1:] == ("preflight", "validate-cnp")
        return Output(stderr=log, code=1)

    objects: dict[str, Any] = {"/apis/cilium.io/v2/ciliumnetworkpolicies": []}
    agent = FakeAgent("a", answer, version=version)
    async with fleet(tmp_path, [agent], objects) as kubeconfig, calling(kubeconfig) as tools:
        found = await tools.ok("cilium_validate_cilium_network_policies", enable_k8s="true")
    assert [(each["kind"], each.get("namespace"), each["name"], each["valid"]) for each in found["items"]] == [
        ("CiliumNetworkPolicy", "shop", "bad.one", False),
        ("CiliumClusterwideNetworkPolicy", None, "wide", True),
        ("CiliumNetworkPolicy", "shop", "web", True),
    ]
    assert found["items"][0]["error"].startswith('spec.ingress[0].fromCIDR[0]: Invalid value: "10.0.0.0/99"')
    assert "é 😀" in found["items"][0]["error"]
    assert (found["valid"], found["total"]) == (False, 3)


@pytest.mark.parametrize("version", ["1.15.19", "1.16.19", "1.17.6", "1.18.6", "1.19.5", "1.20.2", "unknown"])
@pytest.mark.parametrize("form", ["", "list", "map"])
def test_connected_clusters_are_written_as_the_chart_of_the_version_takes_them(version: str, form: str) -> None:
    """C4: values.schema.json takes an array up to 1.18, later an object, too; a form that works stays."""
    entry = {"ips": ["192.0.2.7"], "port": 2379}
    known: Any = {"": None, "list": [{"name": "three", **entry}], "map": {"three": entry}}[form]
    config = {} if known is None else {"clustermesh": {"config": {"clusters": known}}}
    release = Release("cilium", "kube-system", 1, "deployed", chart={"version": version}, config=config)
    side = Side(cast("Cilium", None), release)
    clusters = cluster_mesh.added(side, "two", entry)["clustermesh"]["config"]["clusters"]
    left = cluster_mesh.removed(side, "three")["clustermesh"]["config"]["clusters"]
    before = [] if known is None else ["three"]
    if form == "list" or version in ("1.15.19", "1.16.19", "1.17.6", "1.18.6"):
        assert [(each["name"], each["port"]) for each in clusters] == [(name, 2379) for name in [*before, "two"]]
        assert left == []
    else:
        assert (clusters, left) == ({"two": entry}, {"three": None})


BRIEF = "status --brief --require-k8s-connectivity=false -o json"
BASE = f"/apis/apps/v1/namespaces/{NAMESPACE}"
CONFIG = f"/api/v1/namespaces/{NAMESPACE}/configmaps/cilium-config"


def cilium_objects(**config: str) -> dict[str, Any]:
    """A DaemonSet of two agents, and the configuration that they have."""
    container = {"name": "cilium-agent", "image": "quay.io/cilium/cilium:v1.17.6"}
    daemons = {
        "metadata": {"name": "cilium"},
        "spec": {"template": {"spec": {"containers": [container]}}},
        "status": {"desiredNumberScheduled": 2, "numberReady": 0},
    }
    return {f"{BASE}/daemonsets": [daemons], f"{BASE}/deployments": [], CONFIG: {"data": config}}


@pytest.mark.parametrize("objects", [{}, {"/apis/cilium.io/v2/ciliumendpoints": []}])
async def test_pods_that_nobody_counts_are_not_said_to_be_unmanaged(tmp_path: Path, objects: dict[str, Any]) -> None:
    """C7: with disable-endpoint-crd no object says which pods are managed."""
    agent = FakeAgent("a", answering({BRIEF: {"cilium": {"state": "Ok"}}}), version="1.17.6")
    config = cilium_objects(**{"disable-endpoint-crd": "true"}) | objects
    async with fleet(tmp_path, [agent], config) as kubeconfig, calling(kubeconfig) as tools:
        found = await tools.ok("cilium_status_and_version")
    assert found["endpoints"] == {"pods": 1}
    assert found["problems"] == ["cilium: 0 of 2 ready"]
    assert "not counted" in found["hint"]


async def test_what_is_known_is_shown_when_no_agent_answers(tmp_path: Path) -> None:
    """C7: a DaemonSet and a configuration say something without an agent."""
    agents = [FakeAgent("a", answering({}), ready=False), FakeAgent("b", answering({}))]
    objects = cilium_objects(ipam="cluster-pool")
    async with fleet(tmp_path, agents, objects) as kubeconfig, calling(kubeconfig) as tools:
        found = await tools.ok("cilium_status_and_version")
    assert (found["healthy"], found["version"], found["agents_total"]) == (False, {}, 2)
    assert [(each["node"], each["state"]) for each in found["agents"]] == [("a", "unreachable"), ("b", "unreachable")]
    assert found["features"]["ipam"] == "cluster-pool"
    assert found["problems"][:2] == ["the agent on a, b is not healthy", "cilium: 0 of 2 ready"]
    async with fleet(tmp_path, [], objects) as kubeconfig, calling(kubeconfig) as tools:
        found = await tools.ok("cilium_status_and_version")
        assert (found["components"][0]["desired"], found["agents_total"]) == (2, 0)
        assert "no pod k8s-app=cilium" in found["problems"][-1]
    nothing: dict[str, Any] = {f"{BASE}/daemonsets": [], f"{BASE}/deployments": []}
    async with fleet(tmp_path, [], nothing) as kubeconfig, calling(kubeconfig) as tools:
        error = await tools.fails("cilium_status_and_version")
    assert (error["code"], "not installed" in error["message"]) == ("unavailable", True)


@pytest.mark.parametrize("containers", [["cilium-operator"], ["other"]])
async def test_features_of_agents_are_shown_when_the_operator_fails(tmp_path: Path, containers: list[str]) -> None:
    """C10: also when its pod is of another make."""
    metrics = "metrics list -p cilium_.*feature -o json"
    feature = {"name": "cilium_feature_ipam", "labels": {"mode": "crd"}, "value": 1}
    operator = FakeAgent("op", answering({}), label="io.cilium/app=operator")
    agents = [FakeAgent("a", answering({metrics: [feature]})), operator]
    pod = {"spec": {"containers": [{"name": name} for name in containers]}}
    objects = {
        f"/api/v1/namespaces/{NAMESPACE}/pods/{operator.pod}": pod,
        "/apis/apps/v1/daemonsets": [],
    }
    async with fleet(tmp_path, agents, objects) as kubeconfig, calling(kubeconfig) as tools:
        found = await tools.ok("cilium_show_features_status")
    assert [each["feature"] for each in found["items"]] == ["cilium_feature_ipam"]
    assert found["warnings"][0].startswith("the operator's features are not shown: ")


async def test_a_mesh_is_shown_as_far_as_it_is_known(tmp_path: Path) -> None:
    """C7, C10: with no agent that answers, and a cache that fails."""
    apiserver = FakeAgent("m", answering({}), label="k8s-app=clustermesh-apiserver")
    agents = [FakeAgent("a", answering({}), ready=False), apiserver]
    base = f"/api/v1/namespaces/{NAMESPACE}"
    objects = cilium_objects() | {
        f"{base}/services/clustermesh-apiserver": {"spec": {"type": "NodePort", "ports": [{"nodePort": 32379}]}},
        f"{base}/secrets/cilium-clustermesh": {"data": {"two": "", "two.etcd-client.key": ""}},
    }
    async with fleet(tmp_path, agents, objects) as kubeconfig, calling(kubeconfig) as tools:
        found = await tools.ok("cilium_show_cluster_mesh_status")
    assert (found["enabled"], found["configured"], found["clusters"]) == (True, ["two"], [])
    assert found["problems"] == ["no agent answers"]
    assert found["warnings"][0].startswith("what kvstoremesh knows is not shown: ")


def test_the_catalog_names_the_version_that_was_met() -> None:
    """C10: the agent that the tests run, whose version every tool of the server is verified against."""
    version = MODULES.joinpath("cilium/go.mod").read_text().split("github.com/cilium/cilium v")[1].split()[0]
    assert {declared.against for declared in SERVER.tools()} == {f"Cilium {version}"}
    assert version == VERSION
