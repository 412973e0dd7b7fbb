"""Policies, names, flows and services of a real agent whose datapath really drops."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from kmcp_runtime.kube.api import KubeApi
from tests.cilium.agent import NAMESPACE, Agent, apply, get
from tests.cilium.conftest import calling
from tests.cilium.scenery import KNOWN_NAME, PODS, PORT
from tests.cluster.components import NODE
from tests.cluster.model import Cluster
from tests.mcp import ToolCaller
from tests.waiting import until

pytestmark = [pytest.mark.pods, pytest.mark.timeout(900)]
CNP = f"/apis/cilium.io/v2/namespaces/{PODS}/ciliumnetworkpolicies"
CCNP = "/apis/cilium.io/v2/ciliumclusterwidenetworkpolicies"


async def test_what_a_policy_drops_is_seen_with_the_reason(tools: ToolCaller, agent: Agent) -> None:
    assert await agent.inside("client", get("web", agent)) is True
    assert await agent.inside("stranger", get("web", agent)) is False

    async def dropped() -> dict[str, Any]:
        return await tools.ok("cilium_hubble_observe", namespace=PODS, verdict="DROPPED", to_pod="web")

    found = await until(dropped, lambda seen: bool(seen["items"]), what="the dropped flow")
    flow = found["items"][-1]
    assert (flow["verdict"], flow["drop_reason"], flow["node"]) == ("DROPPED", "POLICY_DENIED", NODE)
    assert (flow["source"]["pod"], flow["source"]["namespace"]) == ("stranger", PODS)
    assert (flow["destination"]["pod"], flow["destination"]["port"], flow["protocol"]) == ("web", 8080, "TCP")
    assert flow["source"]["labels"] == ["k8s:app=stranger"]
    assert found["counts"]["POLICY_DENIED"] == found["counts"]["DROPPED"] >= 1
    metrics = await tools.ok("cilium_list_metrics", match_pattern="drop_count")
    assert any("Policy denied" in item["labels"].get("reason", "") for item in metrics["items"])


async def test_flows_are_narrowed_to_what_was_asked(tools: ToolCaller, agent: Agent) -> None:
    assert await agent.inside("client", get("web", agent)) is True

    async def allowed() -> dict[str, Any]:
        return await tools.ok(
            "cilium_hubble_observe",
            from_pod=f"{PODS}/client",
            to_pod=f"{PODS}/web",
            verdict="FORWARDED",
            protocol="tcp",
            port=8080,
            since="10m",
            limit=5,
        )

    found = await until(allowed, lambda seen: bool(seen["items"]), what="the allowed flow")
    assert len(found["items"]) <= 5
    assert {(item["source"]["pod"], item["destination"]["pod"]) for item in found["items"]} == {("client", "web")}
    assert [item["time"] for item in found["items"]] == sorted(item["time"] for item in found["items"])
    none = await tools.ok("cilium_hubble_observe", pod=f"{PODS}/nobody", node_name=NODE)
    assert (none["items"], none["counts"]) == ([], {})
    assert "raise since" in none["hint"]
    odd = await tools.fails("cilium_hubble_observe", protocol="nonsense")
    assert (odd["code"], "nonsense" in odd["message"]) == ("bad_argument", True)


async def test_the_rules_are_those_of_the_objects(tools: ToolCaller, agent: Agent) -> None:
    before = await agent.document("policy", "get")
    found = await tools.ok("cilium_display_policy_node_information")
    after = await agent.document("policy", "get")
    assert found["revisions"].keys() == {NODE}
    assert (
        before["revision"] <= found["revisions"][NODE] <= after["revision"]
    )  # it grows with any policy of the cluster
    (ingress,) = [rule for rule in found["items"] if rule["policy"] == f"CiliumNetworkPolicy {PODS}/only-clients"]
    assert (ingress["direction"], ingress["verdict"], ingress["ports"]) == ("ingress", "allow", ["8080/TCP"])
    assert ingress["subject"] == f"any:app=web,k8s:io.kubernetes.pod.namespace={PODS}"
    assert ingress["peers"][0].startswith("any:app=client,")
    names = [rule for rule in found["items"] if rule["policy"] == f"CiliumNetworkPolicy {PODS}/names"]
    assert {rule["direction"] for rule in names} == {"egress"}
    assert [KNOWN_NAME] in [rule["peers"] for rule in names]
    assert [{"dns": [{"matchPattern": "*"}]}] in [rule.get("l7") for rule in names]
    none = await tools.ok("cilium_display_policy_node_information", labels=["k8s:nothing=here"])
    assert (none["items"], none["hint"]) == ([], "No rule has these labels.")


async def test_a_rule_without_peers_is_for_everybody_with_ports_and_for_nobody_without(
    tools: ToolCaller, agent: Agent
) -> None:
    """C9, judged by who gets through."""
    port = {"ports": [{"port": str(PORT), "protocol": "TCP"}]}
    selector = {"matchLabels": {"app": "web"}}
    for name, rule, peers in (("nobody", {}, []), ("everybody", {"toPorts": [port]}, ["*"])):
        body = {"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy", "metadata": {"name": name}}
        await apply(agent.api, f"{CNP}/{name}", {**body, "spec": {"endpointSelector": selector, "ingress": [rule]}})

        async def shown(policy: str = f"CiliumNetworkPolicy {PODS}/{name}") -> list[dict[str, Any]]:
            found = await tools.ok("cilium_display_policy_node_information")
            return [each for each in found["items"] if each["policy"] == policy]

        async def gets_through(wanted: bool = bool(peers)) -> bool:
            return await agent.inside("stranger", get("web", agent)) is wanted

        try:
            (found,) = await until(shown, what="the rule in the agent")
            assert found["peers"] == peers
            await until(gets_through, what=f"a stranger who {'gets' if peers else 'does not get'} through")
        finally:
            await agent.api.send("DELETE", f"{CNP}/{name}")


async def test_selectors_and_the_identities_they_mean(tools: ToolCaller) -> None:
    (web,) = (await tools.ok("cilium_list_identities", labels=["k8s:app=web"]))["items"]
    by_text = {
        item["selector"].split(",")[0]: item
        for item in (await tools.ok("cilium_display_selectors", limit=500))["items"]
    }
    assert by_text["any:app=web"]["identities"] == [web["id"]]
    assert by_text[KNOWN_NAME]["policy"] == f"CiliumNetworkPolicy {PODS}/names"
    subjects = await tools.ok("cilium_display_selectors", subject=True)
    assert any(item["selector"].startswith("any:app=web") for item in subjects["items"])


async def test_names_are_learned_from_dns_and_can_be_forgotten(tools: ToolCaller, agent: Agent) -> None:
    listing = {"command": "list", "match_pattern": KNOWN_NAME}

    async def learned() -> list[dict[str, Any]]:
        await agent.inside("client", f"busybox nslookup {KNOWN_NAME} {agent.addresses['resolver']}")
        found: list[dict[str, Any]] = (await tools.ok("cilium_fqdn_cache", **listing))["items"]
        return found

    (lookup, *_) = await until(learned, what="the name in the cache")
    assert (lookup["node"], lookup["fqdn"], lookup["source"]) == (NODE, f"{KNOWN_NAME}.", "lookup")
    assert lookup["ips"] == [agent.addresses["web"]]
    (client,) = (await tools.ok("cilium_get_endpoint_details", endpoint_id=f"{PODS}/client"))["items"]
    assert lookup["endpoint_id"] == client["id"]
    of_client = await tools.ok("cilium_fqdn_cache", **listing, endpoint_id=client["id"], source="lookup")
    assert [item["fqdn"] for item in of_client["items"]] == [f"{KNOWN_NAME}."]
    assert (await tools.ok("cilium_fqdn_cache", command="list", match_pattern="other.test"))["items"] == []

    dns = await tools.ok("cilium_show_dns_names", match="shop")
    assert [item["selector"] for item in dns["items"]] == [KNOWN_NAME]
    flows = await tools.ok("cilium_hubble_observe", pod=f"{PODS}/client", protocol="dns", limit=500)
    assert any(KNOWN_NAME in str(item.get("l7")) for item in flows["items"])

    plan = await tools.ok("cilium_fqdn_cache", command="clean", match_pattern=KNOWN_NAME, dry_run=True)
    assert (plan["cleared"], len(plan["items"]) >= 1) == (False, True)
    assert (await tools.ok("cilium_fqdn_cache", command="clean", match_pattern=KNOWN_NAME))["cleared"] is True


async def test_a_clean_cache_is_empty_until_the_next_answer(tools: ToolCaller, agent: Agent) -> None:
    async def cleaned() -> list[dict[str, Any]]:
        assert (await tools.ok("cilium_fqdn_cache", command="clean"))["cleared"] is True
        left: list[dict[str, Any]] = (await tools.ok("cilium_fqdn_cache", command="list", source="lookup"))["items"]
        return left

    # An answer that was on its way may be noted after a cleaning.
    await until(cleaned, lambda left: left == [], what="an empty cache")


async def test_valid_and_invalid_policies_are_told_apart(tools: ToolCaller, agent: Agent) -> None:
    validation = await tools.ok("cilium_validate_cilium_network_policies")
    verdicts = {item["name"]: item for item in validation["items"]}
    assert verdicts["only-clients"] == {
        "kind": "CiliumNetworkPolicy",
        "namespace": PODS,
        "name": "only-clients",
        "valid": True,
    }
    spec = {"endpointSelector": {}, "ingress": [{"fromCIDR": ["10.0.0.0/8"], "fromEntities": ["world"]}]}
    body = {"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy", "metadata": {"name": "odd"}, "spec": spec}
    await apply(agent.api, f"{CNP}/odd", body)
    condition = {"type": "Valid", "status": "False", "message": "two kinds of peers", "reason": "Test"}
    status = {"status": {"conditions": [condition]}, "apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy"}
    try:
        await agent.api.send("PATCH", f"{CNP}/odd/status", (), status, "application/merge-patch+json")
        found = await tools.ok("cilium_validate_cilium_network_policies")
        assert found["valid"] is False
        assert (found["items"][0]["name"], found["items"][0]["valid"]) == ("odd", False)
        assert found["items"][0]["error"]
    finally:
        await agent.api.send("DELETE", f"{CNP}/odd")


@pytest.fixture
async def spare_policies(agent: Agent, cluster: Cluster) -> AsyncIterator[KubeApi]:
    """Policies about the endpoint `spare`, to be deleted."""
    selector = {"matchLabels": {"app": "spare"}}
    for name, tier in (("one", "a"), ("two", "a"), ("three", "b")):
        body = {
            "apiVersion": "cilium.io/v2",
            "kind": "CiliumNetworkPolicy",
            "metadata": {"name": name, "labels": {"tier": tier}},
            "spec": {"endpointSelector": selector, "ingress": [{"fromEndpoints": [{}]}]},
        }
        await apply(agent.api, f"{CNP}/{name}", body)
    yield agent.api
    await agent.api.send("DELETE", CNP, (("labelSelector", "tier"),))


async def test_policies_are_deleted_by_name_and_labels(tools: ToolCaller, spare_policies: KubeApi) -> None:
    by_name = {"namespace": PODS, "name": "three"}
    plan = await tools.ok("cilium_delete_policy_rules", **by_name, dry_run=True)
    assert plan["items"] == [
        {
            "kind": "CiliumNetworkPolicy",
            "namespace": PODS,
            "name": "three",
            "result": "would be deleted",
            "endpoints_affected": 1,
        }
    ]
    assert (plan["changed"], plan["dry_run"]) == (False, True)
    assert (await tools.ok("cilium_delete_policy_rules", **by_name))["changed"] is True
    gone = await tools.fails("cilium_delete_policy_rules", **by_name)
    assert gone["code"] == "not_found"
    done = await tools.ok("cilium_delete_policy_rules", namespace=PODS, labels="k8s:tier=a")
    assert [item["name"] for item in done["items"]] == ["one", "two"]
    left = [item["metadata"]["name"] for item in (await spare_policies.get(CNP))["items"]]
    assert {"one", "two", "three"} & set(left) == set()
    nothing = await tools.ok("cilium_delete_policy_rules", namespace=PODS, labels=["tier=z"])
    assert (nothing["items"], nothing["changed"]) == ([], False)


async def test_policies_of_the_other_kinds(tools: ToolCaller, agent: Agent) -> None:
    name = "kmcp-test-everywhere"
    selector = {"matchLabels": {"k8s:app": "spare"}}
    body = {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumClusterwideNetworkPolicy",
        "metadata": {"name": name},
        "spec": {"endpointSelector": selector, "ingress": [{"fromEntities": ["all"]}]},
    }
    await apply(agent.api, f"{CCNP}/{name}", body)
    done = await tools.ok("cilium_delete_policy_rules", kind="CiliumClusterwideNetworkPolicy", name=name)
    assert done["items"][0]["endpoints_affected"] == 1
    path = f"/apis/networking.k8s.io/v1/namespaces/{PODS}/networkpolicies"
    spec = {"podSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["spare", "victim"]}]}}
    await agent.api.send("POST", path, (), {"metadata": {"name": "plain"}, "spec": spec})
    plain = {"kind": "NetworkPolicy", "namespace": PODS}
    done = await tools.ok("cilium_delete_policy_rules", **plain, all=True)
    assert [(item["name"], item["endpoints_affected"]) for item in done["items"]] == [("plain", 2)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "exactly one of name, labels and all"),
        ({"name": "a", "all": True, "namespace": PODS}, "exactly one of name, labels and all"),
        ({"all": True}, "all needs a namespace"),
        ({"name": "a", "kind": "CiliumClusterwideNetworkPolicy", "namespace": PODS}, "cluster-scoped"),
        ({"name": "--all", "namespace": PODS}, "starts with '-'"),
    ],
)
async def test_deletions_that_say_too_much_or_too_little(
    tools: ToolCaller, arguments: dict[str, Any], words: str
) -> None:
    error = await tools.fails("cilium_delete_policy_rules", **arguments)
    assert error["code"] == "bad_argument"
    assert words in error["message"]


async def test_a_deletion_asks_before_it_acts(cluster: Cluster, spare_policies: KubeApi) -> None:
    async with calling(cluster.kubeconfig, NAMESPACE, approval="plan") as tools:
        asked = await tools.fails("cilium_delete_policy_rules", namespace=PODS, labels=["tier=a"])
        assert asked["code"] == "approval_required"
        assert [item["name"] for item in asked["plan"]["items"]] == ["one", "two"]
        there = [item["metadata"]["name"] for item in (await spare_policies.get(CNP))["items"]]
        assert {"one", "two"} <= set(there)
        done = await tools.ok(
            "cilium_delete_policy_rules", namespace=PODS, labels=["tier=a"], approval=asked["approval"]
        )
    assert done["changed"] is True
