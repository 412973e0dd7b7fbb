"""What a real agent says of itself: state, configuration, encryption, filters, services, maps, metrics."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.cilium.agent import NAMES, NAMESPACE, POD, RANGE, Agent
from tests.cilium.scenery import BGP_PEER, PODS
from tests.cluster.components import NODE
from tests.mcp import ToolCaller
from tests.waiting import until

pytestmark = [pytest.mark.pods, pytest.mark.timeout(900)]


async def test_cilium_as_a_whole(tools: ToolCaller) -> None:
    whole = await tools.ok("cilium_status_and_version", verbose=True)
    assert whole["agents"] == [{"node": NODE, "state": "Ok", "message": "1.19.5 (v1.19.5-0000000)"}]
    assert (whole["version"], whole["components"], whole["agents_total"]) == ({"agents": "1.19.5"}, [], 1)
    assert (whole["features"]["ipam"], whole["features"]["routing"], whole["features"]["hubble"]) == (
        "cluster-pool",
        "native",
        "on",
    )
    assert whole["endpoints"]["managed"] >= len(NAMES) - 1  # One of them may be away for a moment.
    features = await tools.ok("cilium_show_features_status", match="controlplane_ipam")
    assert features["items"] == [
        {
            "feature": "cilium_feature_controlplane_ipam",
            "labels": {"mode": "cluster-pool"},
            "nodes": 1,
            "mixed": False,
            "of": "agent",
        }
    ]
    mesh = await tools.ok("cilium_show_cluster_mesh_status", wait=True)
    assert (mesh["enabled"], mesh["clusters"], mesh["problems"]) == (False, [], [])
    assert "cilium_toggle_cluster_mesh" in mesh["hint"]


async def test_the_state_of_agents(tools: ToolCaller, agent: Agent) -> None:
    (brief,) = (await tools.ok("cilium_get_daemon_status", brief=True))["items"]
    assert brief == {"node": NODE, "state": "Ok", "message": "1.19.5 (v1.19.5-0000000)"}
    (whole,) = (await tools.ok("cilium_get_daemon_status"))["items"]
    told = await agent.document("status")
    assert (whole["kubernetes"]["state"], whole["kvstore"]["state"], whole["hubble"]["state"]) == (
        "Ok",
        "Disabled",
        "Ok",
    )
    assert whole["ipam"]["allocated_ipv4"] == len(told["ipam"]["ipv4"])
    assert RANGE in whole["ipam"]["status"]
    assert (whole["encryption"], whole["proxy"]["mode"]) == ("Disabled", "external")
    assert whole["masquerading"]["not_for"] == "10.245.0.0/16"
    assert whole["bpf_maps"]["Endpoints"] == 65_535
    assert (whole["controllers"], "controllers_all" in whole, "allocations" in whole["ipam"]) == ([], False, False)


async def test_the_state_shows_more_on_demand(tools: ToolCaller) -> None:
    names = ("controllers", "nodes", "addresses", "redirects", "clusters")
    (all_of_it,) = (
        await tools.ok("cilium_get_daemon_status", node_name=NODE, **{f"show_all_{name}": "true" for name in names})
    )["items"]
    assert len(all_of_it["controllers_all"]) > 5
    assert all_of_it["nodes"] == [NODE]
    assert f"{PODS}/web" in " ".join(all_of_it["ipam"]["allocations"].values())
    assert (isinstance(all_of_it["proxy"]["redirect_list"], list), all_of_it["cluster_mesh"]) == (True, [])


async def test_load_without_command_lines(tools: ToolCaller) -> None:
    (load,) = (await tools.ok("cilium_show_load_information"))["items"]
    assert (load["node"], len(load["load"])) == (NODE, 3)
    assert load["memory"]["total"] > load["memory"]["free"] > 0
    for process in load["processes"]:
        assert set(process) == {"name", "cpu_percent", "memory_percent"}


async def test_debugging_information_comes_in_sections(tools: ToolCaller) -> None:
    summary = await tools.ok("cilium_request_debugging_information")
    assert (summary["node"], summary["version"].split()[0], "content" in summary) == (NODE, "1.19.5", False)
    assert summary["sizes"]["endpoint-list"] > 1_000
    sections = ["environment-variables", "encryption"]
    page = await tools.ok("cilium_request_debugging_information", sections=sections)
    assert page["truncated"] is True
    content = page["content"]
    while page["truncated"]:
        page = await tools.ok("cilium_request_debugging_information", sections=sections, cursor=page["cursor"])
        content += "\n" + page["content"]
    whole = json.loads(content)
    assert set(whole) == set(sections)
    assert "enable-xdp-prefilter:true" in whole["environment-variables"]
    error = await tools.fails("cilium_request_debugging_information", sections=["endpoints-list"])
    assert (error["code"], "endpoint-list" in error["message"]) == ("bad_argument", True)


async def test_configuration(tools: ToolCaller, agent: Agent) -> None:
    mutable = await tools.ok("cilium_show_configuration_options")
    assert mutable["options"] == dict(sorted((await agent.document("config")).items()))
    everything = await tools.ok("cilium_show_configuration_options", list_all=True)
    read_only = await tools.ok("cilium_show_configuration_options", list_read_only=True)
    assert set(mutable["options"]) < set(everything["options"])
    assert everything["options"]["PolicyEnforcement"] == "default"
    assert "DropNotification" not in read_only["options"]
    meanings = await tools.ok("cilium_show_configuration_options", list_options=True, match="audit")
    assert meanings["options"] == {"PolicyAuditMode": "Enable audit mode for policies"}
    compared = await tools.ok("cilium_show_configuration_options", node_name="all")
    assert (compared["differs"], compared["options"]) == ([], mutable["options"])
    none = await tools.ok("cilium_show_configuration_options", match="nothing-like-it")
    assert (none["options"], "list_all" in none["hint"]) == ({}, True)
    both = await tools.fails("cilium_show_configuration_options", list_all=True, list_options=True)
    assert both["code"] == "bad_argument"


@pytest.mark.parametrize(
    ("option", "value", "back"),
    [
        ("Debug", "true", "false"),
        ("MonitorAggregationLevel", "medium", "none"),
        ("PolicyEnforcement", "always", "default"),
    ],
)
async def test_an_option_is_changed_and_read_back(tools: ToolCaller, option: str, value: str, back: str) -> None:
    plan = await tools.ok("cilium_toggle_configuration_option", option=option, value=value, dry_run=True)
    assert plan["nodes"] == [{"node": NODE, "before": back, "after": value, "changed": True}]
    assert (plan["changed"], plan["dry_run"]) == (False, True)
    done = await tools.ok("cilium_toggle_configuration_option", option=option, value=value, all_nodes=True)
    assert (done["changed"], done["persistent"], done["nodes"][0]["after"]) == (True, False, value)
    assert "lost when the agent restarts" in done["hint"]
    again = await tools.ok("cilium_toggle_configuration_option", option=option, value=value)
    assert (again["changed"], again["nodes"][0]["before"]) == (False, value)
    undone = await tools.ok("cilium_toggle_configuration_option", option=option, value=back, node_name=NODE)
    assert undone["nodes"][0] == {"node": NODE, "before": value, "after": back, "changed": True}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"option": "Debgu", "value": "true"}, "did you mean Debug"),
        ({"option": "Debug", "value": "loud"}, "is on or off"),
        ({"option": "PolicyEnforcement", "value": "true"}, "default, always, never"),
        ({"option": "Debug", "value": "true", "all_nodes": True, "node_name": NODE}, "only one of"),
    ],
)
async def test_options_that_cannot_be_changed_so(tools: ToolCaller, arguments: dict[str, Any], words: str) -> None:
    error = await tools.fails("cilium_toggle_configuration_option", **arguments)
    assert error["code"] == "bad_argument"
    assert words in f"{error['message']} {error['hint']}"


async def test_no_encryption_and_nothing_to_flush(tools: ToolCaller) -> None:
    state = await tools.ok("cilium_display_encryption_state")
    assert (state["items"], state["consistent"]) == ([{"node": NODE, "mode": "Disabled"}], True)
    error = await tools.fails("cilium_flush_ipsec_state", stale=True, dry_run=True)
    assert (error["code"], "encryption is Disabled" in error["message"]) == ("unavailable", True)
    assert "encryption.type=ipsec" in error["hint"]


async def test_what_the_agent_does_not_have_meets_its_own_words(tools: ToolCaller) -> None:
    key = {"key": "cilium/state/nodes/v1/x"}
    writes: list[tuple[str, dict[str, Any]]] = [
        ("cilium_get_kv_store_key", {}),
        ("cilium_get_kv_store_key", {"recursive": True}),
        ("cilium_set_kv_store_key", {"value": "v"}),
        ("cilium_delete_key_from_kv_store", {}),
        ("cilium_delete_key_from_kv_store", {"recursive": True}),
    ]
    for tool, more in writes:
        error = await tools.fails(tool, **key, **more)
        assert (error["code"], "unknown key-value store" in error["message"]) == ("unavailable", True), tool
        assert "CiliumIdentity and CiliumNode" in error["hint"]
    for resource in ("certs", "clusters", "config", "listeners", "logging", "metrics", "serverinfo"):
        error = await tools.fails("cilium_list_envoy_config", resource_name=resource)
        assert (error["code"], "admin.sock" in error["message"]) == ("unavailable", True), resource
        assert "envoy.enabled" in error["hint"]


async def test_commands_that_this_version_no_longer_has(tools: ToolCaller) -> None:
    update = {"id": 4_000_000, "frontend": "203.0.113.9:80", "backends": ["10.0.0.1:80"]}
    recorder = {"recorder_id": 1, "filters": ["10.0.0.0/8 0 10.1.0.0/16 80 TCP"]}
    calls: list[tuple[str, dict[str, Any], str]] = [
        ("cilium_update_service", update, "1.18"),
        ("cilium_delete_service", {"all": True}, "1.18"),
        ("cilium_list_pcap_recorders", {}, "1.19"),
        ("cilium_get_pcap_recorder", {"recorder_id": 1}, "1.19"),
        ("cilium_update_pcap_recorder", recorder, "1.19"),
        ("cilium_delete_pcap_recorder", {"recorder_id": 1}, "1.19"),
    ]
    for tool, arguments, since in calls:
        error = await tools.fails(tool, **arguments)
        assert error["code"] == "unavailable", tool
        assert f"removed in Cilium {since} and this agent runs 1.19.5" in error["message"]
        assert error["hint"].startswith(("change the Service", "cilium_hubble_observe"))


async def test_services(tools: ToolCaller, agent: Agent) -> None:
    (web,) = (await tools.ok("cilium_list_services", service=f"{PODS}/web"))["items"]
    cluster_ip = (await agent.api.get(f"/api/v1/namespaces/{PODS}/services/web"))["spec"]["clusterIP"]
    assert (web["frontend"], web["type"]) == (f"{cluster_ip}:80/TCP", "ClusterIP")
    assert [each["address"] for each in web["backends"]] == [f"{agent.addresses['web']}:8080/TCP"]
    assert (web["backends"][0]["state"], "preferred" in web["backends"][0]) == ("active", False)
    for name in (web["id"], web["frontend"], f"{cluster_ip}:80"):
        found = await tools.ok("cilium_get_service_information", service_id=name)
        assert (found["node"], found["service"]) == (NODE, web), name
    (marked,) = (await tools.ok("cilium_list_services", service=f"{PODS}/web", show_cluster_mesh_affinity=True))[
        "items"
    ]
    assert isinstance(marked["backends"][0]["preferred"], bool)
    absent = await tools.fails("cilium_get_service_information", service_id="203.0.113.9:80")
    assert absent["code"] == "not_found"
    none = await tools.ok("cilium_list_services", service=f"{PODS}/nobody")
    assert (none["items"], "Not in the load balancer" in none["hint"]) == ([], True)
    page = await tools.ok("cilium_list_services", limit=1)
    assert (page["truncated"], page["returned"]) == (True, 1)
    refused = await tools.fails(
        "cilium_update_service", id=web["id"], frontend=f"{cluster_ip}:80", backends=["10.0.0.1:8080"]
    )
    assert f"resource_name=web namespace={PODS}" in refused["hint"]


async def test_local_redirects(tools: ToolCaller) -> None:
    (policy,) = (await tools.ok("cilium_list_local_redirect_policies"))["items"]
    assert (policy["node"], policy["namespace"], policy["name"]) == (NODE, PODS, "metadata")
    assert [each["address"] for each in policy["frontends"]] == ["169.254.169.254:80/TCP"]


async def test_maps(tools: ToolCaller, agent: Agent) -> None:
    maps = {item["name"]: item for item in (await tools.ok("cilium_list_bpf_maps", limit=500))["items"]}
    assert len(maps) == len((await agent.document("map", "list"))["maps"])
    assert (maps["cilium_lxc"]["cache_enabled"], maps["cilium_metrics"]["cache_enabled"]) == (True, False)
    entries = await tools.ok("cilium_get_bpf_map", map_name="cilium_ipcache_v2", limit=500)
    assert (entries["cached"], entries["path"].endswith("cilium_ipcache_v2")) == (True, True)
    (web,) = [item for item in entries["items"] if item["key"].startswith(f"{agent.addresses['web']}/32")]
    assert "identity=" in web["value"]
    plain = await tools.ok("cilium_get_bpf_map", map_name="cilium_metrics")
    assert (plain["cached"], plain["items"], "keeps no copy" in plain["hint"]) == (False, [], True)
    events = await tools.ok("cilium_list_bpf_map_events", map_name="cilium_ipcache_v2", limit=2)
    assert (len(events["items"]), events["truncated"]) == (2, True)
    assert events["items"][0]["action"] in ("update", "delete")
    quiet = await tools.ok("cilium_list_bpf_map_events", map_name="cilium_metrics")
    assert (quiet["items"], "bpf-map-event-buffers" in quiet["hint"]) == ([], True)
    for tool in ("cilium_get_bpf_map", "cilium_list_bpf_map_events"):
        error = await tools.fails(tool, map_name="cilium_ipcache")
        assert (error["code"], "cilium_ipcache_v2" in error["hint"]) == ("not_found", True), tool


async def test_metrics(tools: ToolCaller) -> None:
    found = await tools.ok("cilium_list_metrics", match_pattern="cilium_endpoint_state")
    states = {item["labels"]["endpoint_state"]: item["value"] for item in found["items"]}
    assert states["ready"] >= 6
    assert (await tools.ok("cilium_list_metrics", limit=1))["truncated"] is True
    broken = await tools.fails("cilium_list_metrics", match_pattern="(")
    assert (broken["code"], "not a valid regular expression" in broken["message"]) == ("bad_argument", True)
    none = await tools.ok("cilium_list_metrics", match_pattern="no_such_metric")
    assert (none["items"], "No metric" in none["hint"]) == ([], True)


async def test_nodes_and_their_numbers(tools: ToolCaller, agent: Agent) -> None:
    (node,) = (await tools.ok("cilium_list_cluster_nodes"))["items"]
    assert (node["name"], node["pod_cidr_v4"], node["source"]) == (NODE, RANGE, "local")
    (number,) = (await tools.ok("cilium_list_node_ids"))["items"]
    assert (number["node"], number["id_hex"]) == (NODE, hex(number["id"]))
    assert node["ipv4"] in number["ips"]


async def test_bgp(tools: ToolCaller) -> None:
    """With a peer that never answers."""

    async def peers() -> list[dict[str, Any]]:
        found = await tools.ok("cilium_list_bgp_peers")
        assert found["enabled"] is True
        return list(found["items"])

    def tried(peers: list[dict[str, Any]]) -> bool:
        return peers[0]["session_state"] in ("idle", "connect", "active")

    (peer,) = await until(peers, tried, what="a session that is tried")
    assert (peer["node"], peer["local_asn"], peer["peer_asn"], peer["peer_address"]) == (NODE, 65001, 65002, BGP_PEER)
    assert peer["families"] == [{"afi": "ipv4", "safi": "unicast", "received": 0, "accepted": 0, "advertised": 0}]
    (route,) = (await tools.ok("cilium_list_bgp_routes", vrouter_asn=65001))["items"]
    assert (route["node"], route["prefix"], route["next_hops"], route["best"]) == (NODE, RANGE, ["0.0.0.0"], True)
    told = await tools.ok("cilium_list_bgp_routes", table="advertised", peer=BGP_PEER)
    assert (told["enabled"], told["items"], told["hint"]) == (True, [], "No advertised routes of this family.")
    unknown: list[tuple[dict[str, Any], str]] = [
        ({"vrouter_asn": 65009}, "65009 does not exist"),
        ({"table": "advertised", "peer": "192.0.2.9"}, "192.0.2.9 doesn't exist"),
    ]
    for arguments, words in unknown:
        error = await tools.fails("cilium_list_bgp_routes", **arguments)
        assert (error["code"], words in error["message"]) == ("not_found", True)
        assert "cilium_list_bgp_peers" in error["hint"]


@pytest.fixture
async def unfiltered(tools: ToolCaller) -> AsyncIterator[None]:
    yield
    await tools.ok("cilium_delete_xdp_cidr_filters", cidr_prefixes=["198.51.100.7/32", "203.0.113.0/24"])


@pytest.mark.usefixtures("unfiltered")
async def test_filters(tools: ToolCaller) -> None:
    given = ["198.51.100.7", "203.0.113.0/24"]
    plan = await tools.ok("cilium_update_xdp_cidr_filters", cidr_prefixes=given, dry_run=True)
    assert (plan["result"], plan["changed"]) == ("would be filtered", False)
    assert plan["warnings"] == ["198.51.100.7 was read as 198.51.100.7/32"]
    (before,) = (await tools.ok("cilium_list_xdp_cidr_filters"))["items"]
    assert (before["enabled"], before["deny"]) == (True, [])
    done = await tools.ok("cilium_update_xdp_cidr_filters", cidr_prefixes=" ".join(given), all_nodes=True)
    assert done["nodes"] == [
        {"node": NODE, "added": ["198.51.100.7/32", "203.0.113.0/24"], "revision": before["revision"] + 1}
    ]
    (after,) = (await tools.ok("cilium_list_xdp_cidr_filters"))["items"]
    assert after["deny"] == ["198.51.100.7/32", "203.0.113.0/24"]
    again = await tools.ok("cilium_update_xdp_cidr_filters", cidr_prefixes=given)
    assert (again["result"], again["changed"]) == ("unchanged", False)
    stale = await tools.fails(
        "cilium_update_xdp_cidr_filters", cidr_prefixes=["192.0.2.0/24"], revision=before["revision"]
    )
    assert (stale["code"], f"revision={after['revision']}" in stale["hint"]) == ("conflict", True)
    removed = await tools.ok("cilium_delete_xdp_cidr_filters", cidr_prefixes=["203.0.113.0/24"], node_name=NODE)
    assert (removed["nodes"][0]["removed"], removed["changed"]) == (["203.0.113.0/24"], True)


async def test_filters_never_cut_the_cluster_off(tools: ToolCaller) -> None:
    (node,) = (await tools.ok("cilium_list_cluster_nodes"))["items"]
    error = await tools.fails("cilium_update_xdp_cidr_filters", cidr_prefixes=[node["ipv4"]])
    assert (error["code"], f"node {NODE}" in error["message"]) == ("bad_argument", True)
    for given, words in (("300.0.0.0/8", "does not appear to be"), ("192.0.2.1/24", "has host bits set")):
        error = await tools.fails("cilium_update_xdp_cidr_filters", cidr_prefixes=[given])
        assert (error["code"], given in error["message"], words in error["message"]) == (
            "bad_argument",
            True,
            True,
        )


async def test_an_agent_that_is_down(tools: ToolCaller, agent: Agent) -> None:
    """Its pod is Ready until the next look at it, and its process is stopped: what a caller meets meanwhile."""
    await agent.shell("mv /var/run/cilium/cilium.sock /var/run/cilium/cilium.away")
    try:
        for tool in ("cilium_list_identities", "cilium_get_endpoints_list", "cilium_get_daemon_status"):
            error = await tools.fails(tool)
            assert error["code"] == "unavailable", error
            assert error["hint"] == f"k8s_get_pod_logs pod_name={POD} namespace={NAMESPACE} container=cilium-agent"
    finally:
        await agent.shell("mv /var/run/cilium/cilium.away /var/run/cilium/cilium.sock")

    async def ready() -> bool:
        return (await agent.api.get(f"/api/v1/namespaces/{NAMESPACE}/pods/{POD}"))["status"]["containerStatuses"][0][
            "ready"
        ] is True

    await until(ready, what="the agent's pod ready again")


async def test_nodes_are_probed(tools: ToolCaller, agent: Agent) -> None:
    """The last of these tests, since an agent shows its first probe a minute after its start."""

    async def probed() -> list[str]:
        (state,) = (await tools.ok("cilium_get_daemon_status", brief=True, show_health=True))["items"]
        return [each["name"] for each in state.get("reachability", [])]

    # Every minute the agent shows what it has probed, and nothing once where its own API did not answer.
    await until(probed, lambda names: names == [NODE], seconds=180, what="a probe of the node")
    await agent.shell("mv /var/run/cilium/health.sock /var/run/cilium/health.away")
    try:
        told = await tools.ok("cilium_get_daemon_status", brief=True, show_health=True)
    finally:
        await agent.shell("mv /var/run/cilium/health.away /var/run/cilium/health.sock")
    (state,) = told["items"]
    assert (state["node"], "reachability" in state) == (NODE, False)
    assert "health.sock: connect: no such file" in state["reachability_error"]
    assert "enable-health-checking" in told["hint"]
