"""What no agent of the tests has, answered as Cilium 1.19.5 answers it: BGP peers, encryption, keys, Envoy."""

from pathlib import Path
from typing import Any

import pytest

from tests.cilium.conftest import calling
from tests.cilium.fleet import Argv, FakeAgent, Output, answering, document, fleet

PEER = {
    "local-asn": 65001,
    "peer-asn": 65002,
    "peer-address": "192.0.2.1",
    "session-state": "established",
    "uptime-nanoseconds": 90_000_000_000,
    "families": [{"afi": "ipv4", "safi": "unicast", "received": 3, "accepted": 2, "advertised": 1}],
}
NEXT_HOP = "QAMECgAAAQ=="  # flags, type 3, length 4, 10.0.0.1
MP_REACH = "kA4AGAACARAgAQ24AAAAAAAAAAAAAAABAA=="  # extended length, type 14, IPv6 unicast, 2001:db8::1
ROUTE = {
    "prefix": "10.1.0.0/24",
    "router-asn": 65001,
    "neighbor": "192.0.2.1",
    "paths": [
        {
            "best": True,
            "age-nanoseconds": 5_000_000_000,
            "path-attributes": [{"base64": NEXT_HOP}, {"base64": MP_REACH}, {"base64": "%%"}, {"base64": ""}],
        }
    ],
}


async def test_bgp_peers_with_those_that_are_configured_only(tmp_path: Path) -> None:
    instance = {
        "localASN": 65001,
        "peers": [
            {"name": "a", "peerASN": 65002, "peerAddress": "192.0.2.1"},
            {"name": "b", "peerASN": 65003, "peerAddress": "192.0.2.9"},
        ],
    }
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
        "node": "one",
        "local_asn": 65001,
        "peer_asn": 65002,
        "peer_address": "192.0.2.1",
        "session_state": "established",
        "uptime_seconds": 90,
        "families": [{"afi": "ipv4", "safi": "unicast", "received": 3, "accepted": 2, "advertised": 1}],
    }
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
            "node": "one",
            "vrouter_asn": 65001,
            "neighbor": "192.0.2.1",
            "prefix": "10.1.0.0/24",
            "next_hops": ["10.0.0.1", "2001:db8::1"],
            "age_seconds": 5,
            "best": True,
        }
    ]
    assert [" ".join(argv[1:]) for argv in agent.asked] == [
        "bgp routes available ipv4 unicast -o json",
        "bgp routes advertised ipv6 unicast vrouter 65001 peer 2001:db8::1 -o json",
    ]
    assert (error["code"], words["code"]) == ("bad_argument", "bad_argument")


IPSEC = {
    "mode": "IPsec",
    "ipsec": {"keys-in-use": 1, "max-seq-number": "0x1/0xff", "error-count": 2, "xfrm-errors": {"XfrmInNoStates": 2}},
}
WIREGUARD = {
    "mode": "Wireguard",
    "wireguard": {"interfaces": [{"name": "cilium_wg0", "public-key": "abc=", "listen-port": 51871, "peer-count": 2}]},
}


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
            {"spi": 3, "node_id": "0x2a"},
            "encrypt flush -f --spi 3 --node-id 0x2a",
            "Deleted 4 XFRM states.\nDeleted 6 XFRM policies.\n",
            (True, 4, 6),
        ),
        ({"stale": True}, "encrypt flush -f --stale", "No stale XFRM states or policies found.", (False, 0, 0)),
    ],
)
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
    "envoy admin clusters -o json": {
        "cluster_statuses": [
            {
                "name": "egress",
                "added_via_api": True,
                "circuit_breakers": {"thresholds": []},
                "host_statuses": [
                    {
                        "address": {"socket_address": {"address": "10.0.0.7", "port_value": 80}},
                        "health_status": {"eds_health_status": "HEALTHY"},
                    }
                ],
            },
            {"name": "admin"},
        ]
    },
    "envoy admin listeners -o json": {
        "listener_statuses": [{"name": "web", "local_address": {"pipe": {"path": "/x"}}}]
    },
    "envoy admin certs": {"certificates": [{"ca_cert": [], "cert_chain": [{"path": "a.pem"}]}]},
    "envoy admin serverinfo": {"version": "1.35", "state": "LIVE"},
    "envoy admin logging list": "active loggers:\n  admin: info\n  config: debug\n",
    "envoy admin metrics -f %5Eenvoy_": (
        '# TYPE envoy_a counter\nenvoy_a{le="0.5",q="x\\"y"} 3\nenvoy_b 1e3\nenvoy_c +Inf\n'
    ),
    "envoy admin config routes -n web": {
        "configs": [
            {
                "@type": "type.googleapis.com/envoy.admin.v3.RoutesConfigDump.DynamicRouteConfig",
                "version_info": "1",
                "route_config": {"name": "web-route"},
            }
        ]
    },
    "envoy admin config all": {
        "configs": [
            {"@type": "type.googleapis.com/envoy.admin.v3.BootstrapConfigDump", "bootstrap": {"node": {}}},
            {"@type": "type.googleapis.com/envoy.admin.v3.ListenersConfigDump", "dynamic_listeners": [{"name": "web"}]},
        ]
    },
}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            {"resource_name": "clusters", "filter": "^egress$"},
            [
                {
                    "name": "egress",
                    "content": {
                        "added_via_api": True,
                        "hosts": [{"address": "10.0.0.7:80", "health": {"eds_health_status": "HEALTHY"}}],
                    },
                }
            ],
        ),
        ({"resource_name": "listeners"}, [{"name": "web", "content": {"local_address": {"pipe": {"path": "/x"}}}}]),
        ({"resource_name": "certs"}, [{"content": {"ca_cert": [], "cert_chain": [{"path": "a.pem"}]}}]),
        (
            {"resource_name": "serverinfo"},
            [{"name": "state", "content": "LIVE"}, {"name": "version", "content": "1.35"}],
        ),
        ({"resource_name": "logging"}, [{"name": "admin", "value": "info"}, {"name": "config", "value": "debug"}]),
        (
            {"resource_name": "metrics", "filter": "^envoy_"},
            [
                {"name": "envoy_a", "labels": {"le": "0.5", "q": 'x"y'}, "value": 3.0},
                {"name": "envoy_b", "value": 1000.0},
                {"name": "envoy_c", "value": "+Inf"},
            ],
        ),
        (
            {"resource_name": "config", "section": "routes", "filter": "web"},
            [
                {
                    "kind": "DynamicRouteConfig",
                    "name": "web-route",
                    "content": {"version_info": "1", "route_config": {"name": "web-route"}},
                }
            ],
        ),
        (
            {"resource_name": "config"},
            [
                {"kind": "BootstrapConfigDump", "content": {"bootstrap": {"node": {}}}},
                {"kind": "dynamic_listeners", "name": "web", "content": {"name": "web"}},
            ],
        ),
    ],
)
async def test_envoy(tmp_path: Path, arguments: dict[str, Any], expected: list[dict[str, Any]]) -> None:
    async with fleet(tmp_path, [FakeAgent("a", answering(ENVOY))]) as kubeconfig, calling(kubeconfig) as tools:
        found = await tools.ok("cilium_list_envoy_config", **arguments)
    assert found["items"] == expected


async def test_envoy_is_not_asked_for_what_it_does_not_have(tmp_path: Path) -> None:
    async with fleet(tmp_path, [FakeAgent("a", answering(ENVOY))]) as kubeconfig, calling(kubeconfig) as tools:
        near = await tools.fails("cilium_list_envoy_config", resource_name="cluster")
        assert (near["code"], "did you mean clusters" in near["message"]) == ("bad_argument", True)
        section = await tools.fails("cilium_list_envoy_config", resource_name="clusters", section="routes")
        assert (section["code"], "needs resource_name=config" in section["message"]) == ("bad_argument", True)
        broken = await tools.fails("cilium_list_envoy_config", resource_name="clusters", filter="(")
        assert broken["code"] == "bad_argument"
