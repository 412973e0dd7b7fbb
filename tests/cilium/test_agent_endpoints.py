"""Endpoints and identities of a real agent."""

import pytest

from tests.cilium.agent import NAMES, Agent, add_endpoint
from tests.cilium.scenery import PODS
from tests.cluster.components import NODE
from tests.mcp import ToolCaller
from tests.waiting import until

pytestmark = [pytest.mark.pods, pytest.mark.timeout(900)]


async def test_the_list_is_what_the_agent_has(tools: ToolCaller, agent: Agent) -> None:
    found = await tools.ok("cilium_get_endpoints_list", node_name=NODE)
    told = await agent.document("endpoint", "list")
    assert {item["id"] for item in found["items"]} == {each["id"] for each in told}
    by_pod = {item.get("pod"): item for item in found["items"]}
    assert set(NAMES) <= set(by_pod)
    web = by_pod["web"]
    assert (web["node"], web["namespace"], web["state"], web["ipv4"]) == (NODE, PODS, "ready", agent.addresses["web"])
    assert (web["policy_ingress"], web["policy_egress"], web["labels"]) == ("enabled", "disabled", ["k8s:app=web"])
    assert by_pod["client"]["policy_egress"] == "enabled"
    assert by_pod[None]["labels"] == ["reserved:host"] or "reserved:host" in by_pod[None]["labels"]


async def test_the_list_is_narrowed_by_namespace_and_state(tools: ToolCaller) -> None:
    inside = await tools.ok("cilium_get_endpoints_list", namespace=PODS, state="ready")
    assert {item["pod"] for item in inside["items"]} >= set(NAMES)
    none = await tools.ok("cilium_get_endpoints_list", namespace=PODS, state="invalid")
    assert (none["items"], none["truncated"]) == ([], False)
    assert "No endpoint matches" in none["hint"]


async def test_an_endpoint_is_found_under_each_of_its_names(tools: ToolCaller, agent: Agent) -> None:
    (by_pod,) = (await tools.ok("cilium_get_endpoint_details", endpoint_id=f"{PODS}/web"))["items"]
    names = (
        by_pod["id"],
        str(by_pod["id"]),
        f"cep-name:{PODS}/web",
        f"pod-name:{PODS}/web",
        f"ipv4:{agent.addresses['web']}",
        f"cilium-local:{by_pod['id']}",
    )
    for name in names:
        (found,) = (await tools.ok("cilium_get_endpoint_details", endpoint_id=name))["items"]
        assert found["id"] == by_pod["id"], name
    (by_label,) = (await tools.ok("cilium_get_endpoint_details", labels=["k8s:app=web"]))["items"]
    assert by_label["id"] == by_pod["id"]


async def test_details_tell_what_the_policy_became(tools: ToolCaller, agent: Agent) -> None:
    (web,) = (await tools.ok("cilium_get_endpoint_details", endpoint_id=f"{PODS}/web"))["items"]
    (rule,) = web["ingress_rules"]
    assert rule["ports"] == "8080/TCP"
    assert [peer.split(",")[0] for peer in rule["peers"]] == ["any:app=client"]
    assert rule["policies"] == [f"CiliumNetworkPolicy {PODS}/only-clients"]
    (client,) = (await tools.ok("cilium_get_endpoint_details", endpoint_id=f"{PODS}/client"))["items"]
    assert any("dns" in l7 for rule in client["egress_rules"] for l7 in rule.get("l7") or ())
    assert (web["health"], web["options"]["PolicyAuditMode"]) == ("OK", "Disabled")
    assert web["log"][0]["state"] == "ready"
    identity = (await agent.document("endpoint", "get", str(web["id"])))[0]["status"]["identity"]
    assert (web["identity"], web["labels"]) == (identity["id"], sorted(identity["labels"]))


async def test_state_changes_and_health(tools: ToolCaller, agent: Agent) -> None:
    log = await tools.ok("cilium_get_endpoint_logs", endpoint_id=f"{PODS}/web", limit=3)
    told = await agent.document("endpoint", "log", str(log["id"]))
    assert [item["message"] for item in log["items"]] == [each["message"] for each in told[:3]]
    assert (log["total"], log["truncated"]) == (len(told), True)
    health = await tools.ok("cilium_get_endpoint_health", endpoint_id=f"{PODS}/web")
    assert (health["overall"], health["bpf"], health["policy"], health["connected"]) == ("OK", "OK", "OK", True)
    assert health["pod"] == f"{PODS}/web"


async def test_what_is_no_endpoint_of_the_node(tools: ToolCaller, agent: Agent) -> None:
    unknown = await tools.fails("cilium_get_endpoint_details", endpoint_id="64999")
    assert (unknown["code"], unknown["message"]) == ("not_found", f"endpoint '64999' is not on node {NODE}")
    absent = await tools.fails("cilium_get_endpoint_health", endpoint_id=f"{PODS}/wep")
    assert absent["code"] == "not_found"
    assert "did you mean web" in absent["hint"]
    for tool in ("cilium_get_endpoint_logs", "cilium_disconnect_endpoint", "cilium_get_endpoint_health"):
        assert (await tools.fails(tool, endpoint_id="ipv4:203.0.113.9"))["code"] == "not_found", tool


async def test_labels_change_the_identity(tools: ToolCaller, agent: Agent) -> None:
    endpoint = {"endpoint_id": f"{PODS}/spare"}
    (before,) = (await tools.ok("cilium_get_endpoint_details", **endpoint))["items"]
    plan = await tools.ok("cilium_manage_endpoint_labels", **endpoint, labels=["k8s:color=red"], dry_run=True)
    assert (plan["dry_run"], "k8s:color=red" in plan["enabled"]) == (True, True)
    assert (plan["changed"], plan["result"]) == (False, "would be changed")
    added = await tools.ok("cilium_manage_endpoint_labels", **endpoint, labels=["k8s:color=red", "k8s:size=s"])
    assert added["changed"] is True
    assert {"k8s:color=red", "k8s:size=s", "k8s:app=spare"} <= set(added["enabled"])

    async def identity() -> int:
        (seen,) = (await tools.ok("cilium_get_endpoint_details", **endpoint))["items"]
        return int(seen["identity"])

    changed = await until(identity, lambda seen: seen != before["identity"], what="another identity")
    detail = await tools.ok("cilium_get_identity_details", identity_id=changed)
    assert "k8s:color=red" in detail["labels"]
    taken = await tools.ok(
        "cilium_manage_endpoint_labels", **endpoint, labels="k8s:color=red k8s:size=s", action="delete"
    )
    assert "k8s:color=red" not in taken["enabled"]
    assert await until(identity, lambda seen: seen == before["identity"], what="the identity from before")


async def test_options_of_an_endpoint(tools: ToolCaller, agent: Agent) -> None:
    endpoint = {"endpoint_id": f"{PODS}/spare"}
    shown = await tools.ok("cilium_manage_endpoint_config", **endpoint, config={})
    assert (shown["changed"], shown["changes"], shown["realized"]["Debug"]) == (False, [], "false")
    plan = await tools.ok("cilium_manage_endpoint_config", **endpoint, config={"Debug": True}, dry_run=True)
    assert plan["changes"] == [{"option": "Debug", "before": "false", "after": "true"}]
    assert (plan["changed"], plan["result"]) == (False, "would be changed")
    done = await tools.ok(
        "cilium_manage_endpoint_config", **endpoint, config={"Debug": "true", "MonitorAggregationLevel": "medium"}
    )
    assert (done["changed"], done["realized"]["Debug"]) == (True, "true")
    assert done["realized"]["MonitorAggregationLevel"] == "medium"
    again = await tools.ok("cilium_manage_endpoint_config", **endpoint, config={"Debug": "enabled"})
    assert (again["changed"], again["result"]) == (False, "unchanged")
    back = {"Debug": "false", "MonitorAggregationLevel": "none"}
    assert (await tools.ok("cilium_manage_endpoint_config", **endpoint, config=back))["changed"] is True


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"Debgu": "true"}, "did you mean Debug"),
        ({"Debug": "perhaps"}, "use true or false"),
        ({"MonitorAggregationLevel": "hihg"}, "it takes none, low, medium, max"),
    ],
)
async def test_options_that_cannot_be(tools: ToolCaller, config: dict[str, str], words: str) -> None:
    error = await tools.fails("cilium_manage_endpoint_config", endpoint_id=f"{PODS}/spare", config=config)
    assert error["code"] == "bad_argument"
    assert words in error["hint"]


async def test_a_disconnected_endpoint_is_gone(tools: ToolCaller, agent: Agent) -> None:
    victim = {"endpoint_id": f"{PODS}/victim"}
    plan = await tools.ok("cilium_disconnect_endpoint", **victim, dry_run=True)
    assert (plan["pod"], plan["disconnected"], plan["dry_run"]) == (f"{PODS}/victim", False, True)
    assert "loses its network" in plan["warnings"][0]
    done = await tools.ok("cilium_disconnect_endpoint", **victim)
    assert (done["id"], done["disconnected"]) == (plan["id"], True)
    assert (await tools.fails("cilium_get_endpoint_details", endpoint_id=str(done["id"])))["code"] == "not_found"
    await agent.api.send("DELETE", f"/api/v1/namespaces/{PODS}/pods/victim")
    await agent.shell("ip netns delete victim")
    await add_endpoint(agent, "victim")


async def test_identities(tools: ToolCaller, agent: Agent) -> None:
    told = await agent.document("identity", "list")
    found = await tools.ok("cilium_list_identities", limit=500)
    assert [item["id"] for item in found["items"]] == sorted(each["id"] for each in told)
    (web,) = (
        await tools.ok("cilium_list_identities", labels=["k8s:app=web", f"k8s:io.kubernetes.pod.namespace={PODS}"])
    )["items"]
    assert (await tools.ok("cilium_list_identities", labels=["app=web"]))["items"] == [web]
    local = await tools.ok("cilium_list_identities", endpoints=True, labels=["app=web"])
    assert (local["items"][0]["id"], local["items"][0]["ref_count"]) == (web["id"], 1)
    detail = await tools.ok("cilium_get_identity_details", identity_id=web["id"])
    assert (detail["kind"], detail["endpoints_total"]) == ("cluster", 1)
    assert detail["endpoints"] == [{"ip": f"{agent.addresses['web']}/32", "namespace": PODS, "pod": "web"}]
    assert (await tools.ok("cilium_get_identity_details", labels=web["labels"]))["id"] == web["id"]
    assert (await tools.ok("cilium_get_identity_details", identity_id=1))["kind"] == "reserved"
    assert (await tools.fails("cilium_get_identity_details", identity_id=999_999))["code"] == "not_found"
    assert (await tools.fails("cilium_get_identity_details", labels=["k8s:app=nobody"]))["code"] == "not_found"
    assert "No identity" in (await tools.ok("cilium_list_identities", labels=["k8s:app=nobody"]))["hint"]


async def test_addresses(tools: ToolCaller, agent: Agent) -> None:
    address = agent.addresses["web"]
    all_of_them = await tools.ok("cilium_list_ip_addresses", limit=500)
    entry = next(item for item in all_of_them["items"] if item["cidr"] == f"{address}/32")
    assert (entry["namespace"], entry["pod"], entry["source"]) == (PODS, "web", "custom-resource")
    assert (await tools.ok("cilium_show_ip_cache_information", cidr=address))["items"] == [entry]
    assert (await tools.ok("cilium_show_ip_cache_information", labels=["k8s:app=web"]))["items"] == [entry]
    unknown = await tools.fails("cilium_show_ip_cache_information", cidr="203.0.113.9")
    assert (unknown["code"], "203.0.113.9/32" in unknown["message"]) == ("not_found", True)
    assert (await tools.fails("cilium_show_ip_cache_information", labels=["k8s:app=nobody"]))["code"] == "not_found"
