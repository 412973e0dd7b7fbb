"""Policy rules of every supported minor version (C1, C2, C8, C9), written after the types of its own source.

Up to 1.18 `policy get` prints lists of both directions (pkg/policy/api), from 1.19 flat entries (pkg/policy/types).
"""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kmcp_cilium.policy import rules
from kmcp_cilium.state import endpoint_state
from kmcp_cilium.tools.endpoint_changes import options_as_map
from tests.cilium.conftest import calling
from tests.cilium.fleet import FakeAgent, answering, fleet

POLICY = "k8s:io.cilium.k8s.policy.name=web"
LABELS = [
    {"source": "k8s", "key": f"io.cilium.k8s.policy.{key}", "value": value}
    for key, value in (("derived-from", "CiliumNetworkPolicy"), ("name", "web"), ("namespace", "shop"))
]
WEB = {"matchLabels": {"any:app": "web"}}
PORTS = [{"ports": [{"port": "80", "protocol": "TCP"}]}]


def nested(**directions: Any) -> dict[str, Any]:
    return {"endpointSelector": WEB, "labels": LABELS, **directions}


def flat(**fields: Any) -> dict[str, Any]:
    return {"Subject": WEB, "Labels": LABELS, "L3": None, "L4": None, "DefaultDeny": True, **fields}


def rule_of(document: dict[str, Any]) -> dict[str, Any]:
    (entry,) = rules.entries("a", [document])
    return entry.rule.model_dump(exclude_none=True)


@pytest.mark.parametrize(
    ("rule", "peers"),
    [
        # 1.15: except of a range.
        (
            {"toCIDRSet": [{"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16", "10.2.0.0/16"]}]},
            ["10.0.0.0/8 except 10.1.0.0/16, 10.2.0.0/16"],
        ),
        ({"toServices": [{"k8sService": {"serviceName": "db", "namespace": "shop"}}]}, ["service shop/db"]),
        (
            {"toServices": [{"k8sServiceSelector": {"selector": WEB, "namespace": "shop"}}]},
            ["service any:app=web in shop"],
        ),
        ({"toServices": [{"k8sServiceSelector": {"selector": WEB}}]}, ["service any:app=web"]),
        ({"toGroups": [{"aws": {"securityGroupsIds": ["sg-1"]}}]}, ['group {"aws": {"securityGroupsIds": ["sg-1"]}}']),
        ({"toEntities": ["world", "kube-apiserver"]}, ["world", "kube-apiserver"]),
        # 1.16 to 1.18: nodes, groups of ranges by name and by labels.
        ({"toNodes": [{"matchLabels": {"any:role": "edge"}}]}, ["node any:role=edge"]),
        ({"fromCIDRSet": [{"cidrGroupRef": "vpn", "except": ["10.9.0.0/16"]}]}, ["cidrgroup:vpn except 10.9.0.0/16"]),
        ({"fromCIDRSet": [{"cidrGroupSelector": {"matchLabels": {"zone": "a"}}}]}, ["cidrgroup zone=a"]),
        # Anything newer.
        ({"fromCIDRSet": [{"asn": 64512}]}, ['{"asn": 64512}']),
        ({"toMesh": [{"cluster": "b"}]}, ['toMesh {"cluster": "b"}']),
        ({"toEndpoints": [{"matchFields": {"a": "b"}}]}, ['{"matchFields": {"a": "b"}}']),
        # An empty selector is everybody, and so is a rule with ports alone; one with neither only denies the rest.
        ({"fromEndpoints": [{}]}, ["*"]),
        ({"toPorts": PORTS}, ["*"]),
        ({"icmps": [{"fields": [{"family": "IPv4", "type": 8}]}]}, ["*"]),
        ({}, []),
        ({"fromEndpoints": []}, []),
    ],
)
def test_every_kind_of_peer_is_shown_as_itself(rule: dict[str, Any], peers: list[str]) -> None:
    way = "ingress" if any(key.startswith("from") for key in rule) else "egress"
    assert rule_of(nested(**{way: [rule]}))["peers"] == peers


def test_what_only_narrows_is_no_peer() -> None:
    found = rule_of(nested(ingress=[{"fromRequires": [{"matchLabels": {"any:team": "a"}}]}]))
    assert (found["peers"], found["requires"]) == ([], ["any:team=a"])


def test_types_of_icmp_and_ports_are_shown() -> None:
    icmps = [{"fields": [{"family": "IPv4", "type": 0}, {"family": "IPv6", "type": "EchoRequest"}]}]
    assert rule_of(nested(ingress=[{"icmps": icmps}]))["ports"] == ["0/ICMP", "EchoRequest/ICMPV6"]
    ports = [{"port": "http", "protocol": "TCP"}, {"port": "0", "protocol": "UDP"}, {"port": "8000", "endPort": 8010}]
    found = rule_of(nested(egress=[{"toPorts": [{"ports": ports}, {"rules": {"dns": [{}]}}]}]))
    assert found["ports"] == ["http/TCP", "any/UDP", "8000-8010/ANY", "any/ANY"]
    assert rule_of(nested(egress=[{"toPorts": [{"rules": {"dns": [{}]}}]}])).keys() & {"ports"} == set()


def test_further_conditions_are_shown() -> None:
    ports = [{"ports": [{"port": "443", "protocol": "TCP"}], "serverNames": ["a.test"], "listener": {"name": "x"}}]
    document = nested(
        egress=[{"toPorts": ports, "authentication": {"mode": "required"}}], enableDefaultDeny={"egress": False}
    )
    found = rule_of(document)
    assert found["further"] == {"toPorts": [{"serverNames": ["a.test"], "listener": {"name": "x"}}]}
    assert (found["authentication"], found["default_deny"]) == ("required", False)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        # C9: null is nobody; an empty list is everybody where ports are named (pkg/policy/rule.go, mergeL4Filter).
        ({"Ingress": True, "L3": None, "L4": PORTS}, {"peers": [], "direction": "ingress", "verdict": "allow"}),
        ({"Ingress": True, "L3": [], "L4": PORTS}, {"peers": ["*"], "ports": ["80/TCP"]}),
        ({"Ingress": True, "L3": [], "L4": []}, {"peers": []}),
        ({"L3": ["10.0.0.0/8"], "Verdict": 1}, {"peers": ["10.0.0.0/8"], "direction": "egress", "verdict": "deny"}),
        ({"Verdict": 2}, {"verdict": "pass"}),
        ({"Verdict": 9}, {"verdict": "verdict 9"}),
        ({"Deny": True}, {"verdict": "deny"}),
        ({"L4": [{"ports": [{"port": "8", "protocol": "ICMP"}]}]}, {"ports": ["8/ICMP"]}),
        ({"Requirements": [{"key": "any.team", "operator": "In", "values": ["a"]}]}, {"requires": ["any:team in (a)"]}),
        (
            {"L3": [], "L4": PORTS, "Tier": 1, "Priority": 7},
            {"further": {"tier": 1, "priority": 7}, "peers": ["*"]},
        ),
        ({"L3": [], "Only": "x"}, {"further": {"Only": "x"}, "peers": ["see further"], "ports": ["see further"]}),
        ({"Subject": None}, {"subject": "nothing"}),
        (
            {"L3": [{"matchExpressions": [{"key": "any.x", "operator": "Gt", "values": ["1"]}]}]},
            {"peers": ["any:x Gt (1)"]},
        ),
    ],
)
def test_flat_rules_from_1_19(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    found = rule_of(flat(**fields))
    assert {key: found.get(key) for key in expected} == expected


_NAMES = st.text("abcdefgh", min_size=1, max_size=8)
_VALUES = st.one_of(
    st.text(max_size=5), st.integers(), st.lists(st.dictionaries(_NAMES, _NAMES, min_size=1), min_size=1)
)


@settings(max_examples=200, deadline=None)
@given(name=_NAMES, value=_VALUES, prefix=st.sampled_from(["", "from", "to"]))
def test_a_part_that_is_not_known_never_becomes_everybody(name: str, value: Any, prefix: str) -> None:
    key = f"{prefix}X{name}"
    for document in (nested(egress=[{key: value}]), flat(**{key: value})):
        found = rule_of(document)
        assert "*" not in found["peers"]
        assert key in json.dumps(found)


@pytest.mark.parametrize("labels", [[POLICY], ["io.cilium.k8s.policy.name=web"], ["CiliumNetworkPolicy shop/web"]])
async def test_rules_are_found_by_the_labels_that_the_agent_prints(tmp_path: Path, labels: list[str]) -> None:
    told = {"revision": 9, "policy": json.dumps([nested(ingress=[{}])])}
    agent = FakeAgent("a", answering({"policy get -o json": told}))
    async with fleet(tmp_path, [agent]) as kubeconfig, calling(kubeconfig) as tools:
        found = await tools.ok("cilium_display_policy_node_information", labels=labels)
    assert found["total"] == 1


ALL = "&LabelSelector{MatchLabels:map[string]string{},MatchExpressions:[]LabelSelectorRequirement{},}"
CLIENT = (
    "&LabelSelector{MatchLabels:map[string]string{any.app: client,},MatchExpressions:[]LabelSelectorRequirement{},}"
)


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        # 1.15: numbers only, deny as IsDeny.
        ({"port": 80, "protocol": "TCP", "l7-rules": [{ALL: None}]}, [("80/TCP", "allow", ["*"], None)]),
        (
            {"port": 80, "protocol": "TCP", "l7-rules": [{CLIENT: None}, {ALL: {"IsDeny": True}}]},
            [("80/TCP", "allow", ["any:app=client"], None), ("80/TCP", "deny", ["*"], None)],
        ),
        (
            {"port": 0, "port-name": "http", "protocol": "TCP", "l7-rules": [{ALL: None}]},
            [("http/TCP", "allow", ["*"], None)],
        ),
        ({"port": 0, "protocol": "ANY", "l7-rules": [{ALL: None}]}, [("any/ANY", "allow", ["*"], None)]),
        ({"port": 0, "protocol": "ICMP", "l7-rules": [{ALL: None}]}, [("0/ICMP", "allow", ["*"], None)]),
        # 1.16 to 1.18: ranges.
        (
            {"port": 8000, "endPort": 8010, "protocol": "UDP", "l7-rules": [{CLIENT: {"http": [{"method": "GET"}]}}]},
            [("8000-8010/UDP", "allow", ["any:app=client"], [{"http": [{"method": "GET"}]}])],
        ),
        # From 1.19: verdicts.
        (
            {"port": 53, "protocol": "UDP", "l7-rules": [{"reserved:world": {"verdict": 1}}]},
            [("53/UDP", "deny", ["reserved:world"], None)],
        ),
        (
            {"port": 53, "protocol": "UDP", "l7-rules": [{"10.0.0.0/8": {"verdict": 2, "auth": {"mode": "required"}}}]},
            [("53/UDP", "pass", ["10.0.0.0/8"], [{"auth": {"mode": "required"}}])],
        ),
        # The agent says nothing of peers: neither does the answer.
        ({"port": 53, "protocol": "UDP"}, [("53/UDP", "unknown", None, None)]),
    ],
)
def test_realised_rules_are_what_the_agent_says(filter: dict[str, Any], expected: list[Any]) -> None:
    realized = {"l4": {"ingress": [{"rule": json.dumps(filter)}]}}
    endpoint = {"id": 7, "status": {"policy": {"realized": realized}}}
    found = endpoint_state.detail("a", endpoint).ingress_rules or []
    assert [(rule.ports, rule.verdict, rule.peers, rule.l7) for rule in found] == expected


@pytest.mark.parametrize("config", ["Debug=true", {"Debug": True}, " Debug=true,PolicyAuditMode=false "])
def test_options_of_older_callers_are_taken(config: Any) -> None:
    assert options_as_map(config)["Debug"] == "true"


@pytest.mark.parametrize("config", ["Debug", "=true", "Debug=", "Debug true"])
def test_options_that_are_none_are_refused(config: str) -> None:
    with pytest.raises(ValueError, match="Debug=true"):
        options_as_map(config)


async def test_arguments_of_older_callers_are_taken(tmp_path: Path) -> None:
    endpoint = {"id": 1, "status": {}, "spec": {}}
    agent = FakeAgent("a", answering({"endpoint get 1 -o json": [endpoint]}))
    async with fleet(tmp_path, [agent]) as kubeconfig, calling(kubeconfig) as tools:
        found = await tools.ok("cilium_get_endpoint_details", endpoint_id="1", output_format="json")
    assert found["items"][0]["id"] == 1
