"""What no agent of the tests can show, answered as Cilium 1.19.5 answers it: peers, keys, Envoy, meshes, many nodes."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cilium.conftest import calling
from tests.cilium.fleet import NAMESPACE, Argv, FakeAgent, Output, document, fleet

NOT_RECORDED = Output(stderr="Error: not recorded", code=1)


def answering(answers: Mapping[str, Any]) -> Callable[[Argv], Output]:
    """An agent that knows these command lines, without the program's name; a text is printed, all else is JSON."""

    def answer(argv: Argv) -> Output:
        found = answers.get(" ".join(argv[1:]), NOT_RECORDED)
        if isinstance(found, Output):
            return found
        return Output(found) if isinstance(found, str) else document(found)

    return answer


PEER = {
    "local-asn": 65001, "peer-asn": 65002, "peer-address": "192.0.2.1", "session-state": "established",
    "uptime-nanoseconds": 90_000_000_000,
    "families": [{"afi": "ipv4", "safi": "unicast", "received": 3, "accepted": 2, "advertised": 1}],
}  # fmt: skip
NEXT_HOP = "QAMECgAAAQ=="  # flags, type 3, length 4, 10.0.0.1
MP_REACH = "kA4AGAACARAgAQ24AAAAAAAAAAAAAAABAA=="  # extended length, type 14, IPv6 unicast, 2001:db8::1
ROUTE = {
    "prefix": "10.1.0.0/24", "router-asn": 65001, "neighbor": "192.0.2.1",
    "paths": [
        {
            "best": True, "age-nanoseconds": 5_000_000_000,
            "path-attributes": [{"base64": NEXT_HOP}, {"base64": MP_REACH}, {"base64": "%%"}, {"base64": ""}],
        }
    ],
}  # fmt: skip


async def test_bgp_peers_with_those_that_are_configured_only(tmp_path: Path) -> None:
    instance = {"localASN": 65001, "peers": [
        {"name": "a", "peerASN": 65002, "peerAddress": "192.0.2.1"}, {"name": "b", "peerASN": 65003,
        "peerAddress": "192.0.2.9"}]}  # fmt: skip
    config = {"metadata": {"name": "one"}, "spec": {"bgpInstances": [instance]}}
    agents = [
        FakeAgent("one", answering({"bgp peers -o json": [PEER]})),
        FakeAgent("two", answering({"bgp peers -o json": "BGP Control Plane is disabled\n"})),
    ]
    async with (
        fleet(tmp_path, agents, {"/apis/cilium.io/v2/ciliumbgpnodeconfigs": [config]}) as kubeconfig,
        calling(kubeconfig) as tools,
    ):
        found = await tools.ok("cilium_list_bgp_peers")
    assert found["enabled"] is True
    established, missing = found["items"]
    assert established == {
        "node": "one", "local_asn": 65001, "peer_asn": 65002, "peer_address": "192.0.2.1",
        "session_state": "established", "uptime_seconds": 90,
        "families": [{"afi": "ipv4", "safi": "unicast", "received": 3, "accepted": 2, "advertised": 1}],
    }  # fmt: skip
    assert (missing["peer_address"], missing["session_state"]) == ("192.0.2.9", "configured only")


async def test_bgp_routes_and_the_command_lines_that_ask_for_them(tmp_path: Path) -> None:
    agent = FakeAgent("one", lambda argv: document([ROUTE]))
    async with fleet(tmp_path, [agent]) as kubeconfig, calling(kubeconfig) as tools:
        found = await tools.ok("cilium_list_bgp_routes")
        advertised = {"table": "advertised", "afi": "ipv6", "vrouter_asn": 65001, "peer": "2001:db8::1"}
        await tools.ok("cilium_list_bgp_routes", **advertised)
        error = await tools.fails("cilium_list_bgp_routes", peer="192.0.2.1")
        words = await tools.fails("cilium_list_bgp_routes", table="advertised", peer="router-1")
    assert found["items"] == [
        {
            "node": "one", "vrouter_asn": 65001, "neighbor": "192.0.2.1", "prefix": "10.1.0.0/24",
            "next_hops": ["10.0.0.1", "2001:db8::1"], "age_seconds": 5, "best": True,
        }
    ]  # fmt: skip
    assert [" ".join(argv[1:]) for argv in agent.asked] == [
        "bgp routes available ipv4 unicast -o json",
        "bgp routes advertised ipv6 unicast vrouter 65001 peer 2001:db8::1 -o json",
    ]
    assert (error["code"], words["code"]) == ("bad_argument", "bad_argument")


IPSEC = {"mode": "IPsec", "ipsec": {"keys-in-use": 1, "max-seq-number": "0x1/0xff", "error-count": 2,
         "xfrm-errors": {"XfrmInNoStates": 2}}}  # fmt: skip
WIREGUARD = {"mode": "Wireguard", "wireguard": {"interfaces": [
    {"name": "cilium_wg0", "public-key": "abc=", "listen-port": 51871, "peer-count": 2}]}}  # fmt: skip


async def test_encryption_differs_between_nodes(tmp_path: Path) -> None:
    agents = [
        FakeAgent(name, answering({"encrypt status -o json": told}))
        for name, told in (("a", IPSEC), ("b", WIREGUARD), ("c", {"msg": "the agent does not answer"}))
    ]
    async with fleet(tmp_path, agents) as kubeconfig, calling(kubeconfig) as tools:
        found = await tools.ok("cilium_display_encryption_state")
    ipsec, wireguard = found["items"]
    assert (ipsec["keys_in_use"], ipsec["errors"], ipsec["error_counts"]) == (1, 2, {"XfrmInNoStates": 2})
    assert wireguard["interfaces"] == [{"name": "cilium_wg0", "public_key": "abc=", "listen_port": 51871, "peers": 2}]
    assert (found["consistent"], [each["node"] for each in found["unreachable"]]) == (False, ["c"])


@pytest.mark.parametrize(
    ("arguments", "command", "told", "expected"),
    [
        ({}, "encrypt flush -f", "All XFRM states and policies have been deleted.\n", (True, None, None)),
        (
            {"spi": 3, "node_id": "0x2a"}, "encrypt flush -f --spi 3 --node-id 0x2a",
            "Deleted 4 XFRM states.\nDeleted 6 XFRM policies.\n", (True, 4, 6),
        ),
        ({"stale": True}, "encrypt flush -f --stale", "No stale XFRM states or policies found.", (False, 0, 0)),
    ],
)  # fmt: skip
async def test_ipsec_is_flushed(
    tmp_path: Path, arguments: dict[str, Any], command: str, told: str, expected: tuple[bool, int | None, int | None]
) -> None:
    agent = FakeAgent("a", answering({"encrypt status -o json": IPSEC, command: told}))
    async with fleet(tmp_path, [agent]) as kubeconfig, calling(kubeconfig) as tools:
        plan = await tools.ok("cilium_flush_ipsec_state", **arguments, dry_run=True)
        assert (plan["dry_run"], plan["changed"], len(agent.asked)) == (True, False, 1)
        done = await tools.ok("cilium_flush_ipsec_state", **arguments)
    assert (done["changed"], done.get("deleted_states"), done.get("deleted_policies")) == expected


@pytest.mark.parametrize("arguments", [{"stale": True, "spi": 1}, {"spi": 16}, {"node_id": "0"}, {"node_id": "-1"}])
async def test_flushes_that_cannot_be(tmp_path: Path, arguments: dict[str, Any]) -> None:
    agent = FakeAgent("a", answering({"encrypt status -o json": IPSEC}))
    async with fleet(tmp_path, [agent]) as kubeconfig, calling(kubeconfig) as tools:
        assert (await tools.fails("cilium_flush_ipsec_state", **arguments))["code"] == "bad_argument"
    assert agent.asked == []


class Store:
    """A key-value store behind the command line, with what it was asked to write."""

    def __init__(self) -> None:
        self.pairs = {"cilium/state/a/1": "one", "cilium/state/a/2": "two"}

    def __call__(self, argv: Argv) -> Output:
        command, *words = argv[2:]
        if command == "set":
            key, value = (word.partition("=")[2] for word in words)
            self.pairs[key] = value
            return Output()
        key = words[words.index("--") + 1]
        below = {name: value for name, value in self.pairs.items() if name.startswith(key)}
        if command == "delete":
            for name in below if "--recursive" in words else [key]:
                del self.pairs[name]
            return Output()
        if "--recursive" in words:
            listed = {name: {"Data": _encoded(value), "ModRevision": 7, "LeaseID": 0} for name, value in below.items()}
            return document(listed)
        if key not in self.pairs:
            return Output(stderr=f"Error: key {key} is not found\n", code=1)
        return document(self.pairs[key])


def _encoded(value: str) -> str:
    import base64

    return base64.b64encode(value.encode()).decode()


async def test_keys_of_a_key_value_store(tmp_path: Path) -> None:
    store = Store()
    async with fleet(tmp_path, [FakeAgent("a", store)]) as kubeconfig, calling(kubeconfig) as tools:
        one = await tools.ok("cilium_get_kv_store_key", key="cilium/state/a/1")
        assert one["items"] == [{"key": "cilium/state/a/1", "value": "one"}]
        below = await tools.ok("cilium_get_kv_store_key", key="cilium/state/a/", recursive=True, limit=1)
        assert (below["total"], below["items"][0]["value"], below["truncated"]) == (2, "one", True)
        absent = await tools.fails("cilium_get_kv_store_key", key="cilium/state/b")
        assert absent["code"] == "not_found"
        plan = await tools.ok("cilium_set_kv_store_key", key="cilium/state/b", value="--x=y", dry_run=True)
        assert (plan["result"], plan["written"], "cilium/state/b" in store.pairs) == ("would be created", False, False)
        written = await tools.ok("cilium_set_kv_store_key", key="cilium/state/b", value="--x=y")
        assert (written["result"], written["written"], store.pairs["cilium/state/b"]) == ("created", True, "--x=y")
        again = await tools.ok("cilium_set_kv_store_key", key="cilium/state/b", value="--x=y")
        assert (again["changed"], again["result"]) == (False, "unchanged")
        gone = await tools.ok("cilium_delete_key_from_kv_store", key="cilium/state/b")
        assert (gone["deleted"], gone["count"]) == (True, 1)
        assert (await tools.fails("cilium_delete_key_from_kv_store", key="cilium/state/b"))["code"] == "not_found"
        for short in ("cilium/", "cilium/state/", "other/"):
            error = await tools.fails("cilium_delete_key_from_kv_store", key=short, recursive=True)
            assert (error["code"], "too short" in error["message"]) == ("bad_argument", True)
        plan = await tools.ok("cilium_delete_key_from_kv_store", key="cilium/state/a/", recursive=True, dry_run=True)
        assert (plan["count"], plan["deleted"], len(store.pairs)) == (2, False, 2)
        await tools.ok("cilium_delete_key_from_kv_store", key="cilium/state/a/", recursive=True)
    assert store.pairs == {}


ENVOY = {
    "envoy admin clusters -o json": {"cluster_statuses": [
        {"name": "egress", "added_via_api": True, "circuit_breakers": {"thresholds": []}, "host_statuses": [
            {"address": {"socket_address": {"address": "10.0.0.7", "port_value": 80}},
             "health_status": {"eds_health_status": "HEALTHY"}}]}, {"name": "admin"}]},
    "envoy admin listeners -o json": {
        "listener_statuses": [{"name": "web", "local_address": {"pipe": {"path": "/x"}}}]
    },
    "envoy admin certs": {"certificates": [{"ca_cert": [], "cert_chain": [{"path": "a.pem"}]}]},
    "envoy admin serverinfo": {"version": "1.35", "state": "LIVE"},
    "envoy admin logging list": "active loggers:\n  admin: info\n  config: debug\n",
    "envoy admin metrics -f %5Eenvoy_":
        '# TYPE envoy_a counter\nenvoy_a{le="0.5",q="x\\"y"} 3\nenvoy_b 1e3\nenvoy_c +Inf\n',
    "envoy admin config routes -n web": {"configs": [
        {"@type": "type.googleapis.com/envoy.admin.v3.RoutesConfigDump.DynamicRouteConfig", "version_info": "1",
         "route_config": {"name": "web-route"}}]},
    "envoy admin config all": {"configs": [
        {"@type": "type.googleapis.com/envoy.admin.v3.BootstrapConfigDump", "bootstrap": {"node": {}}},
        {"@type": "type.googleapis.com/envoy.admin.v3.ListenersConfigDump", "dynamic_listeners": [{"name": "web"}]}]},
}  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"resource_name": "clusters", "filter": "^egress$"}, [
            {"name": "egress", "content": {"added_via_api": True, "hosts": [
                {"address": "10.0.0.7:80", "health": {"eds_health_status": "HEALTHY"}}]}}]),
        ({"resource_name": "listeners"}, [{"name": "web", "content": {"local_address": {"pipe": {"path": "/x"}}}}]),
        ({"resource_name": "certs"}, [{"content": {"ca_cert": [], "cert_chain": [{"path": "a.pem"}]}}]),
        (
            {"resource_name": "serverinfo"},
            [{"name": "state", "content": "LIVE"}, {"name": "version", "content": "1.35"}],
        ),
        ({"resource_name": "logging"}, [{"name": "admin", "value": "info"}, {"name": "config", "value": "debug"}]),
        ({"resource_name": "metrics", "filter": "^envoy_"}, [
            {"name": "envoy_a", "labels": {"le": "0.5", "q": 'x"y'}, "value": 3.0},
            {"name": "envoy_b", "value": 1000.0}, {"name": "envoy_c", "value": "+Inf"}]),
        ({"resource_name": "config", "section": "routes", "filter": "web"}, [
            {"kind": "DynamicRouteConfig", "name": "web-route",
             "content": {"version_info": "1", "route_config": {"name": "web-route"}}}]),
        ({"resource_name": "config"}, [
            {"kind": "BootstrapConfigDump", "content": {"bootstrap": {"node": {}}}},
            {"kind": "dynamic_listeners", "name": "web", "content": {"name": "web"}}]),
    ],
)  # fmt: skip
async def test_envoy(tmp_path: Path, arguments: dict[str, Any], expected: list[dict[str, Any]]) -> None:
    async with fleet(tmp_path, [FakeAgent("a", answering(ENVOY))]) as kubeconfig, calling(kubeconfig) as tools:
        found = await tools.ok("cilium_list_envoy_config", **arguments)
    assert found["items"] == expected


async def test_envoy_is_not_asked_for_what_it_does_not_have(tmp_path: Path) -> None:
    async with fleet(tmp_path, [FakeAgent("a", answering(ENVOY))]) as kubeconfig, calling(kubeconfig) as tools:
        near = await tools.fails("cilium_list_envoy_config", resource_name="cluster")
        assert (near["code"], "did you mean clusters" in near["message"]) == ("bad_argument", True)
        section = await tools.fails("cilium_list_envoy_config", resource_name="clusters", section="routes")
        assert (section["code"], "config only" in section["message"]) == ("bad_argument", True)
        broken = await tools.fails("cilium_list_envoy_config", resource_name="clusters", filter="(")
        assert broken["code"] == "bad_argument"


def endpoint(namespace: str, name: str, number: int, host: str, state: str = "ready") -> dict[str, Any]:
    labels = [f"k8s:app={name}", f"k8s:io.kubernetes.pod.namespace={namespace}"]
    networking = {"addressing": [{"ipv4": f"10.1.0.{number}"}], "node": host}
    status = {
        "id": number,
        "identity": {"id": 1000 + number, "labels": labels},
        "networking": networking,
        "state": state,
    }
    return {"metadata": {"name": name, "namespace": namespace}, "status": status}


async def test_endpoints_of_many_nodes_come_from_their_objects(tmp_path: Path) -> None:
    agents = [FakeAgent(f"n{number}", answering({}), ip=f"10.0.0.{number}") for number in (1, 2)]
    objects = [endpoint("shop", f"web-{number}", number, f"10.0.0.{1 + number % 2}") for number in range(1, 6)]
    objects[3]["status"]["state"] = "regenerating"
    path = "/apis/cilium.io/v2/ciliumendpoints"
    async with fleet(tmp_path, agents, {path: objects}) as kubeconfig, calling(kubeconfig) as tools:
        first = await tools.ok("cilium_get_endpoints_list", limit=3)
        second = await tools.ok("cilium_get_endpoints_list", limit=3, cursor=first["cursor"])
        busy = await tools.ok("cilium_get_endpoints_list", limit=2, state="regenerating")
    assert [item["pod"] for item in [*first["items"], *second["items"]]] == [f"web-{n}" for n in range(1, 6)]
    assert first["items"][0] == {
        "node": "n2", "id": 1, "identity": 1001, "namespace": "shop", "pod": "web-1", "state": "ready",
        "ipv4": "10.1.0.1", "labels": ["k8s:app=web-1"],
    }  # fmt: skip
    assert (first["truncated"], second["truncated"]) == (True, False)
    assert "add node_name" in first["hint"]
    assert [item["pod"] for item in busy["items"]] == ["web-4"]
    assert [agent.asked for agent in agents] == [[], []]


async def test_endpoints_without_objects_are_asked_of_the_agents(tmp_path: Path) -> None:
    told = [{"id": 7, "status": {"state": "ready", "identity": {"id": 1, "labels": ["reserved:host"]}}}]
    agents = [FakeAgent(name, answering({"endpoint list -o json": told})) for name in ("a", "b")]
    path = "/apis/cilium.io/v2/ciliumendpoints"
    async with fleet(tmp_path, agents, {path: []}) as kubeconfig, calling(kubeconfig) as tools:
        found = await tools.ok("cilium_get_endpoints_list")
    assert [(item["node"], item["id"]) for item in found["items"]] == [("a", 7), ("b", 7)]


async def test_an_endpoint_is_looked_for_on_the_node_of_its_pod(tmp_path: Path) -> None:
    told = [{"id": 7, "status": {"state": "ready"}}]
    missing = Output(stderr="Error: Cannot get endpoint x: [GET /endpoint/{id}][404] getEndpointIdNotFound\n", code=1)
    known = {"endpoint get cep-name:shop/web -o json": told, "endpoint get 7 -o json": told}
    agents = [FakeAgent("a", lambda argv: missing), FakeAgent("b", answering(known)), FakeAgent("c", answering(known))]
    pods = "/api/v1/namespaces/shop/pods"
    objects = {
        f"{pods}/web": {"spec": {"nodeName": "b"}}, f"{pods}/waiting": {"spec": {}},
        f"{pods}/host": {"spec": {"nodeName": "b", "hostNetwork": True}},
    }  # fmt: skip
    async with fleet(tmp_path, agents, objects) as kubeconfig, calling(kubeconfig) as tools:
        (found,) = (await tools.ok("cilium_get_endpoint_details", endpoint_id="shop/web"))["items"]
        assert (found["node"], found["id"]) == ("b", 7)
        nowhere = await tools.fails("cilium_get_endpoint_details", endpoint_id="shop/waiting")
        assert (nowhere["code"], "no node yet" in nowhere["message"]) == ("not_found", True)
        host = await tools.fails("cilium_get_endpoint_details", endpoint_id="shop/host")
        assert (host["code"], "node's own network" in host["message"]) == ("bad_argument", True)
        which = await tools.fails("cilium_get_endpoint_details", endpoint_id="7")
        assert (which["code"], which["hint"]) == ("bad_argument", "nodes: a, b, c")
        elsewhere = await tools.fails("cilium_get_endpoint_details", endpoint_id=7, node_name="a")
        assert (elsewhere["code"], elsewhere["hint"]) == ("not_found", "node b, c has one")


REMOTE = {
    "name": "two", "connected": True, "ready": True, "num-nodes": 3, "num-endpoints": 20, "num-shared-services": 2,
    "num-identities": 9, "num-failures": 0, "status": "ready",
}  # fmt: skip
STATUS = "status --require-k8s-connectivity=false -o json"


def meshed(**changes: Any) -> Callable[[Argv], Output]:
    return answering({STATUS: {"cluster-mesh": {"clusters": [{**REMOTE, **changes}]}}})


MESH_OBJECTS: dict[str, Any] = {
    f"/api/v1/namespaces/{NAMESPACE}/services/clustermesh-apiserver": {
        "spec": {"type": "LoadBalancer", "ports": [{"port": 2379}]},
        "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.3"}]}},
    },
    f"/api/v1/namespaces/{NAMESPACE}/secrets/cilium-clustermesh": {
        "data": {"two": "eA==", "two.etcd-client.key": "eA=="}
    },
    f"/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets": [],
    f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments": [
        {"metadata": {"name": "clustermesh-apiserver"}, "spec": {"replicas": 1}, "status": {"readyReplicas": 1}}
    ],
}  # fmt: skip


async def test_a_mesh_that_one_node_does_not_reach(tmp_path: Path) -> None:
    cache = answering({"kvstoremesh-dbg status -o json": [REMOTE]})
    agents = [
        FakeAgent("a", meshed()), FakeAgent("b", meshed(connected=False, ready=False, status="not reachable")),
        FakeAgent("mesh", cache, label="k8s-app=clustermesh-apiserver"),
    ]  # fmt: skip
    async with fleet(tmp_path, agents, MESH_OBJECTS) as kubeconfig, calling(kubeconfig) as tools:
        found = await tools.ok("cilium_show_cluster_mesh_status")
        waited = await tools.ok("cilium_show_cluster_mesh_status", wait=True, timeout_seconds=1)
    assert found["clusters"] == [
        {
            "name": "two", "connected": False, "ready_nodes": 1, "total_nodes": 2, "nodes": 3, "endpoints": 20,
            "services": 2, "last_failure": "not reachable",
        }
    ]  # fmt: skip
    assert (found["enabled"], found["configured"]) == (True, ["two"])
    assert found["service"] == {"type": "LoadBalancer", "addresses": ["192.0.2.3"], "port": 2379}
    assert (found["apiserver"]["ready"], found["kvstoremesh"][0]["name"]) == (1, "two")
    assert found["problems"] == ["two: ready on 1 of 2 nodes"]
    assert (waited["timed_out"], waited["problems"]) == (True, found["problems"])


async def test_waiting_for_a_mesh_ends_when_it_is_whole(tmp_path: Path) -> None:
    async with fleet(tmp_path, [FakeAgent("a", meshed())], MESH_OBJECTS) as kubeconfig, calling(kubeconfig) as tools:
        found = await tools.ok("cilium_show_cluster_mesh_status", wait=True)
    assert (found["problems"], "timed_out" in found, "kvstoremesh" in found) == ([], False, False)


def workload(name: str, image: str, **status: Any) -> dict[str, Any]:
    template = {"spec": {"containers": [{"name": "main", "image": image}]}}
    return {"metadata": {"name": name}, "spec": {"template": template, "replicas": 2}, "status": status}


async def test_the_overview_names_what_is_not_well(tmp_path: Path) -> None:
    def agent(state: str, version: str) -> Callable[[Argv], Output]:
        brief = "status --brief --require-k8s-connectivity=false -o json"
        return answering({brief: {"cilium": {"state": state, "msg": f"{version} told"}}})

    agents = [
        FakeAgent("a", agent("Ok", "1.19.5")),
        FakeAgent("b", agent("Failure", "1.19.5")),
        FakeAgent("c", agent("Ok", ""), ready=False),
    ]
    base = f"/apis/apps/v1/namespaces/{NAMESPACE}"
    objects = {
        f"{base}/daemonsets": [
            workload("cilium", "quay.io/cilium/cilium:v1.19.5@sha256:1", desiredNumberScheduled=3, numberReady=2)
        ],
        f"{base}/deployments": [
            workload("cilium-operator", "quay.io/cilium/operator:v1.19.4", readyReplicas=2),
            workload("other", "x"),
        ],
        f"/api/v1/namespaces/{NAMESPACE}/configmaps/cilium-config": {"data": {
            "routing-mode": "tunnel", "tunnel-protocol": "geneve", "enable-wireguard": "true", "ipam": "cluster-pool",
            "cluster-name": "one", "cluster-id": "1", "kube-proxy-replacement": "true"}},
        "/apis/cilium.io/v2/ciliumendpoints": [endpoint("shop", "web", 1, "10.0.0.1")],
    }  # fmt: skip
    async with fleet(tmp_path, agents, objects) as kubeconfig, calling(kubeconfig) as tools:
        found = await tools.ok("cilium_status_and_version")
        verbose = await tools.ok("cilium_status_and_version", verbose=True)
    assert (found["healthy"], found["agents_total"]) == (False, 3)
    assert [(each["node"], each["state"]) for each in found["agents"]] == [("b", "Failure"), ("c", "unreachable")]
    assert [each["node"] for each in verbose["agents"]] == ["a", "b", "c"]
    assert found["version"] == {"agents": "1.19.5", "operator": "v1.19.4"}
    assert [(each["name"], each["desired"], each["ready"]) for each in found["components"]] == [
        ("cilium", 3, 2), ("cilium-operator", 2, 2),
    ]  # fmt: skip
    assert found["features"] == {
        "ipam": "cluster-pool", "routing": "tunnel (geneve)", "kube_proxy_replacement": "true",
        "encryption": "WireGuard", "hubble": "off", "cluster_mesh": "one (id 1)",
    }  # fmt: skip
    assert found["endpoints"] == {"managed": 1, "pods": 3}
    assert found["problems"] == [
        "the agent on b, c is not well", "cilium: 2 of 3 ready",
        "2 running pods are not in Cilium's care: make them anew",
    ]  # fmt: skip


async def test_features_that_nodes_do_not_share_and_those_of_the_operator(tmp_path: Path) -> None:
    metrics = "metrics list -p cilium_.*feature -o json"
    common = {"name": "cilium_feature_ipam", "labels": {"mode": "crd"}, "value": 1}
    rare = {"name": "cilium_feature_bgp", "labels": {}, "value": 1}
    unused = {"name": "cilium_feature_srv6", "labels": {}, "value": 0}
    operator = FakeAgent("op", answering({metrics: [rare]}), label="io.cilium/app=operator")
    agents = [
        FakeAgent("a", answering({metrics: [common, rare, unused]})),
        FakeAgent("b", answering({metrics: [common]})), operator,
    ]  # fmt: skip
    container = {"name": "cilium-operator", "command": ["cilium-operator-generic"], "args": ["--debug"]}
    objects = {
        f"/api/v1/namespaces/{NAMESPACE}/pods/{operator.pod}": {"spec": {"containers": [container]}},
        "/apis/apps/v1/daemonsets": [workload("kube-proxy", "x")],
    }
    async with fleet(tmp_path, agents, objects) as kubeconfig, calling(kubeconfig) as tools:
        found = await tools.ok("cilium_show_features_status")
        matched = await tools.ok("cilium_show_features_status", match="CRD")
    assert [(item["of"], item["feature"], item["nodes"], item["mixed"]) for item in found["items"]] == [
        ("agent", "cilium_feature_bgp", 1, True), ("agent", "cilium_feature_ipam", 2, False),
        ("operator", "cilium_feature_bgp", 1, False),
    ]  # fmt: skip
    assert found["beside"] == {"kube-proxy": True, "node-local-dns": False}
    assert [item["feature"] for item in matched["items"]] == ["cilium_feature_ipam"]
    assert set(operator.asked) == {("cilium-operator-generic", *metrics.split())}


async def test_configuration_that_differs_between_nodes(tmp_path: Path) -> None:
    agents = [
        FakeAgent(name, answering({"config -o json": {"Debug": debug, "PolicyAuditMode": "Disabled"}}))
        for name, debug in (("a", "Enabled"), ("b", "Disabled"))
    ]
    async with fleet(tmp_path, agents) as kubeconfig, calling(kubeconfig) as tools:
        found = await tools.ok("cilium_show_configuration_options", node_name="all")
    assert found["differs"] == [{"key": "Debug", "values": {"a": "Enabled", "b": "Disabled"}}]


async def test_rules_of_agents_up_to_1_18_have_the_same_shape(tmp_path: Path) -> None:
    labels = [
        {"source": "k8s", "key": f"io.cilium.k8s.policy.{key}", "value": value}
        for key, value in (("derived-from", "CiliumNetworkPolicy"), ("name", "web"), ("namespace", "shop"))
    ]
    port = {"ports": [{"port": "80", "endPort": 90, "protocol": "TCP"}], "rules": {"http": [{"method": "GET"}]}}
    rule = {
        "endpointSelector": {"matchLabels": {"any:app": "web"}, "matchExpressions": [
            {"key": "any:tier", "operator": "In", "values": ["a", "b"]}, {"key": "any:x", "operator": "DoesNotExist"}]},
        "ingress": [{"fromEndpoints": [{"matchLabels": {"any:app": "client"}}], "toPorts": [port]}, {}],
        "egressDeny": [{"toCIDRSet": [{"cidr": "10.0.0.0/8"}], "toFQDNs": [{"matchPattern": "*.test"}]}],
        "labels": labels,
    }  # fmt: skip
    told = {"revision": 9, "policy": json.dumps([rule])}
    agent = FakeAgent("a", answering({"policy get -o json": told}))
    async with fleet(tmp_path, [agent]) as kubeconfig, calling(kubeconfig) as tools:
        found = await tools.ok("cilium_display_policy_node_information")
    origin = {"node": "a", "policy": "CiliumNetworkPolicy shop/web", "subject": "any:app=web,any:tier in (a,b),!any:x"}
    assert found["items"] == [
        {**origin, "direction": "egress", "verdict": "deny", "peers": ["10.0.0.0/8", "*.test"]},
        {**origin, "direction": "ingress", "verdict": "allow", "peers": ["any:app=client"], "ports": ["80-90/TCP"],
         "l7": [{"http": [{"method": "GET"}]}]},
        {**origin, "direction": "ingress", "verdict": "allow", "peers": ["*"]},
    ]  # fmt: skip


async def test_a_node_local_change_needs_the_node(tmp_path: Path) -> None:
    agents = [FakeAgent(name, answering({})) for name in ("a", "b")]
    calls: list[tuple[str, dict[str, Any]]] = [
        ("cilium_toggle_configuration_option", {"option": "Debug", "value": "true"}),
        ("cilium_delete_xdp_cidr_filters", {"cidr_prefixes": ["192.0.2.0/24"]}),
        ("cilium_disconnect_endpoint", {"endpoint_id": "7"}),
        ("cilium_fqdn_cache", {"command": "clean"}),
        ("cilium_flush_ipsec_state", {}),
        ("cilium_list_bpf_maps", {}),
    ]
    async with fleet(tmp_path, agents) as kubeconfig, calling(kubeconfig) as tools:
        for tool, arguments in calls:
            error = await tools.fails(tool, **arguments)
            assert (error["code"], error["hint"]) == ("bad_argument", "nodes: a, b"), tool
    assert [agent.asked for agent in agents] == [[], []]


async def test_flows_of_several_nodes_are_merged_by_time(tmp_path: Path) -> None:
    def flow(time: str, node: str, verdict: str = "FORWARDED") -> str:
        return json.dumps(
            {"flow": {"time": time, "verdict": verdict, "node_name": node, "source": {}, "destination": {}}}
        )

    lost = json.dumps({"lost_events": {"source": "PERF_EVENT_RING_BUFFER", "num_events_lost": "12"}})
    first = "\n".join([flow("2026-01-01T00:00:01Z", "a"), lost, flow("2026-01-01T00:00:03Z", "a")])
    agents = [
        FakeAgent("a", lambda argv: Output(first)),
        FakeAgent("b", lambda argv: Output(flow("2026-01-01T00:00:02Z", "b", "DROPPED"))),
        FakeAgent("c", lambda argv: Output(stderr="failed to connect to 'unix:///var/run/cilium/hubble.sock'", code=1)),
    ]  # fmt: skip
    async with fleet(tmp_path, agents) as kubeconfig, calling(kubeconfig) as tools:
        found = await tools.ok("cilium_hubble_observe", namespace="shop", pod="web", since="90s", limit=2)
        off = await tools.fails("cilium_hubble_observe", node_name="c")
        both = await tools.fails("cilium_hubble_observe", pod="web", from_pod="client")
    assert [item["node"] for item in found["items"]] == ["b", "a"]
    assert (found["truncated"], found["lost_events"], found["counts"]["DROPPED"]) == (True, 12, 1)
    assert [each["node"] for each in found["unreachable"]] == ["c"]
    assert agents[0].asked[0] == (
        "hubble", "observe", "flows", "--pod", "shop/web", "--since", "90s", "--last", "2", "-o", "json",
    )  # fmt: skip
    assert (off["code"], "cilium_toggle_hubble" in off["hint"], both["code"]) == ("unavailable", True, "bad_argument")
