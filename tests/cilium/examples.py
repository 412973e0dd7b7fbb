"""A call of every tool that asks agents, which changes nothing, and what the real agent of the tests answers to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.cilium.agent import RANGE
from tests.cilium.scenery import BGP_PEER, PODS

Met = Literal["agent", "cli", "stand-in"]


@dataclass(frozen=True)
class Example:
    """A call, and words of the answer that stand in no other's."""

    says: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    met: Met = "agent"
    """`agent`: it succeeds. `cli`: it tells that this agent has no such thing. `stand-in`: the command is gone."""
    code: str | None = None
    """Of the error, where it is one."""
    more: Sequence[Mapping[str, Any]] = ()
    """Other arguments that are answered so, and need other rights."""

    def calls(self, words: Mapping[str, str]) -> list[dict[str, Any]]:
        """Arguments with what words stand for: `{ns}`, a namespace with a policy of each kind, `{web}`, a Service."""
        every = (self.arguments, *self.more)
        return [{name: _meant(value, words) for name, value in each.items()} for each in every]


def _meant(value: Any, words: Mapping[str, str]) -> Any:
    return words.get(value, value) if isinstance(value, str) else value


def _absent(says: str, **arguments: Any) -> Example:
    return Example(says, arguments, "cli", "unavailable")


def _removed(since: str, **arguments: Any) -> Example:
    return Example(f"was removed in Cilium {since}", arguments, "stand-in", "unavailable")


def _deleting(**arguments: Any) -> Mapping[str, Any]:
    return {"namespace": "{ns}", "dry_run": True, **arguments}


_PLAIN = "NetworkPolicy"
_DELETIONS = (_deleting(all=True), _deleting(kind=_PLAIN, name="odd"), _deleting(kind=_PLAIN, all=True))
_WEB = {"endpoint_id": f"{PODS}/web"}
_SPARE = {"endpoint_id": f"{PODS}/spare", "dry_run": True}
_RANGE = {"cidr_prefixes": ["192.0.2.128/25"], "dry_run": True}
_NO_STORE = "unknown key-value store"
_FILTER = "10.0.0.0/8 0 10.1.0.0/16 80 TCP"
EXAMPLES: Mapping[str, Example] = {
    "cilium_status_and_version": Example("agents_total"),
    "cilium_show_features_status": Example("cilium_feature_"),
    "cilium_show_cluster_mesh_status": Example("Cluster mesh is off", met="cli"),
    "cilium_list_bgp_peers": Example(BGP_PEER),
    "cilium_list_bgp_routes": Example(RANGE),
    "cilium_get_daemon_status": Example("controllers"),
    "cilium_show_load_information": Example("memory"),
    "cilium_request_debugging_information": Example("endpoint-list"),
    "cilium_get_endpoints_list": Example("policy_ingress", {"namespace": PODS}),
    "cilium_get_endpoint_details": Example("only-clients", _WEB),
    "cilium_get_endpoint_logs": Example("ready", _WEB),
    "cilium_get_endpoint_health": Example("connected", _WEB),
    "cilium_manage_endpoint_labels": Example("k8s:color=red", {**_SPARE, "labels": ["k8s:color=red"]}),
    "cilium_manage_endpoint_config": Example("Debug", {**_SPARE, "config": {"Debug": "true"}}),
    "cilium_disconnect_endpoint": Example("would be disconnected", _SPARE),
    "cilium_list_identities": Example("k8s:app=web", {"labels": ["k8s:app=web"]}),
    "cilium_get_identity_details": Example("reserved:host", {"identity_id": 1}),
    "cilium_show_configuration_options": Example("PolicyAuditMode"),
    "cilium_toggle_configuration_option": Example("Debug", {"option": "Debug", "value": "true", "dry_run": True}),
    "cilium_display_encryption_state": Example("Disabled"),
    "cilium_flush_ipsec_state": _absent("encryption is Disabled", dry_run=True),
    "cilium_list_envoy_config": _absent("admin.sock", resource_name="clusters"),
    "cilium_fqdn_cache": Example("items)", {"command": "list"}),
    "cilium_show_dns_names": Example("shop.example.test"),
    "cilium_list_ip_addresses": Example("custom-resource", {"limit": 500}),
    "cilium_show_ip_cache_information": Example("custom-resource", {"labels": ["k8s:app=web"]}),
    "cilium_get_kv_store_key": _absent(_NO_STORE, key="cilium/state/x"),
    "cilium_set_kv_store_key": _absent(_NO_STORE, key="cilium/state/x", value="v", dry_run=True),
    "cilium_delete_key_from_kv_store": _absent(_NO_STORE, key="cilium/state/x", dry_run=True),
    "cilium_list_local_redirect_policies": Example("169.254.169.254"),
    "cilium_list_bpf_map_events": Example("action", {"map_name": "cilium_ipcache_v2"}),
    "cilium_get_bpf_map": Example("identity=", {"map_name": "cilium_ipcache_v2"}),
    "cilium_list_bpf_maps": Example("cilium_ipcache_v2"),
    "cilium_list_metrics": Example("cilium_endpoint_state", {"match_pattern": "cilium_endpoint_state"}),
    "cilium_list_cluster_nodes": Example("pod_cidr_v4"),
    "cilium_list_node_ids": Example("id_hex"),
    "cilium_display_policy_node_information": Example("only-clients"),
    "cilium_delete_policy_rules": Example("would be deleted", _deleting(name="odd"), more=_DELETIONS),
    "cilium_display_selectors": Example("any:app=web"),
    "cilium_list_xdp_cidr_filters": Example("revision"),
    "cilium_update_xdp_cidr_filters": Example("would be filtered", _RANGE),
    "cilium_delete_xdp_cidr_filters": Example("unchanged", _RANGE),
    "cilium_validate_cilium_network_policies": Example("only-clients"),
    "cilium_list_services": Example("ClusterIP"),
    "cilium_get_service_information": Example("frontend", {"service_id": "{web}"}),
    "cilium_update_service": _removed("1.18", id=1, frontend="10.96.0.1:80", backends=["10.0.0.1:80"], dry_run=True),
    "cilium_delete_service": _removed("1.18", service_id=1, dry_run=True),
    "cilium_list_pcap_recorders": _removed("1.19"),
    "cilium_get_pcap_recorder": _removed("1.19", recorder_id=1),
    "cilium_update_pcap_recorder": _removed("1.19", recorder_id=1, filters=[_FILTER], dry_run=True),
    "cilium_delete_pcap_recorder": _removed("1.19", recorder_id=1, dry_run=True),
    "cilium_hubble_observe": Example("counts", {"namespace": PODS}),
}
