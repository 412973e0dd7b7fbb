"""Cilium's own chart installed, changed, connected and taken away, by an identity that holds what the tools declare.

All in one file, which one worker runs: a cluster has one Cilium.
"""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kmcp_cilium.rights import RELEASE, ROLES
from kmcp_runtime.kube.api import KubeApi
from tests.cilium.agent import CRDS, define_kinds
from tests.cilium.chart.clusters import (
    NAMESPACE,
    NOWHERE,
    VALUES,
    absent,
    configuration,
    identity,
    known_clusters,
    share_authority,
)
from tests.cilium.chart.conftest import Callers
from tests.cluster.model import Cluster
from tests.mcp import ToolCaller
from tests.rights import without
from tests.waiting import until

pytestmark = pytest.mark.pods


def values_of(change: Mapping[str, Any]) -> dict[str, Any]:
    return {value["path"]: value.get("after") for value in change["values"]}


async def test_an_installation_is_shown_before_it_is_made(vacant: ToolCaller, bare_api: KubeApi) -> None:
    wanted = {"cluster_name": "one", "cluster_id": 1, "datapath_mode": "tunnel", "values": VALUES}
    plan = await vacant.ok("cilium_install_cilium", **wanted, dry_run=True)
    assert (plan["result"], plan["changed"], plan["dry_run"]) == ("would be installed", False, True)
    assert {"kind": "DaemonSet", "name": "cilium", "change": "added"} in plan["objects"]
    assert await absent(bare_api)
    done = await vacant.ok("cilium_install_cilium", **wanted)
    assert (done["result"], done["revision"], done["chart_version"]) == ("installed", 1, "1.19.5")
    assert values_of(done)["routingMode"] == "tunnel"
    config = await configuration(bare_api)
    assert (config["cluster-name"], config["cluster-id"], config["routing-mode"]) == ("one", "1", "tunnel")
    assert config["tunnel-protocol"] == "vxlan"
    again = await vacant.fails("cilium_install_cilium", **wanted)
    assert (again["code"], "already installed" in again["message"]) == ("conflict", True)
    assert "cilium_upgrade_cilium" in again["hint"]
    plan = await vacant.ok("cilium_uninstall_cilium", dry_run=True)
    assert (plan["dry_run"], plan["kinds"]) == (True, [])
    assert {"kind": "DaemonSet", "name": "cilium"} in plan["objects"]
    assert "lose their network" in plan["consequences"][0]
    assert not await absent(bare_api)
    assert (await vacant.ok("cilium_uninstall_cilium"))["changed"] is True
    await until(lambda: absent(bare_api), seconds=90, what="the end of the release")
    gone = await vacant.fails("cilium_uninstall_cilium")
    assert (gone["code"], "not installed with Helm" in gone["message"]) == ("unavailable", True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"datapath_mode": "native"}, "ipv4NativeRoutingCIDR"),
        ({"datapath_mode": "azure"}, "azure.subscriptionID"),
        ({"datapath_mode": "vxlan"}, "is not one of"),
        ({"cluster_id": 256}, "255"),
        ({"cluster_name": "Has_Capitals"}, "not a valid cluster name"),
        ({"cluster_name": "--set"}, "not a valid cluster name"),
        ({"version": "--set=a"}, "not a valid version"),
        ({"values": "a: [b"}, "not valid YAML"),
        ({"values": [1]}, "values"),
    ],
)
async def test_installations_that_cannot_be(vacant: ToolCaller, arguments: dict[str, Any], words: str) -> None:
    error = await vacant.fails("cilium_install_cilium", **arguments, dry_run=True)
    assert error["code"] == "bad_argument"
    assert words in f"{error['message']} {error['hint']}"


@pytest.mark.parametrize(
    ("mode", "values", "expected"),
    [
        ("native", {"ipv4NativeRoutingCIDR": "10.0.0.0/8"}, {"routingMode": "native"}),
        ("aws-eni", {}, {"ipam.mode": "eni", "eni.enabled": True, "enableIPv4Masquerade": False}),
        ("gke", {"ipv4NativeRoutingCIDR": "10.0.0.0/8"}, {"ipam.mode": "kubernetes", "gke.enabled": True}),
        ("aks-byocni", {}, {"aksbyocni.enabled": True}),
    ],
)
async def test_ways_of_forwarding(
    vacant: ToolCaller, mode: str, values: dict[str, Any], expected: dict[str, Any]
) -> None:
    plan = await vacant.ok("cilium_install_cilium", datapath_mode=mode, values={**VALUES, **values}, dry_run=True)
    assert {"kind": "ConfigMap", "name": "cilium-config", "change": "added"} in plan["objects"]
    assert {**values, **expected}.items() <= values_of(plan).items()


@pytest.mark.parametrize(
    ("name", "words"), [("calico-node", "already has a network: calico-node"), ("cilium", "Cilium is already running")]
)
async def test_another_network_stands_in_the_way(name: str, words: str, vacant: ToolCaller, bare_api: KubeApi) -> None:
    labels = {"app": name}
    template = {
        "metadata": {"labels": labels},
        "spec": {"nodeSelector": NOWHERE, "containers": [{"name": "main", "image": "none"}]},
    }
    body = {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": labels}, "template": template}}
    path = f"/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets"
    await bare_api.send("POST", path, (), body)
    try:
        error = await vacant.fails("cilium_install_cilium", values=VALUES, dry_run=True)
        if name != "cilium":
            chained = {**VALUES, "cni": {"chainingMode": "generic-veth"}}
            assert (await vacant.ok("cilium_install_cilium", values=chained, dry_run=True))["dry_run"] is True
    finally:
        await bare_api.send("DELETE", f"{path}/{name}")
    assert (error["code"], words in error["message"]) == ("conflict", True)


async def test_hubble_is_switched_on_and_off(installed: ToolCaller, bare_api: KubeApi) -> None:
    plan = await installed.ok("cilium_toggle_hubble", relay=True, ui=True, dry_run=True)
    assert values_of(plan) == {"hubble.relay.enabled": True, "hubble.ui.enabled": True}
    assert "hubble-relay" in plan["diff"]
    done = await installed.ok("cilium_toggle_hubble", relay=True)
    assert (done["changed"], values_of(done)) == (True, {"hubble.relay.enabled": True})
    assert {"kind": "Deployment", "name": "hubble-relay", "change": "added"} in done["objects"]
    again = await installed.ok("cilium_toggle_hubble", relay=True)
    assert (again["changed"], again["result"], again["revision"]) == (False, "unchanged", done["revision"])
    off = await installed.ok("cilium_toggle_hubble", enable="false")
    assert (off["restarts_agents"], values_of(off)) == (True, {"hubble.enabled": False, "hubble.relay.enabled": False})
    config = await configuration(bare_api)
    assert (config["enable-hubble"], config["cluster-name"]) == ("false", "one")
    refused = await installed.fails("cilium_toggle_hubble", enable=False, ui=True)
    assert refused["code"] == "bad_argument"
    assert (await installed.ok("cilium_uninstall_cilium"))["changed"] is True


async def test_cluster_mesh_is_switched_on_and_off(installed: ToolCaller, bare_api: KubeApi) -> None:
    asked = await installed.fails("cilium_toggle_cluster_mesh")
    assert (asked["code"], "service_type" in asked["message"]) == ("bad_argument", True)
    done = await installed.ok("cilium_toggle_cluster_mesh", service_type="NodePort", kvstoremesh=False)
    assert values_of(done)["clustermesh.useAPIServer"] is True
    service = await bare_api.get(f"/api/v1/namespaces/{NAMESPACE}/services/clustermesh-apiserver")
    assert service["spec"]["type"] == "NodePort"
    off = await installed.ok("cilium_toggle_cluster_mesh", enable=False)
    assert values_of(off) == {"clustermesh.useAPIServer": False}


async def test_upgrades(on: Callers, installed: ToolCaller, bare_api: KubeApi) -> None:
    changed = await installed.ok("cilium_upgrade_cilium", values={"debug": {"enabled": True}})
    assert (changed["result"], values_of(changed)) == ("upgraded", {"debug.enabled": True})
    assert "Could not check" in changed["warnings"][0]
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
        "1.19.5",
        "1.20.0",
    )
    config = await configuration(bare_api)
    assert (config["debug"], config["cluster-name"], config["cluster-id"]) == ("true", "one", "1")
    other = await installed.fails("cilium_toggle_hubble", relay=True)
    assert (other["code"], "1.20.0" in other["message"], "1.19.5" in other["message"]) == ("conflict", True, True)


async def test_what_is_not_ready_in_time_is_said_with_the_state_so_far(installed: ToolCaller) -> None:
    late = await installed.ok(
        "cilium_upgrade_cilium", values={"debug": {"enabled": True}}, wait=True, timeout_seconds=4
    )
    assert (late["timed_out"], late["changed"]) == (True, True)
    assert any("cilium-operator" in warning for warning in late["warnings"])


async def test_custom_kinds_go_only_when_asked(installed: ToolCaller, bare_api: KubeApi, source: Path) -> None:
    await define_kinds(bare_api, source)
    plan = await installed.ok("cilium_uninstall_cilium", keep_crds=False, dry_run=True)
    assert "ciliumnetworkpolicies.cilium.io" in plan["kinds"]
    assert len(plan["consequences"]) == 2
    done = await installed.ok("cilium_uninstall_cilium", keep_crds=False)
    assert done["kinds"] == plan["kinds"]

    # The API server may take minutes to end a kind whose objects it has not listed yet: being on its way out is enough.
    kinds = [each["metadata"] for each in (await bare_api.get(CRDS))["items"] if each["spec"]["group"] == "cilium.io"]
    assert [kind["name"] for kind in kinds if "deletionTimestamp" not in kind] == []


@pytest.mark.parametrize("verb", ROLES.verbs)
async def test_the_rights_of_cilium_itself_are_given_with_the_verbs_for_it_alone(
    verb: str, on: Callers, bare: Cluster, bare_api: KubeApi, vacant: ToolCaller, tmp_path: Path
) -> None:
    """The other verbs are those of any chart: tests of Helm's tools show that they are needed."""
    rules = without(RELEASE, ROLES, verb)
    async with identity(bare_api, bare, rules, tmp_path) as kubeconfig:
        caller = await on(kubeconfig=kubeconfig)

        async def refused() -> dict[str, Any]:
            return await caller.fails("cilium_install_cilium", values=VALUES)

        error = await until(refused, lambda body: "not currently held" in body["message"], what=f"{verb} refused")
    assert error["code"] == "forbidden"


async def test_two_clusters_are_connected_and_disconnected(two: tuple[ToolCaller, KubeApi], bare_api: KubeApi) -> None:
    tools, other_api = two
    alone = await tools.fails("cilium_connect_to_remote_cluster", cluster_name="two")
    assert (alone["code"], alone["hint"]) == ("bad_argument", "contexts: two")
    itself = await tools.fails("cilium_connect_to_remote_cluster", cluster_name="one", context="one")
    assert (itself["code"], "is this cluster" in itself["message"]) == ("bad_argument", True)
    wrong = await tools.fails("cilium_connect_to_remote_cluster", cluster_name="three", context="two")
    assert (wrong["code"], "is named 'two'" in wrong["message"]) == ("bad_argument", True)

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
