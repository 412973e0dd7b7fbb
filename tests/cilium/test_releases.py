"""Cilium's own chart installed, changed, connected and taken away, on a cluster that runs nothing else of Cilium.

The objects are real, and select a node that does not exist: no image of Cilium can be had here.
"""

import asyncio
import base64
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastmcp import Client

from kmcp_cilium.server import SERVER
from kmcp_cilium.settings import CiliumSettings
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.failures import StatusFailure
from kmcp_runtime.server import assemble
from kmcp_runtime.settings import RuntimeSettings
from tests.cilium.agent import CRDS, MODULE, define_kinds
from tests.cilium.turns import connected
from tests.cluster import binaries, lifetime
from tests.cluster.model import Cluster
from tests.cluster.plugin import run_of, say
from tests.mcp import ToolCaller
from tests.waiting import until

pytestmark = [pytest.mark.pods, pytest.mark.timeout(600)]
NAMESPACE = "kmcp-mesh"
NOWHERE = {"kubernetes.io/hostname": "nowhere"}
VALUES: dict[str, Any] = {
    "nodeSelector": NOWHERE, "operator": {"nodeSelector": NOWHERE}, "envoy": {"nodeSelector": NOWHERE},
    "hubble": {"relay": {"nodeSelector": NOWHERE}, "ui": {"nodeSelector": NOWHERE}},
    "clustermesh": {"apiserver": {"nodeSelector": NOWHERE}}, "certgen": {"nodeSelector": NOWHERE},
}  # fmt: skip
CONFIG = f"/api/v1/namespaces/{NAMESPACE}/configmaps/cilium-config"


@pytest.fixture(scope="module")
def source(backend: Callable[[str], Mapping[str, Path]]) -> Path:
    """The sources of the Cilium that the tests know."""
    backend("cilium")
    return binaries.source(binaries.LATER["cilium"], MODULE)


@pytest.fixture(scope="module")
def charts(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cilium's chart as it is, and as its next versions."""
    folder = tmp_path_factory.mktemp("charts")
    for name, version in (("cilium", None), ("next", "1.20.0"), ("later", "1.22.0")):
        shutil.copytree(source / "install/kubernetes/cilium", folder / name)
        path = folder / name / "Chart.yaml"
        path.chmod(0o644)
        description = yaml.safe_load(path.read_text())
        description["version"] = version or description["version"]
        path.write_text(yaml.safe_dump(description))
    return folder


@pytest.fixture(scope="module")
def bare(request: pytest.FixtureRequest, cluster: Cluster, source: Path) -> Iterator[Cluster]:
    """A second cluster, all of whose Cilium is ours to take away."""
    run, pid = run_of(request.config)
    name = f"{run}-bare"
    yield lifetime.obtain(name, pid, lambda text: say(request.config, text))
    lifetime.stop(name)


@pytest.fixture(scope="module")
async def bare_api(bare: Cluster) -> AsyncIterator[KubeApi]:
    async with connected(str(bare.kubeconfig)) as api:
        await api.send("POST", "/api/v1/namespaces", (), {"metadata": {"name": NAMESPACE}})
        yield api


def settings(kubeconfig: Path, charts: Path, helm: Path, chart: str = "cilium") -> CiliumSettings:
    return CiliumSettings(
        kubeconfig=str(kubeconfig), cilium_namespace=NAMESPACE, helm=str(helm), chart_directory=str(charts),
        cilium_chart=chart,
    )  # fmt: skip


Calling = Callable[..., Any]


@pytest.fixture
async def on(bare: Cluster, charts: Path, helm: Path) -> AsyncIterator[Callable[..., Any]]:
    """Callers of the server on the bare cluster, by the chart that it knows."""
    async with AsyncExitStack() as stack:

        async def caller(chart: str = "cilium", kubeconfig: Path | None = None) -> ToolCaller:
            own = settings(kubeconfig or bare.kubeconfig, charts, helm, chart)
            client = Client(assemble(SERVER, own, RuntimeSettings(approval="off")))
            return ToolCaller(await stack.enter_async_context(client))

        yield caller


@pytest.fixture
async def tools(on: Calling, bare_api: KubeApi) -> ToolCaller:
    found: ToolCaller = await on()
    return found


@pytest.fixture
async def installed(tools: ToolCaller, bare_api: KubeApi) -> AsyncIterator[ToolCaller]:
    """A release named `one`, number 1, gone after the test."""
    await tools.ok("cilium_install_cilium", cluster_name="one", cluster_id=1, values=VALUES)
    yield tools
    await tools.client.call_tool("cilium_uninstall_cilium", {}, raise_on_error=False)
    await until(lambda: absent(bare_api), seconds=90, what="the end of the release")


async def configuration(api: KubeApi) -> dict[str, str]:
    return dict((await api.get(CONFIG))["data"])


async def absent(api: KubeApi) -> bool:
    """Whether nothing of a release is left, the namespace that the chart makes included."""
    return await is_gone(api, CONFIG) and await is_gone(api, "/api/v1/namespaces/cilium-secrets")


async def is_gone(api: KubeApi, path: str) -> bool:
    try:
        await api.get(path)
    except StatusFailure as failure:
        return failure.http_status == 404
    return False


def values_of(change: Mapping[str, Any]) -> dict[str, Any]:
    return {value["path"]: value.get("after") for value in change["values"]}


async def test_an_installation_is_shown_before_it_is_made(tools: ToolCaller, bare_api: KubeApi) -> None:
    wanted = {"cluster_name": "one", "cluster_id": 1, "datapath_mode": "tunnel", "values": VALUES}
    plan = await tools.ok("cilium_install_cilium", **wanted, dry_run=True)
    assert (plan["result"], plan["changed"], plan["dry_run"]) == ("would be installed", False, True)
    assert {"kind": "DaemonSet", "name": "cilium", "change": "added"} in plan["objects"]
    assert await absent(bare_api)
    done = await tools.ok("cilium_install_cilium", **wanted)
    assert (done["result"], done["revision"], done["chart_version"]) == ("installed", 1, "1.19.5")
    assert values_of(done)["routingMode"] == "tunnel"
    config = await configuration(bare_api)
    assert (config["cluster-name"], config["cluster-id"], config["routing-mode"]) == ("one", "1", "tunnel")
    assert config["tunnel-protocol"] == "vxlan"
    again = await tools.fails("cilium_install_cilium", **wanted)
    assert (again["code"], "installed already" in again["message"]) == ("conflict", True)
    assert "cilium_upgrade_cilium" in again["hint"]
    plan = await tools.ok("cilium_uninstall_cilium", dry_run=True)
    assert (plan["dry_run"], plan["kinds"]) == (True, [])
    assert {"kind": "DaemonSet", "name": "cilium"} in plan["objects"]
    assert "lose their network" in plan["consequences"][0]
    assert not await absent(bare_api)
    assert (await tools.ok("cilium_uninstall_cilium"))["changed"] is True
    await until(lambda: absent(bare_api), seconds=90, what="the end of the release")
    gone = await tools.fails("cilium_uninstall_cilium")
    assert (gone["code"], "not installed with Helm" in gone["message"]) == ("unavailable", True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"datapath_mode": "native"}, "ipv4NativeRoutingCIDR"),
        ({"datapath_mode": "azure"}, "azure.subscriptionID"),
        ({"datapath_mode": "vxlan"}, "is not one of"),
        ({"cluster_id": 256}, "255"),
        ({"cluster_name": "Has_Capitals"}, "no cluster's name"),
        ({"cluster_name": "--set"}, "no cluster's name"),
        ({"version": "--set=a"}, "no version"),
        ({"values": "a: [b"}, "no YAML"),
        ({"values": [1]}, "values"),
    ],
)
async def test_installations_that_cannot_be(tools: ToolCaller, arguments: dict[str, Any], words: str) -> None:
    error = await tools.fails("cilium_install_cilium", **arguments, dry_run=True)
    assert error["code"] == "bad_argument"
    assert words in f"{error['message']} {error['hint']}"


@pytest.mark.parametrize(
    ("mode", "values", "config"),
    [
        ("native", {"ipv4NativeRoutingCIDR": "10.0.0.0/8"}, {"routing-mode": "native"}),
        ("aws-eni", {}, {"ipam": "eni", "routing-mode": "native", "enable-ipv4-masquerade": "false"}),
        ("gke", {"ipv4NativeRoutingCIDR": "10.0.0.0/8"}, {"ipam": "kubernetes"}),
        ("aks-byocni", {}, {"ipam": "cluster-pool"}),
    ],
)
async def test_ways_of_forwarding(tools: ToolCaller, mode: str, values: dict[str, Any], config: dict[str, str]) -> None:
    plan = await tools.ok("cilium_install_cilium", datapath_mode=mode, values={**VALUES, **values}, dry_run=True)
    assert {"kind": "ConfigMap", "name": "cilium-config", "change": "added"} in plan["objects"]
    assert set(values) <= set(values_of(plan))


async def test_another_network_stands_in_the_way(tools: ToolCaller, bare_api: KubeApi) -> None:
    labels = {"app": "calico"}
    template = {"metadata": {"labels": labels}, "spec": {"nodeSelector": NOWHERE, "containers": [
        {"name": "main", "image": "none"}]}}  # fmt: skip
    body = {"metadata": {"name": "calico-node"}, "spec": {"selector": {"matchLabels": labels}, "template": template}}
    path = f"/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets"
    await bare_api.send("POST", path, (), body)
    try:
        error = await tools.fails("cilium_install_cilium", values=VALUES, dry_run=True)
        chained = {**VALUES, "cni": {"chainingMode": "generic-veth"}}
        assert (await tools.ok("cilium_install_cilium", values=chained, dry_run=True))["dry_run"] is True
    finally:
        await bare_api.send("DELETE", f"{path}/calico-node")
    assert (error["code"], "calico-node" in error["message"]) == ("conflict", True)


async def test_hubble_is_switched_on_and_off(installed: ToolCaller, bare_api: KubeApi) -> None:
    plan = await installed.ok("cilium_toggle_hubble", relay=True, ui=True, dry_run=True)
    assert values_of(plan) == {"hubble.relay.enabled": True, "hubble.ui.enabled": True}
    assert "hubble-relay" in plan["diff"]
    done = await installed.ok("cilium_toggle_hubble", relay=True)
    assert (done["changed"], done["revision"], values_of(done)) == (True, 2, {"hubble.relay.enabled": True})
    assert {"kind": "Deployment", "name": "hubble-relay", "change": "added"} in done["objects"]
    again = await installed.ok("cilium_toggle_hubble", relay=True)
    assert (again["changed"], again["result"], again["revision"]) == (False, "unchanged", 2)
    off = await installed.ok("cilium_toggle_hubble", enable="false")
    assert (off["restarts_agents"], values_of(off)) == (True, {"hubble.enabled": False, "hubble.relay.enabled": False})
    config = await configuration(bare_api)
    assert (config["enable-hubble"], config["cluster-name"]) == ("false", "one")
    refused = await installed.fails("cilium_toggle_hubble", enable=False, ui=True)
    assert refused["code"] == "bad_argument"
    gone = await installed.ok("cilium_uninstall_cilium")
    assert gone["changed"] is True


async def test_cluster_mesh_is_switched_on_and_off(installed: ToolCaller, bare_api: KubeApi) -> None:
    asked = await installed.fails("cilium_toggle_cluster_mesh")
    assert (asked["code"], "service_type" in asked["message"]) == ("bad_argument", True)
    done = await installed.ok("cilium_toggle_cluster_mesh", service_type="NodePort", kvstoremesh=False)
    assert values_of(done)["clustermesh.useAPIServer"] is True
    service = await bare_api.get(f"/api/v1/namespaces/{NAMESPACE}/services/clustermesh-apiserver")
    assert service["spec"]["type"] == "NodePort"
    off = await installed.ok("cilium_toggle_cluster_mesh", enable=False)
    assert values_of(off) == {"clustermesh.useAPIServer": False}


async def test_upgrades(on: Calling, installed: ToolCaller, bare_api: KubeApi) -> None:
    changed = await installed.ok("cilium_upgrade_cilium", values={"debug": {"enabled": True}})
    assert (changed["result"], values_of(changed)) == ("upgraded", {"debug.enabled": True})
    assert "could not be checked" in changed["warnings"][0]
    assert (await configuration(bare_api))["debug"] == "true"
    renamed = await installed.fails("cilium_upgrade_cilium", cluster_name="two")
    assert (renamed["code"], "'one'" in renamed["message"]) == ("bad_argument", True)
    assert (await installed.ok("cilium_upgrade_cilium", cluster_name="one", dry_run=True))["dry_run"] is True
    plan = await (await on("next")).ok("cilium_upgrade_cilium", dry_run=True)
    assert (plan["chart_version"], plan["result"]) == ("1.20.0", "would be upgraded")
    skipping = await (await on("later")).ok("cilium_upgrade_cilium", dry_run=True)
    assert any("one minor version" in warning for warning in skipping["warnings"])
    assert not any("one minor version" in warning for warning in plan["warnings"])
    done = await (await on("next")).ok("cilium_upgrade_cilium")
    assert {value["path"]: (value["before"], value["after"]) for value in done["values"]}["version"] == (
        "1.19.5", "1.20.0",
    )  # fmt: skip
    config = await configuration(bare_api)
    assert (config["debug"], config["cluster-name"], config["cluster-id"]) == ("true", "one", "1")
    other = await installed.fails("cilium_toggle_hubble", relay=True)
    assert (other["code"], "1.20.0" in other["message"], "1.19.5" in other["message"]) == ("conflict", True, True)


async def test_what_is_not_ready_in_time_is_said_with_the_state_so_far(installed: ToolCaller) -> None:
    late = await installed.ok(
        "cilium_upgrade_cilium", values={"debug": {"enabled": True}}, wait=True, timeout_seconds=4
    )
    assert (late["timed_out"], late["changed"]) == (True, True)
    assert "cilium-operator" in late["hint"]


async def test_custom_kinds_go_only_when_asked(installed: ToolCaller, bare_api: KubeApi, source: Path) -> None:
    await define_kinds(bare_api, source)
    plan = await installed.ok("cilium_uninstall_cilium", keep_crds=False, dry_run=True)
    assert "ciliumnetworkpolicies.cilium.io" in plan["kinds"]
    assert len(plan["consequences"]) == 2
    done = await installed.ok("cilium_uninstall_cilium", keep_crds=False)
    assert done["kinds"] == plan["kinds"]

    async def left() -> list[str]:
        found = await bare_api.get(CRDS, accept="application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io")
        names = [item["metadata"]["name"] for item in found["items"] or ()]
        return [name for name in names if name.endswith(".cilium.io")]

    # The API server ends kinds one after the other, and tries again after pauses that grow.
    await until(left, lambda names: names == [], seconds=240, what="the end of Cilium's kinds")


@pytest.fixture
async def two(
    bare: Cluster, cluster: Cluster, on: Calling, installed: ToolCaller, tmp_path: Path
) -> AsyncIterator[tuple[ToolCaller, KubeApi]]:
    """The contexts `one` (the bare cluster) and `two` (the other), each with a release of Cilium and mesh on."""
    async with connected(str(cluster.kubeconfig)) as api:
        await until(lambda: _claimed(api), seconds=300, what="the turn to install Cilium on the shared cluster")
        path = tmp_path / "kubeconfig"
        path.write_text(yaml.safe_dump(both({"one": bare, "two": cluster})))
        tools = await on(kubeconfig=path)
        try:
            await tools.ok("cilium_install_cilium", context="two", cluster_name="two", cluster_id=2, values=VALUES)
            mesh = {"service_type": "NodePort", "kvstoremesh": False}
            await asyncio.gather(
                *(tools.ok("cilium_toggle_cluster_mesh", context=name, **mesh) for name in ("one", "two"))
            )
            yield tools, api
        finally:
            await tools.client.call_tool("cilium_uninstall_cilium", {"context": "two"}, raise_on_error=False)
            await until(lambda: absent(api), seconds=90, what="the end of the release")
            await api.send("DELETE", f"/api/v1/namespaces/{NAMESPACE}")


async def _claimed(api: KubeApi) -> bool:
    try:
        await api.send("POST", "/api/v1/namespaces", (), {"metadata": {"name": NAMESPACE}})
    except StatusFailure as failure:
        if failure.http_status != 409:
            raise
        return False
    return True


def both(clusters: Mapping[str, Cluster]) -> dict[str, Any]:
    """A kubeconfig of several clusters, by context."""
    merged: dict[str, Any] = {"current-context": next(iter(clusters)), "contexts": [], "clusters": [], "users": []}
    for name, each in clusters.items():
        single = yaml.safe_load(each.kubeconfig.read_text())
        merged["contexts"].append({"name": name, "context": {"cluster": name, "user": name}})
        merged["clusters"].append({"name": name, "cluster": single["clusters"][0]["cluster"]})
        merged["users"].append({"name": name, "user": single["users"][0]["user"]})
    return merged


async def test_two_clusters_are_connected_and_disconnected(two: tuple[ToolCaller, KubeApi], bare_api: KubeApi) -> None:
    tools, other_api = two
    alone = await tools.fails("cilium_connect_to_remote_cluster", cluster_name="two")
    assert (alone["code"], alone["hint"]) == ("bad_argument", "contexts: two")
    itself = await tools.fails("cilium_connect_to_remote_cluster", cluster_name="one", context="one")
    assert (itself["code"], "itself" in itself["message"]) == ("bad_argument", True)
    wrong = await tools.fails("cilium_connect_to_remote_cluster", cluster_name="three", context="two")
    assert (wrong["code"], "calls itself 'two'" in wrong["message"]) == ("bad_argument", True)

    await share_authority(bare_api, other_api)
    remote = {"cluster_name": "two", "context": "two"}
    plan = await tools.ok("cilium_connect_to_remote_cluster", **remote, dry_run=True)
    assert [(side["cluster"], side["context"]) for side in plan["sides"]] == [("one", "one"), ("two", "two")]
    assert (plan["dry_run"], plan["changed"]) == (True, False)
    done = await tools.ok("cilium_connect_to_remote_cluster", **remote, endpoints=["192.0.2.7:32379"])
    assert (done["result"], done["changed"], done["ca_match"]) == ("connected", True, True)
    here, there = ({value["path"]: value["after"] for value in side["values"]} for side in done["sides"])
    assert here["clustermesh.config.clusters.two.ips"] == ["192.0.2.7"]
    assert (here["clustermesh.config.clusters.two.port"], here["clustermesh.config.enabled"]) == (32379, True)
    service = await bare_api.get(f"/api/v1/namespaces/{NAMESPACE}/services/clustermesh-apiserver")
    assert there["clustermesh.config.clusters.one.port"] == service["spec"]["ports"][0]["nodePort"]
    assert not any("tls" in path for path in here | there)
    assert await known_clusters(bare_api) == {"two"}
    assert await known_clusters(other_api) == {"one"}

    again = await tools.ok("cilium_connect_to_remote_cluster", **remote, endpoints=["192.0.2.7:32379"])
    assert (again["result"], again["changed"]) == ("unchanged", False)
    busy = await tools.fails("cilium_toggle_cluster_mesh", enable=False)
    assert (busy["code"], "two" in busy["message"]) == ("conflict", True)

    unknown = await tools.fails("cilium_disconnect_remote_cluster", cluster_name="three")
    assert (unknown["code"], unknown["hint"]) == ("not_found", "connected: two")
    parted = await tools.ok("cilium_disconnect_remote_cluster", **remote)
    assert [side["changed"] for side in parted["sides"]] == [True, True]
    assert await known_clusters(bare_api) == await known_clusters(other_api) == set()
    assert (await tools.ok("cilium_toggle_cluster_mesh", enable=False))["changed"] is True


async def share_authority(one: KubeApi, other: KubeApi) -> None:
    path = f"/api/v1/namespaces/{NAMESPACE}/secrets/cilium-ca"
    authority = await one.get(path)
    await other.send("PATCH", path, (), {"data": authority["data"]}, "application/merge-patch+json")


async def known_clusters(api: KubeApi) -> set[str]:
    """The clusters that agents have settings for."""
    secret = await api.get(f"/api/v1/namespaces/{NAMESPACE}/secrets/cilium-clustermesh")
    return {key for key in secret.get("data") or {} if "." not in key}


async def test_clusters_with_different_authorities_exchange_certificates(
    two: tuple[ToolCaller, KubeApi], bare_api: KubeApi
) -> None:
    tools, other_api = two
    remote = {"cluster_name": "two", "context": "two", "mode": "unicast", "endpoints": "192.0.2.7:2379"}
    missing = await tools.fails("cilium_connect_to_remote_cluster", **remote)
    assert (missing["code"], "copy Secret cilium-ca" in missing["hint"]) == ("unavailable", True)
    data = {name: base64.b64encode(b"certificate").decode() for name in ("ca.crt", "tls.crt", "tls.key")}
    body = {"metadata": {"name": "clustermesh-apiserver-remote-cert"}, "data": data}
    await other_api.send("POST", f"/api/v1/namespaces/{NAMESPACE}/secrets", (), body)
    done = await tools.ok("cilium_connect_to_remote_cluster", **remote)
    assert ([side["cluster"] for side in done["sides"]], done["ca_match"]) == (["one"], False)
    values = {value["path"]: value["after"] for value in done["sides"][0]["values"]}
    assert values["clustermesh.config.clusters.two.tls.key"] == "given"
    assert data["tls.key"] not in str(done)
    secret = await bare_api.get(f"/api/v1/namespaces/{NAMESPACE}/secrets/cilium-clustermesh")
    assert secret["data"]["two.etcd-client.key"] == data["tls.key"]


async def test_clusters_that_cannot_be_one_mesh(two: tuple[ToolCaller, KubeApi]) -> None:
    tools, _ = two
    await tools.ok("cilium_toggle_cluster_mesh", enable=False)
    await tools.ok("cilium_upgrade_cilium", values={"clustermesh": {"maxConnectedClusters": 511}})
    error = await tools.fails("cilium_connect_to_remote_cluster", cluster_name="two", context="two")
    assert error["code"] == "conflict"
    assert "maxConnectedClusters is 511 here and 255 there" in error["message"]
    assert "cluster mesh is off in one" in error["message"]


async def test_a_list_of_connected_clusters_stays_a_list(installed: ToolCaller, bare_api: KubeApi) -> None:
    clusters = [{"name": name, "ips": ["192.0.2.7"], "port": 2379} for name in ("two", "three")]
    await installed.ok(
        "cilium_upgrade_cilium", values={"clustermesh": {"config": {"enabled": True, "clusters": clusters}}}
    )
    done = await installed.ok("cilium_disconnect_remote_cluster", cluster_name="two")
    assert "give its context" in done["hint"]
    (value,) = done["sides"][0]["values"]
    assert (value["path"], [each["name"] for each in value["after"]]) == ("clustermesh.config.clusters", ["three"])
    secret = await bare_api.get(f"/api/v1/namespaces/{NAMESPACE}/secrets/cilium-clustermesh")
    assert set(secret["data"]) == {"three"}
