"""What takes several nodes, or a mesh of clusters, answered as Cilium 1.19.5 answers it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cilium.conftest import calling
from tests.cilium.fleet import NAMESPACE, Argv, FakeAgent, Output, answering, fleet
from tests.paging import brings_each_once


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
        for state in (None, "ready"):
            await brings_each_once(tools, "cilium_get_endpoints_list", 5, state=state)
    assert [item["pod"] for item in [*first["items"], *second["items"]]] == [f"web-{n}" for n in range(1, 6)]
    assert first["items"][0] == {
        "node": "n2",
        "id": 1,
        "identity": 1001,
        "namespace": "shop",
        "pod": "web-1",
        "state": "ready",
        "ipv4": "10.1.0.1",
        "labels": ["k8s:app=web-1"],
    }
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
        f"{pods}/web": {"spec": {"nodeName": "b"}},
        f"{pods}/waiting": {"spec": {}},
        f"{pods}/host": {"spec": {"nodeName": "b", "hostNetwork": True}},
    }
    async with fleet(tmp_path, agents, objects) as kubeconfig, calling(kubeconfig) as tools:
        (found,) = (await tools.ok("cilium_get_endpoint_details", endpoint_id="shop/web"))["items"]
        assert (found["node"], found["id"]) == ("b", 7)
        nowhere = await tools.fails("cilium_get_endpoint_details", endpoint_id="shop/waiting")
        assert (nowhere["code"], "not on a node yet" in nowhere["message"]) == ("not_found", True)
        host = await tools.fails("cilium_get_endpoint_details", endpoint_id="shop/host")
        assert (host["code"], "the host network" in host["message"]) == ("bad_argument", True)
        which = await tools.fails("cilium_get_endpoint_details", endpoint_id="7")
        assert (which["code"], which["hint"]) == ("bad_argument", "nodes: a, b, c")
        elsewhere = await tools.fails("cilium_get_endpoint_details", endpoint_id=7, node_name="a")
        assert (elsewhere["code"], elsewhere["hint"]) == ("not_found", "node b, c has one")


REMOTE = {
    "name": "two",
    "connected": True,
    "ready": True,
    "num-nodes": 3,
    "num-endpoints": 20,
    "num-shared-services": 2,
    "num-identities": 9,
    "num-failures": 0,
    "status": "ready",
}
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
}


async def test_a_mesh_that_one_node_does_not_reach(tmp_path: Path) -> None:
    cache = answering({"kvstoremesh-dbg status -o json": [REMOTE]})
    agents = [
        FakeAgent("a", meshed()),
        FakeAgent("b", meshed(connected=False, ready=False, status="not reachable")),
        FakeAgent("mesh", cache, label="k8s-app=clustermesh-apiserver"),
    ]
    async with fleet(tmp_path, agents, MESH_OBJECTS) as kubeconfig, calling(kubeconfig) as tools:
        found = await tools.ok("cilium_show_cluster_mesh_status")
        waited = await tools.ok("cilium_show_cluster_mesh_status", wait=True, timeout_seconds=1)
    assert found["clusters"] == [
        {
            "name": "two",
            "connected": False,
            "ready_nodes": 1,
            "total_nodes": 2,
            "nodes": 3,
            "endpoints": 20,
            "services": 2,
            "last_failure": "not reachable",
        }
    ]
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
        f"/api/v1/namespaces/{NAMESPACE}/configmaps/cilium-config": {
            "data": {
                "routing-mode": "tunnel",
                "tunnel-protocol": "geneve",
                "enable-wireguard": "true",
                "ipam": "cluster-pool",
                "cluster-name": "one",
                "cluster-id": "1",
                "kube-proxy-replacement": "true",
            }
        },
        "/apis/cilium.io/v2/ciliumendpoints": [endpoint("shop", "web", 1, "10.0.0.1")],
    }
    async with fleet(tmp_path, agents, objects) as kubeconfig, calling(kubeconfig) as tools:
        found = await tools.ok("cilium_status_and_version")
        verbose = await tools.ok("cilium_status_and_version", verbose=True)
    assert (found["healthy"], found["agents_total"]) == (False, 3)
    assert [(each["node"], each["state"]) for each in found["agents"]] == [("b", "Failure"), ("c", "unreachable")]
    assert [each["node"] for each in verbose["agents"]] == ["a", "b", "c"]
    assert found["version"] == {"agents": "1.19.5", "operator": "v1.19.4"}
    assert [(each["name"], each["desired"], each["ready"]) for each in found["components"]] == [
        ("cilium", 3, 2),
        ("cilium-operator", 2, 2),
    ]
    assert found["features"] == {
        "ipam": "cluster-pool",
        "routing": "tunnel (geneve)",
        "kube_proxy_replacement": "true",
        "encryption": "WireGuard",
        "hubble": "off",
        "cluster_mesh": "one (id 1)",
    }
    assert found["endpoints"] == {"managed": 1, "pods": 3}
    assert found["problems"] == [
        "the agent on b, c is not healthy",
        "cilium: 2 of 3 ready",
        "2 running pods are not managed by Cilium: recreate them",
    ]


async def test_features_that_nodes_do_not_share_and_those_of_the_operator(tmp_path: Path) -> None:
    metrics = "metrics list -p cilium_.*feature -o json"
    common = {"name": "cilium_feature_ipam", "labels": {"mode": "crd"}, "value": 1}
    rare = {"name": "cilium_feature_bgp", "labels": {}, "value": 1}
    unused = {"name": "cilium_feature_srv6", "labels": {}, "value": 0}
    operator = FakeAgent("op", answering({metrics: [rare]}), label="io.cilium/app=operator")
    agents = [
        FakeAgent("a", answering({metrics: [common, rare, unused]})),
        FakeAgent("b", answering({metrics: [common]})),
        operator,
    ]
    container = {"name": "cilium-operator", "command": ["cilium-operator-generic"], "args": ["--debug"]}
    objects = {
        f"/api/v1/namespaces/{NAMESPACE}/pods/{operator.pod}": {"spec": {"containers": [container]}},
        "/apis/apps/v1/daemonsets": [workload("kube-proxy", "x")],
    }
    async with fleet(tmp_path, agents, objects) as kubeconfig, calling(kubeconfig) as tools:
        found = await tools.ok("cilium_show_features_status")
        matched = await tools.ok("cilium_show_features_status", match="CRD")
    assert [(item["of"], item["feature"], item["nodes"], item["mixed"]) for item in found["items"]] == [
        ("agent", "cilium_feature_bgp", 1, True),
        ("agent", "cilium_feature_ipam", 2, False),
        ("operator", "cilium_feature_bgp", 1, False),
    ]
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
        "endpointSelector": {
            "matchLabels": {"any:app": "web"},
            "matchExpressions": [
                {"key": "any:tier", "operator": "In", "values": ["a", "b"]},
                {"key": "any:x", "operator": "DoesNotExist"},
            ],
        },
        "ingress": [{"fromEndpoints": [{"matchLabels": {"any:app": "client"}}], "toPorts": [port]}, {}],
        "egressDeny": [{"toCIDRSet": [{"cidr": "10.0.0.0/8"}], "toFQDNs": [{"matchPattern": "*.test"}]}],
        "labels": labels,
    }
    told = {"revision": 9, "policy": json.dumps([rule])}
    agent = FakeAgent("a", answering({"policy get -o json": told}))
    async with fleet(tmp_path, [agent]) as kubeconfig, calling(kubeconfig) as tools:
        found = await tools.ok("cilium_display_policy_node_information")
    origin = {"node": "a", "policy": "CiliumNetworkPolicy shop/web", "subject": "any:app=web,any:tier in (a,b),!any:x"}
    assert found["items"] == [
        {**origin, "direction": "egress", "verdict": "deny", "peers": ["10.0.0.0/8", "*.test"]},
        {
            **origin,
            "direction": "ingress",
            "verdict": "allow",
            "peers": ["any:app=client"],
            "ports": ["80-90/TCP"],
            "l7": [{"http": [{"method": "GET"}]}],
        },
        {**origin, "direction": "ingress", "verdict": "allow", "peers": []},
    ]


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
    ]
    async with fleet(tmp_path, agents) as kubeconfig, calling(kubeconfig) as tools:
        found = await tools.ok("cilium_hubble_observe", namespace="shop", pod="web", since="90s", limit=2)
        off = await tools.fails("cilium_hubble_observe", node_name="c")
        both = await tools.fails("cilium_hubble_observe", pod="web", from_pod="client")
    assert [item["node"] for item in found["items"]] == ["b", "a"]
    assert (found["truncated"], found["lost_events"], found["counts"]["DROPPED"]) == (True, 12, 1)
    assert [each["node"] for each in found["unreachable"]] == ["c"]
    assert agents[0].asked[0] == (
        "hubble",
        "observe",
        "flows",
        "--pod",
        "shop/web",
        "--since",
        "90s",
        "--last",
        "2",
        "-o",
        "json",
    )
    assert (off["code"], "cilium_toggle_hubble" in off["hint"], both["code"]) == ("unavailable", True, "bad_argument")
