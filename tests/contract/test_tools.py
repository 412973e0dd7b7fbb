"""What every tool of every server must be, servers of other packages included: found by their entry points."""

import ast
import json
import re
from collections.abc import AsyncIterator, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client

import kmcp_runtime
from kmcp_runtime import Effect, RuntimeSettings, Server, ToolSpec, publish
from kmcp_runtime.catalog import tokens_of
from kmcp_runtime.distributions import SERVERS
from kmcp_runtime.engine.assembly import assemble
from kmcp_runtime.kube.settings import ClusterSettings
from tests.mcp import ToolCaller

NUMBER_OR_BOOLEAN = re.compile(r"(?:true|false|yes|no|[+-]?\d+(?:\.\d+)?)", re.IGNORECASE)
RUNTIME = Path(kmcp_runtime.__file__).parent
TWO_CLUSTERS = """
apiVersion: v1
kind: Config
current-context: prod
contexts: [{name: prod, context: {cluster: c, user: u}}, {name: test, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: u, user: {}}]
"""
REGISTRY = {
    "argo": {
        "argo_verify_argo_rollouts_controller_install",
        "argo_verify_kubectl_plugin_install",
        "argo_rollouts_list",
        "argo_check_plugin_logs",
        "argo_promote_rollout",
        "argo_pause_rollout",
        "argo_set_rollout_image",
        "argo_verify_gateway_plugin",
        "argo_get_rollout",
        "argo_rollout_action",
    },
    "kubernetes": {
        "k8s_get_resources",
        "k8s_get_pod_logs",
        "k8s_get_events",
        "k8s_get_available_api_resources",
        "k8s_get_cluster_configuration",
        "k8s_get_resource_yaml",
        "k8s_describe_resource",
        "k8s_generate_resource",
        "k8s_check_service_connectivity",
        "k8s_execute_command",
        "k8s_apply_manifest",
        "k8s_create_resource",
        "k8s_create_resource_from_url",
        "k8s_patch_resource",
        "k8s_patch_status",
        "k8s_delete_resource",
        "k8s_scale",
        "k8s_rollout",
        "k8s_label_resource",
        "k8s_remove_label",
        "k8s_annotate_resource",
        "k8s_remove_annotation",
        "k8s_top",
        "k8s_can_i",
        "k8s_explain",
    },
    "helm": {
        "helm_list_releases",
        "helm_get_release",
        "helm_upgrade",
        "helm_uninstall",
        "helm_repo_add",
        "helm_repo_update",
        "helm_history",
        "helm_rollback",
        "helm_show",
    },
    "cilium": {
        "cilium_list_ip_addresses",
        "cilium_show_ip_cache_information",
        "cilium_list_bgp_peers",
        "cilium_list_bgp_routes",
        "cilium_show_configuration_options",
        "cilium_toggle_configuration_option",
        "cilium_get_daemon_status",
        "cilium_show_load_information",
        "cilium_request_debugging_information",
        "cilium_display_encryption_state",
        "cilium_flush_ipsec_state",
        "cilium_manage_endpoint_labels",
        "cilium_manage_endpoint_config",
        "cilium_disconnect_endpoint",
        "cilium_get_endpoints_list",
        "cilium_get_endpoint_details",
        "cilium_get_endpoint_logs",
        "cilium_get_endpoint_health",
        "cilium_list_envoy_config",
        "cilium_show_features_status",
        "cilium_list_xdp_cidr_filters",
        "cilium_update_xdp_cidr_filters",
        "cilium_delete_xdp_cidr_filters",
        "cilium_hubble_observe",
        "cilium_fqdn_cache",
        "cilium_show_dns_names",
        "cilium_toggle_hubble",
        "cilium_list_identities",
        "cilium_get_identity_details",
        "cilium_install_cilium",
        "cilium_upgrade_cilium",
        "cilium_uninstall_cilium",
        "cilium_get_kv_store_key",
        "cilium_set_kv_store_key",
        "cilium_delete_key_from_kv_store",
        "cilium_list_bpf_maps",
        "cilium_get_bpf_map",
        "cilium_list_bpf_map_events",
        "cilium_connect_to_remote_cluster",
        "cilium_disconnect_remote_cluster",
        "cilium_toggle_cluster_mesh",
        "cilium_show_cluster_mesh_status",
        "cilium_list_metrics",
        "cilium_list_cluster_nodes",
        "cilium_list_node_ids",
        "cilium_status_and_version",
        "cilium_display_policy_node_information",
        "cilium_display_selectors",
        "cilium_validate_cilium_network_policies",
        "cilium_delete_policy_rules",
        "cilium_list_pcap_recorders",
        "cilium_get_pcap_recorder",
        "cilium_update_pcap_recorder",
        "cilium_delete_pcap_recorder",
        "cilium_list_local_redirect_policies",
        "cilium_update_service",
        "cilium_delete_service",
        "cilium_list_services",
        "cilium_get_service_information",
    },
    "istio": {
        "istio_list_waypoints",
        "istio_generate_waypoint",
        "istio_waypoint_status",
        "istio_apply_waypoint",
        "istio_delete_waypoint",
        "istio_proxy_status",
        "istio_proxy_config",
        "istio_analyze_cluster_configuration",
        "istio_version",
        "istio_remote_clusters",
        "istio_ztunnel_config",
        "istio_generate_manifest",
        "istio_install_istio",
    },
    "prometheus": {
        "prometheus_query_tool",
        "prometheus_query_range_tool",
        "prometheus_series_tool",
        "prometheus_label_names_tool",
        "prometheus_label_values_tool",
        "prometheus_metadata_tool",
        "prometheus_targets_tool",
        "prometheus_target_metadata_tool",
        "prometheus_rules_tool",
        "prometheus_alerts_tool",
        "prometheus_alertmanagers_tool",
        "prometheus_status_config_tool",
        "prometheus_status_flags_tool",
        "prometheus_runtime_info_tool",
        "prometheus_build_info_tool",
        "prometheus_tsdb_status_tool",
        "prometheus_wal_replay_tool",
        "prometheus_create_snapshot_tool",
        "prometheus_delete_series_tool",
        "prometheus_clean_tombstones_tool",
        "prometheus_promql_tool",
        "prometheus_query_exemplars_tool",
        "prometheus_list_datasources_tool",
    },
    "clock": {"datetime_get_current_time"},
    "querydoc": {"query_documentation", "list_products", "get_chunks", "query_code"},
    "grafana": {
        "grafana_org_management",
        "grafana_team_management",
        "grafana_alert_management",
        "grafana_misc_management",
        "grafana_annotation_management",
        "grafana_dashboard_management",
        "grafana_folder_management",
        "grafana_datasource_management",
        "grafana_user_management",
        "grafana_query",
        "grafana_generate_deeplink",
        "grafana_alert_state",
    },
}
"""The names that agents know our servers' tools by, extras included: they are the contract."""


def servers() -> list[Server]:
    return [point.load() for point in entry_points(group=SERVERS)]


def tools() -> Iterator[Any]:
    for server in servers():
        for declared in server.tools():
            yield pytest.param(declared, id=declared.name)


@pytest.fixture(params=servers(), ids=lambda server: server.name)
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.param
    return found


@pytest.fixture
async def caller(server: Server) -> AsyncIterator[ToolCaller]:
    async with Client(assemble(server)) as client:
        yield ToolCaller(client)


async def test_the_list_is_whole_and_every_tool_of_it_is_complete(caller: ToolCaller, server: Server) -> None:
    listed = await caller.client.list_tools()
    left_out = {declared.name for declared in server.tools() if declared.when} & set(server.left_out(server.settings()))
    assert {tool.name for tool in listed} | left_out == {declared.name for declared in server.tools()}
    assert REGISTRY.get(server.name, set()) <= {tool.name for tool in listed} | left_out
    for tool in listed:
        hints = tool.annotations
        assert tool.title, tool.name
        assert hints is not None
        given = (hints.read_only_hint, hints.destructive_hint, hints.idempotent_hint, hints.open_world_hint)
        assert None not in given, tool.name
        assert not (hints.read_only_hint and hints.destructive_hint), tool.name
        assert tool.output_schema, tool.name
        assert tool.output_schema["type"] == "object"
        assert tool.output_schema["properties"], tool.name


def test_names_are_unique_in_the_suite_and_fit_the_protocol() -> None:
    names = [declared.name for server in servers() for declared in server.tools()]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) for name in names)


async def _figures(server: Server, **settings: str) -> dict[str, int]:
    """The tokens of each tool, as a client gets the list."""
    async with Client(assemble(server, server.settings(**settings))) as client:
        listed = await client.list_tools()
    return {tool.name: tokens_of(tool.name, tool.description or "", tool.input_schema) for tool in listed}


async def test_x21_what_a_model_reads_stays_within_the_budget(server: Server, tmp_path: Path) -> None:
    figures = await _figures(server)
    average = sum(figures.values()) / len(figures)
    assert average <= server.token_limit, f"{average:.0f} on average: {figures}"
    if issubclass(server.settings, ClusterSettings):
        several = tmp_path / "config"
        several.write_text(TWO_CLUSTERS)
        named = await _figures(server, kubeconfig=str(several))
        # The argument that says which cluster is meant, with the names of two.
        assert all(0 <= named[name] - figures[name] <= 25 for name in figures), named


def _nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """Every object of a schema, however deep."""
    if isinstance(schema, dict):
        yield schema
    for inner in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from _nodes(inner)


@pytest.mark.parametrize("declared", list(tools()))
def test_every_argument_is_described_and_strictly_typed(declared: ToolSpec) -> None:
    schema = declared.input_schema()
    # X1: a boolean here, and a list of types, keep frameworks from loading the whole server.
    assert not [node for node in _nodes(schema) if isinstance(node.get("additionalProperties"), bool)]
    assert not [node for node in _nodes(schema) if isinstance(node.get("type"), list)]
    assert "$ref" not in json.dumps(schema)
    for name, argument in schema["properties"].items():
        assert argument.get("description"), f"{declared.name}.{name} has no description"
        assert "type" in argument or "anyOf" in argument or "enum" in argument, f"{declared.name}.{name} has no type"
        words = [argument.get("default"), *argument.get("enum", ())]
        for word in words:
            assert not (isinstance(word, str) and NUMBER_OR_BOOLEAN.fullmatch(word)), (
                f"{declared.name}.{name}: {word!r}"
            )


@pytest.mark.parametrize("declared", list(tools()))
def test_k10_no_tool_has_a_default_namespace_of_its_own(declared: ToolSpec) -> None:
    """Without one it is the context's, by `Cluster.namespace`."""
    assert declared.input_schema()["properties"].get("namespace", {}).get("default") != "default"


@pytest.mark.parametrize("declared", list(tools()))
def test_the_description_says_what_it_is_for(declared: ToolSpec) -> None:
    assert len(declared.description) >= 20
    assert declared.description.endswith(".")


@pytest.mark.parametrize("declared", list(tools()))
def test_writes_can_be_rehearsed_and_destruction_needs_approval(declared: ToolSpec) -> None:
    properties = declared.input_schema()["properties"]
    if declared.effect is not Effect.READ and declared.name not in WITHOUT_DRY_RUN:
        assert properties["dry_run"]["type"] == "boolean", declared.name
    assert ("approval" in properties) is declared.can_destroy()


WITHOUT_DRY_RUN: dict[str, str] = {}
"""Writes that cannot be rehearsed, and why."""


async def test_an_unknown_argument_is_refused_by_every_tool(caller: ToolCaller, server: Server) -> None:
    for declared in _offered(server):
        known = next(iter(declared.input_schema()["properties"]), None)
        wrong = f"{known}x" if known else "xyzzy"
        error = await caller.fails(declared.name, **{wrong: "y"})
        assert error["code"] == "bad_argument", declared.name
        assert f"unknown argument {wrong!r}" in error["message"], declared.name
        if known:
            assert f"did you mean {known}" in error["message"], declared.name


def _offered(server: Server) -> list[ToolSpec]:
    left_out = server.left_out(server.settings())
    return [declared for declared in server.tools() if declared.name not in left_out]


async def test_read_only_mode_offers_nothing_that_changes_anything(server: Server) -> None:
    async with Client(assemble(server, runtime=RuntimeSettings(read_only=True))) as client:
        offered = await client.list_tools()
        assert offered
        for tool in offered:
            assert tool.annotations is not None
            assert tool.annotations.read_only_hint is True, tool.name
            assert "approval" not in tool.input_schema["properties"], tool.name
            assert "dry_run" not in tool.input_schema["properties"], tool.name


def test_the_generated_files_are_fresh() -> None:
    stale = [path for path, text in publish.generated().items() if path.read_text() != text]
    assert stale == []


def test_the_runtime_names_no_tool_of_a_server() -> None:
    names = re.compile("|".join(declared.name for server in servers() for declared in server.tools()))
    for path in RUNTIME.rglob("*.py"):
        constants = (node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant))
        told = [text for text in constants if isinstance(text, str) and "\n" not in text and names.search(text)]
        assert told == [], path
