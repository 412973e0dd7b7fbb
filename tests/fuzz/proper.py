"""Backends that answer as they should, and calls that lead the tools which change something up to their change."""

import base64
import json
from pathlib import Path
from typing import Any

from tests.fuzz.cluster_standin import StandIn
from tests.fuzz.worlds import World
from tests.helm.storing import encoded, named

CHARTS = Path(__file__).parents[1] / "helm" / "charts"
OWN: dict[str, dict[str, Any]] = {"helm": {"chart_directory": str(CHARTS), "chart_hosts": "http://127.0.0.1:1"}}
"""Settings of the servers that need some."""
_SERVICE = {
    "id": 5,
    "frontend-address": {"ip": "10.0.0.1", "port": 80, "protocol": "TCP"},
    "backend-addresses": [{"ip": "10.0.0.2", "port": 80}],
}
_FILTER = {
    "src-prefix": "10.0.0.0/8",
    "src-port": "0",
    "dst-prefix": "10.1.0.0/16",
    "dst-port": "80",
    "protocol": "TCP",
}
_AGENT = {"name": "cilium-a", "ready": "1/1", "status": "Running", "restarts": "0", "ip": "10.0.0.9", "node": "node-1"}
_WAYPOINT = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "Gateway",
    "metadata": {"name": "web", "namespace": "default", "uid": "w", "resourceVersion": "1"},
    "spec": {"gatewayClassName": "istio-waypoint"},
}
_POD = {
    "metadata": {
        "namespace": "kube-system",
        "name": "cilium-a",
        "uid": "p",
        "labels": {"istio.io/use-waypoint": "another"},
    },
    "spec": {"containers": [{"name": "cilium-agent"}]},
    "status": {"phase": "Running"},
}
PRINTED = {
    "version": json.dumps({"Client": {"Version": "1.17.5"}, "Daemon": {"Version": "1.17.5"}}),
    "service list": json.dumps([{"spec": _SERVICE, "status": {"realized": _SERVICE}}]),
    "recorder get": json.dumps({"spec": {"id": 5, "capture-length": 0, "filters": [_FILTER]}}),
    "endpoint get": json.dumps([{"id": 5, "status": {"labels": {"security-relevant": []}}}]),
    "endpoint config": json.dumps({"realized": {"options": {"Debug": "Disabled"}}}),
    "config": json.dumps({"options": {"Debug": "Disabled"}}),
    "prefilter list": json.dumps({"status": {"realized": {"revision": 1, "deny": ["192.0.2.0/24"]}}}),
    "kvstore get --recursive": json.dumps({"cilium/state/a": {"Data": "b2xk"}}),
    "kvstore get": json.dumps("old"),
    "encrypt status": json.dumps({"mode": "IPsec", "ipsec": {"keys-in-use": 1}}),
    "node list": "[]",
    "fqdn cache list": "[]",
}
_CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: b}\n"
_ENDPOINT = {"endpoint_id": "5"}
CALLS: dict[str, dict[str, Any]] = {
    "argo_set_rollout_image": {"rollout_name": "web", "container_image": "main=registry.example/web:2"},
    "cilium_toggle_configuration_option": {"option": "Debug", "value": "true"},
    "cilium_flush_ipsec_state": {},
    "cilium_manage_endpoint_labels": {**_ENDPOINT, "labels": ["k8s:app=web"]},
    "cilium_manage_endpoint_config": {**_ENDPOINT, "config": {"Debug": "true"}},
    "cilium_disconnect_endpoint": _ENDPOINT,
    "cilium_update_xdp_cidr_filters": {"cidr_prefixes": ["198.51.100.0/24"]},
    "cilium_delete_xdp_cidr_filters": {"cidr_prefixes": ["192.0.2.0/24"]},
    "cilium_fqdn_cache": {"command": "clean"},
    "cilium_set_kv_store_key": {"key": "cilium/state/a", "value": "new"},
    "cilium_delete_key_from_kv_store": {"key": "cilium/state/a"},
    "cilium_update_pcap_recorder": {"recorder_id": 5, "filters": ["10.0.0.0/8 0 10.1.0.0/16 80 TCP"]},
    "cilium_delete_pcap_recorder": {"recorder_id": 5},
    "cilium_update_service": {"id": 5, "frontend": "10.0.0.1:80", "backends": ["10.0.0.2:80"]},
    "cilium_delete_service": {"service_id": 5},
    "cilium_uninstall_cilium": {},
    "helm_uninstall": {"name": "web", "namespace": "default"},
    "helm_upgrade": {"name": "web", "namespace": "default", "chart": str(CHARTS / "web")},
    "helm_rollback": {"name": "web", "namespace": "default", "revision": 1},
    "istio_install_istio": {},
    "istio_delete_waypoint": {"namespace": "default", "names": ["web"]},
}
UNREACHED = {
    "argo_verify_gateway_plugin": "it looks for releases of the plugin on the internet first",
    "helm_repo_add": "it changes nothing outside of the process",
    **dict.fromkeys(
        (
            "cilium_toggle_hubble",
            "cilium_install_cilium",
            "cilium_upgrade_cilium",
            "cilium_connect_to_remote_cluster",
            "cilium_disconnect_remote_cluster",
            "cilium_toggle_cluster_mesh",
        ),
        "it needs Cilium's chart from its repository; the door is that of helm_upgrade",
    ),
}
"""Tools whose change needs more than these backends have, and why."""


def answer_properly(found: World, standin: StandIn) -> None:
    """Let the backend of a cluster's server hold releases, agents of Cilium and programs that work."""
    places = {"default": "web", "kube-system": "cilium"}
    stored = {
        namespace: [_stored(namespace, name, revision) for revision in (1, 2)] for namespace, name in places.items()
    }
    standin.fixed |= {
        "/api/v1/namespaces": {"kind": "NamespaceList", "metadata": {}, "items": []},
        "/api/v1/services": {"kind": "ServiceList", "metadata": {}, "items": []},
        **{
            f"/apis/networking.istio.io/{version}/{plural}": {"kind": "List", "metadata": {}, "items": []}
            for version in ("v1", "v1beta1")
            for plural in ("serviceentries", "workloadentries")
        },
        "/api/v1/pods": {
            "kind": "PodList",
            "metadata": {},
            "items": [_POD],
        },
        "/api/v1/namespaces/kube-system/pods": {
            "columnDefinitions": [{"name": name} for name in _AGENT],
            "rows": [{"cells": list(_AGENT.values())}],
        },
        **{f"/api/v1/namespaces/{place}/secrets": _listed(found) for place, found in stored.items()},
        **{
            f"/api/v1/namespaces/{place}/secrets/{each['metadata']['name']}": each
            for place, found in stored.items()
            for each in found
        },
        "/apis/gateway.networking.k8s.io/v1/namespaces/default/gateways": {
            "kind": "GatewayList",
            "metadata": {},
            "items": [_WAYPOINT],
        },
        "/api/v1/secrets": _listed([each for found in stored.values() for each in found]),
    }
    standin.printed |= PRINTED
    _replace(found.folder / "helm", "v3.19.0+g1234567", json.dumps(_release("web", 3)))
    _replace(found.folder / "istioctl", json.dumps({"clientVersion": {"version": "1.28.0"}}), _CONFIG_MAP)


def _listed(secrets: list[dict[str, Any]]) -> dict[str, Any]:
    return {"kind": "SecretList", "metadata": {}, "items": secrets}


def _release(name: str, revision: int, namespace: str = "default") -> dict[str, Any]:
    chart = {"metadata": {"name": name, "version": "1.0.0"}, "values": {}, "templates": []}
    info = {"status": "deployed" if revision == 2 else "superseded", "last_deployed": "2026-11-01T00:00:00Z"}
    about = {"name": name, "namespace": namespace, "version": revision}
    return {**about, "info": info, "chart": chart, "manifest": _CONFIG_MAP, "config": {}}


def _stored(namespace: str, name: str, revision: int) -> dict[str, Any]:
    body = _release(name, revision, namespace)
    labels = {"owner": "helm", "name": name, "version": str(revision), "status": body["info"]["status"]}
    metadata = {"name": named(name, revision), "namespace": namespace, "labels": labels, "uid": f"{name}-{revision}"}
    data = {"release": base64.b64encode(encoded(body).encode()).decode()}
    return {"apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1", "metadata": metadata, "data": data}


def _replace(program: Path, version: str, printed: str) -> None:
    if program.exists():
        lines = ["#!/bin/sh", f'echo {program.name} "$*" >> "$0.ran"']
        lines += [f"case \"$*\" in version*) echo '{version}'; exit 0;; esac", f"cat <<'END'\n{printed}\nEND\n"]
        program.write_text("\n".join(lines))
