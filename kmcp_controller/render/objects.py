"""The objects of one MCPServer, in the order in which they are applied."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kmcp_controller.spec import MCPServer, Platform, adapter_of, is_suite_image
from kmcp_controller.spec.model import API_VERSION, KIND, OURS, Adapter
from kmcp_runtime.catalog import ServerEntry, digest

from .pod import Workload, gateway_config, pod_template
from .roles import roles

Manifest = dict[str, Any]
SPEC_HASH = OURS + "spec-hash"
# Whoever limits egress still needs names; both, since long answers of DNS come over TCP.
_DNS = {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}


@dataclass(frozen=True)
class Surroundings:
    """What rendering needs to know about the world around one MCPServer."""

    entry: ServerEntry | None = None  # the suite's own server in the catalog
    refs_hash: str | None = None  # over the Secrets and ConfigMaps the pod reads
    restricted_namespace: bool = False
    autoscaled: bool = False
    remote_served: bool = True  # the kind RemoteMCPServer exists


def render(server: MCPServer, platform: Platform, around: Surroundings | None = None) -> list[Manifest]:
    around = around or Surroundings()
    workload = _workload(server, platform, around)
    account = server.deployment.service_account_name or account_name(server)
    objects = [
        _service_account(server),
        *roles(server, platform, around.entry, account),
        _config_map(server, workload),
        _network_policy(server, workload, platform),
        _service(server, workload, platform),
        _deployment(server, workload, around),
        _remote(server, platform, around),
    ]
    return [_finish(server, each) for each in objects if each]


def pod(server: MCPServer, platform: Platform) -> Manifest:
    """The pod's spec alone, wherever it is to run."""
    spec: Manifest = pod_template(_workload(server, platform, Surroundings()), None)["spec"]
    return spec


def _workload(server: MCPServer, platform: Platform, around: Surroundings) -> Workload:
    suite = is_suite_image(server.deployment.image, platform)
    adapter: Adapter = adapter_of(server.transport, server.deployment, server.extensions.stdio_adapter, platform)
    level = server.extensions.security
    if level == "auto":
        ours = (suite and adapter != "agentgateway") or adapter == "bridge"
        level = "restricted" if ours or around.restricted_namespace else "compatible"
    # Whatever its backend is, it may note used approvals in the cluster, and ask it who calls.
    given = server.deployment.env
    asks = given.get("KMCP_APPROVAL_LEDGER") == "lease" or "KMCP_TOKEN_REVIEW" in given
    needs_no_api = suite and around.entry is not None and not around.entry.needs and not asks
    return Workload(server, platform, adapter, suite, level, needs_no_api)


def _service_account(server: MCPServer) -> Manifest | None:
    if server.deployment.service_account_name:
        return None
    given = server.deployment.service_account
    metadata = {"labels": given.labels, "annotations": given.annotations} if given else {}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


def _config_map(server: MCPServer, workload: Workload) -> Manifest | None:
    if workload.adapter != "agentgateway":
        return None
    return {"apiVersion": "v1", "kind": "ConfigMap", "data": {"local.yaml": gateway_config(server)}}


def _network_policy(server: MCPServer, workload: Workload, platform: Platform) -> Manifest | None:
    network = server.extensions.network
    if not network:
        return None
    spec: Manifest = {"podSelector": {"matchLabels": _selector(server)}, "policyTypes": []}
    if network.ingress_from is not None:
        controller = {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": platform.namespace}},
            "podSelector": {"matchLabels": dict(platform.labels)},
        }
        ports = [port for port in (server.target_port, workload.management_port) if port]
        spec["policyTypes"].append("Ingress")
        spec["ingress"] = [
            {
                "from": [*network.ingress_from, controller],
                "ports": [{"port": port, "protocol": "TCP"} for port in ports],
            }
        ]
    if network.egress_to is not None:
        spec["policyTypes"].append("Egress")
        spec["egress"] = [_DNS, *(_egress(rule) for rule in network.egress_to)]
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "spec": spec}


def _egress(rule: Mapping[str, Any]) -> Manifest:
    ports = [{**port, "protocol": port.get("protocol", "TCP")} for port in rule.get("ports", ())]
    return {**rule, **({"ports": ports} if ports else {})}


def _service(server: MCPServer, workload: Workload, platform: Platform) -> Manifest:
    port: Manifest = {"name": "http", "protocol": "TCP", "port": server.port, "targetPort": server.target_port}
    if platform.app_protocol:  # by which kgateway routes MCP; other meshes may refuse what they do not know
        port["appProtocol"] = platform.app_protocol
    spec: Manifest = {"selector": _selector(server), "ports": [port]}
    if workload.adapter == "agentgateway" and (server.deployment.replicas or 1) > 1:
        spec["sessionAffinity"] = "ClientIP"  # one of its sessions lives in one pod
    annotations = {"agentgateway.dev/mcp-path": server.path} if server.path != "/mcp" else {}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"annotations": annotations}, "spec": spec}


def _deployment(server: MCPServer, workload: Workload, around: Surroundings) -> Manifest:
    template = pod_template(workload, around.refs_hash)
    template["metadata"]["labels"] = {**server.deployment.labels, **_labels(server)}
    spec: Manifest = {"selector": {"matchLabels": _selector(server)}, "template": template}
    fixed = server.extensions.scaling == "fixed" and not around.autoscaled
    if server.deployment.replicas is not None and fixed:
        spec["replicas"] = server.deployment.replicas
    if server.extensions.update_strategy:
        strategy = server.extensions.update_strategy.model_dump(by_alias=True, exclude_none=True)
        grace = strategy.pop("gracePeriodSeconds", None)
        if grace is not None:
            template["spec"]["terminationGracePeriodSeconds"] = grace
        if strategy:
            spec["strategy"] = strategy
    if server.blocks:  # old pods go on until new ones are matched
        given = spec.get("strategy", {}).get("rollingUpdate") or {}
        spec["strategy"] = {"type": "RollingUpdate", "rollingUpdate": {**given, "maxUnavailable": 0}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "spec": spec}


def _remote(server: MCPServer, platform: Platform, around: Surroundings) -> Manifest | None:
    remote = server.extensions.remote
    asked = platform.remote == "always" or (platform.remote == "requested" and remote.enabled)
    if not asked or not around.remote_served:
        return None
    spec: Manifest = {
        "description": remote.description or f"Tools of {server.name}",
        "protocol": "STREAMABLE_HTTP",
        "url": server.url,
        "timeout": server.timeout_text,
    }
    if server.extensions.headers_from:
        headers = server.extensions.headers_from
        spec["headersFrom"] = [each.model_dump(by_alias=True, exclude_none=True) for each in headers]
    if server.transport == "http" and server.http.tls:
        spec["tls"] = server.http.tls.model_dump(by_alias=True, exclude_none=True)
    if remote.allowed_namespaces:
        spec["allowedNamespaces"] = remote.allowed_namespaces
    return {"apiVersion": "kagent.dev/v1alpha2", "kind": "RemoteMCPServer", "spec": spec}


def _selector(server: MCPServer) -> dict[str, str]:
    return {"app.kubernetes.io/name": server.name, "app.kubernetes.io/instance": server.name}


def _labels(server: MCPServer) -> dict[str, str]:
    return {**_selector(server), "app.kubernetes.io/managed-by": "kmcp", OURS + "server": server.name}


def _finish(server: MCPServer, manifest: Manifest) -> Manifest:
    """Identity, owner, and the hash over everything else."""
    given = manifest.get("metadata", {})
    account = manifest["kind"] == "ServiceAccount"
    metadata: Manifest = {
        "name": account_name(server) if account else server.name,
        "namespace": server.namespace,
        "labels": {**given.get("labels", {}), **_labels(server)},
        "annotations": dict(given.get("annotations", {})),
    }
    if server.uid:
        owner = {"apiVersion": API_VERSION, "kind": KIND, "name": server.name, "uid": server.uid}
        metadata["ownerReferences"] = [{**owner, "controller": True, "blockOwnerDeletion": True}]
    finished = {"apiVersion": manifest["apiVersion"], "kind": manifest["kind"], "metadata": metadata}
    finished |= {key: value for key, value in manifest.items() if key not in finished}
    # Over everything but itself: who compares hashes need not compare objects that the API server has defaulted.
    metadata["annotations"][SPEC_HASH] = digest(finished).removeprefix("sha256:")[:16]
    return finished


def account_name(server: MCPServer) -> str:
    """Of the ServiceAccount; every namespace has one named `default`, which is not ours."""
    return "default-mcp" if server.name == "default" else server.name
