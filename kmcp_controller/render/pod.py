"""The pod of one MCPServer: containers, adapters, security, probes."""

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kmcp_controller.spec import MCPServer, Platform, variant
from kmcp_controller.spec.model import OURS, Adapter
from kmcp_runtime import yaml_text

Manifest = dict[str, Any]
GATE = OURS + "catalog-matched"  # of pods pinned with `block`: a condition that the controller sets
_LEAVING_SECONDS, _GRACE_SECONDS = 5, 30  # the second is the API's default
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUFFIX = {"uvx": "-uv", "npx": "-node"}
_HEALTHZ = {"httpGet": {"path": "/healthz", "port": "management"}}
_HANDSHAKE = "KMCP_BRIDGE_HANDSHAKE"
HANDSHAKE_SECONDS, _LONGEST_HANDSHAKE, _SPARE_SECONDS = 120, 86_400, 30
_SUITE_PROBES: dict[str, Manifest] = {
    "startup": {**_HEALTHZ, "periodSeconds": 1, "failureThreshold": 60},
    "readiness": {**_HEALTHZ, "periodSeconds": 5, "timeoutSeconds": 2, "failureThreshold": 3},
    "liveness": {**_HEALTHZ, "periodSeconds": 20, "timeoutSeconds": 2, "failureThreshold": 3},
}
_FOREIGN_PROBES: dict[str, Manifest] = {
    "readiness": {"tcpSocket": {"port": "http"}, "periodSeconds": 5, "failureThreshold": 3}
}


@dataclass(frozen=True)
class Workload:
    """A server and what was decided about how it runs."""

    server: MCPServer
    platform: Platform
    adapter: Adapter
    suite: bool  # the image is one of the suite's
    level: str  # restricted, compatible or none
    needs_no_api: bool

    @property
    def ours(self) -> bool:
        """The process in the container is the suite's, so it has a management port and needs no writable root."""
        return self.adapter == "bridge" or (self.suite and self.adapter == "none")

    @property
    def management_port(self) -> int | None:
        if not self.ours:
            return None
        # The server's own port wins: upstream's manifests may already use 8081.
        return 8082 if 8081 in (self.server.port, self.server.target_port) else 8081

    @property
    def scratch(self) -> bool:
        return self.ours and self.level == "restricted"


def pod_template(workload: Workload, refs_hash: str | None) -> Manifest:
    deployment = workload.server.deployment
    annotations = dict(deployment.annotations)
    if workload.adapter == "agentgateway":
        config = gateway_config(workload.server)
        annotations["kmcp.kagent.dev/mcpserver-config-hash"] = hashlib.sha256(config.encode()).hexdigest()[:8]
    if refs_hash:
        annotations[OURS + "refs-hash"] = refs_hash
    return {"metadata": {"annotations": annotations}, "spec": _pod_spec(workload)}


def _pod_spec(workload: Workload) -> Manifest:
    deployment = workload.server.deployment
    account = "default-mcp" if workload.server.name == "default" else workload.server.name
    spec: Manifest = {"serviceAccountName": deployment.service_account_name or account}
    if workload.needs_no_api:  # a token that nobody uses is one that can only be stolen
        spec["automountServiceAccountToken"] = False
    security = {**_pod_security(workload.level), **deployment.pod_security_context}
    if workload.adapter == "agentgateway":
        spec["initContainers"] = [_copy_binary(workload)]
    spec["containers"] = [_container(workload), *(_sidecar(workload, each) for each in deployment.sidecars)]
    optional = {
        "securityContext": security,
        "volumes": _volumes(workload),
        "readinessGates": [{"conditionType": GATE}] if workload.server.blocks else [],
        "tolerations": list(deployment.tolerations),
        "affinity": deployment.affinity,
        "nodeSelector": deployment.node_selector,
        "imagePullSecrets": [{"name": each.name} for each in deployment.image_pull_secrets],
    }
    return spec | {key: value for key, value in optional.items() if value}


def _container(workload: Workload) -> Manifest:
    server, deployment = workload.server, workload.server.deployment
    ports = [{"name": "http", "containerPort": server.target_port, "protocol": "TCP"}]
    if workload.management_port:
        ports.append({"name": "management", "containerPort": workload.management_port, "protocol": "TCP"})
    # A program that writes no message of its own leaves its last lines: what the condition Ready then shows.
    container: Manifest = {
        "name": "mcp-server",
        "image": image_of(workload),
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    optional = {
        "imagePullPolicy": deployment.image_pull_policy,
        **_command(workload),
        "env": _env(workload),
        "envFrom": [{"secretRef": {"name": each.name}} for each in deployment.secret_refs if each.name],
        "ports": ports,
        "resources": deployment.resources,
        "securityContext": {**_container_security(workload, workload.ours), **deployment.security_context},
        **_probes(workload),
        "lifecycle": _lifecycle(workload.server),
        "volumeMounts": _mounts(workload),
    }
    return container | {key: value for key, value in optional.items() if value}


def image_of(workload: Workload) -> str:
    deployment, platform = workload.server.deployment, workload.platform
    if deployment.image:
        return deployment.image
    if workload.adapter == "bridge":
        return variant(platform.bridge_image, _SUFFIX.get(deployment.cmd, ""))
    return platform.default_images[deployment.cmd]


def _command(workload: Workload) -> Manifest:
    server, deployment = workload.server, workload.server.deployment
    if workload.adapter == "agentgateway":
        return {"command": ["/adapterbin/agentgateway"], "args": ["-f", "/config/local.yaml"]}
    if workload.adapter == "bridge":
        bridge = ["kmcp-bridge", "--port", str(server.port), "--"]
        return {"command": [*bridge, deployment.cmd, *deployment.args]}
    return {"command": [deployment.cmd] if deployment.cmd else [], "args": list(deployment.args)}


def _env(workload: Workload) -> list[Manifest]:
    server = workload.server
    env: list[Manifest] = [{"name": name, "value": value} for name, value in sorted(server.deployment.env.items())]
    env += [each.model_dump(by_alias=True, exclude_none=True) for each in server.extensions.env]
    given = {each["name"] for each in env}
    return env + [{"name": name, "value": value} for name, value in _our_env(workload).items() if name not in given]


def _our_env(workload: Workload) -> dict[str, str]:
    if not workload.ours:
        return {}
    extensions = workload.server.extensions
    # A comma alone is a list of none; nothing at all would be all of them.
    env = {"KMCP_TOOLS": ",".join(extensions.tools) or ","} if extensions.tools is not None else {}
    if extensions.read_only:
        env["KMCP_READ_ONLY"] = "true"
    env["KMCP_MANAGEMENT_PORT"] = str(workload.management_port)
    return env | ({"TMPDIR": "/scratch"} if workload.scratch else {})


def _probes(workload: Workload) -> dict[str, Manifest]:
    probes = _SUITE_PROBES if workload.ours else _FOREIGN_PROBES
    if workload.adapter == "bridge":
        # A start that the bridge waits for must not be ended from outside: it would begin again for ever.
        patience = math.ceil(_handshake_seconds(workload.server)) + _SPARE_SECONDS
        probes = {**probes, "startup": {**probes["startup"], "failureThreshold": patience}}
    given = workload.server.extensions.probes.model_dump(exclude_none=True)
    return {f"{kind}Probe": probe for kind, probe in {**probes, **given}.items()}


def _handshake_seconds(server: MCPServer) -> float:
    """What the bridge allows for the first answer of its process: its default, or what the manifest sets."""
    given = [each.value for each in server.extensions.env if each.name == _HANDSHAKE and each.value]
    try:
        seconds = float(server.deployment.env.get(_HANDSHAKE) or (given[-1] if given else HANDSHAKE_SECONDS))
    except ValueError:  # which the bridge refuses itself, in its log
        return HANDSHAKE_SECONDS
    return seconds if 0 < seconds < _LONGEST_HANDSHAKE else HANDSHAKE_SECONDS


def _lifecycle(server: MCPServer) -> Manifest:
    """Nodes learn a moment late that a pod leaves its Service: until then it goes on serving."""
    strategy = server.extensions.update_strategy
    grace = strategy.grace_period_seconds if strategy else None
    seconds = min(_LEAVING_SECONDS, (_GRACE_SECONDS if grace is None else grace) // 2)
    return {"preStop": {"sleep": {"seconds": seconds}}} if seconds else {}


def _pod_security(level: str) -> Manifest:
    profile: Manifest = {} if level == "none" else {"seccompProfile": {"type": "RuntimeDefault"}}
    return {"runAsNonRoot": True, **profile} if level == "restricted" else profile


def _container_security(workload: Workload, read_only: bool) -> Manifest:
    if workload.level == "none":
        return {}
    security: Manifest = {"allowPrivilegeEscalation": False}
    if workload.level == "restricted":
        security["capabilities"] = {"drop": ["ALL"]}
        if read_only:
            security["readOnlyRootFilesystem"] = True
    return security


def _sidecar(workload: Workload, sidecar: Mapping[str, Any]) -> Manifest:
    """As given; only an explicit `restricted` reaches the user's own containers."""
    if workload.server.extensions.security != "restricted":
        return dict(sidecar)
    security = {**_container_security(workload, False), **sidecar.get("securityContext", {})}
    return {**sidecar, "securityContext": security}


def _copy_binary(workload: Workload) -> Manifest:
    deployment = workload.server.deployment
    given = deployment.init_container
    values = given.model_dump(by_alias=True, exclude_none=True) if given else {}
    # What the user sets for the server holds for what comes with it, too: a namespace may admit nothing else.
    own = values.get("securityContext") or deployment.security_context
    security = {**_container_security(workload, False), **own}
    container = {
        "name": "copy-binary",
        "image": values.get("image") or workload.platform.adapter_image,
        "imagePullPolicy": values.get("imagePullPolicy", "IfNotPresent"),
        "args": ["--copy-self", "/adapterbin/agentgateway"],
        "resources": values.get("resources"),
        "securityContext": security,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{"name": "binary", "mountPath": "/adapterbin"}],
    }
    return {key: value for key, value in container.items() if value}


def _volumes(workload: Workload) -> list[Manifest]:
    deployment, volumes = workload.server.deployment, list[Manifest]()
    if workload.adapter == "agentgateway":
        volumes += [{"name": "config", "configMap": {"name": workload.server.name}}, {"name": "binary", "emptyDir": {}}]
    if workload.scratch:
        volumes.append({"name": "scratch", "emptyDir": {}})
    references = [each.name for each in deployment.config_map_refs if each.name]
    volumes += [{"name": volume_name(name), "configMap": {"name": name}} for name in references]
    return volumes + list(deployment.volumes)


def _mounts(workload: Workload) -> list[Manifest]:
    deployment, mounts = workload.server.deployment, list[Manifest]()
    if workload.adapter == "agentgateway":
        mounts += [{"name": "config", "mountPath": "/config"}, {"name": "binary", "mountPath": "/adapterbin"}]
    if workload.scratch:
        mounts.append({"name": "scratch", "mountPath": "/scratch"})
    for name in (each.name for each in deployment.config_map_refs if each.name):
        mounts.append({"name": volume_name(name), "mountPath": f"/configmaps/{name}", "readOnly": True})
    return mounts + list(deployment.volume_mounts)


def volume_name(config_map: str) -> str:
    """A DNS label for a ConfigMap's volume, whatever the ConfigMap is called."""
    name = f"cm-{config_map}"
    if len(name) <= 63 and _LABEL.fullmatch(name):
        return name
    return re.sub(r"[^-a-z0-9]", "-", name[:40]) + "-" + hashlib.sha256(config_map.encode()).hexdigest()[:8]


def gateway_config(server: MCPServer) -> str:
    """agentgateway's `local.yaml`: one listener, one stdio target. Never with env: its children inherit that."""
    stdio: Manifest = {"cmd": server.deployment.cmd}
    if server.deployment.args:
        stdio["args"] = list(server.deployment.args)
    route: Manifest = {
        "name": "mcp",
        "matches": [{"path": {"pathPrefix": "/sse"}}, {"path": {"pathPrefix": "/mcp"}}],
    }
    if server.extensions.tools is not None:
        # No rule at all would let everything pass.
        rules = [f'mcp.tool.name == "{name}"' for name in server.extensions.tools] or ["false"]
        route["policies"] = {"mcpAuthorization": {"rules": rules}}
    route["backends"] = [{"weight": 100, "mcp": {"targets": [{"name": server.name, "stdio": stdio}]}}]
    listener = {"name": "default", "protocol": "HTTP", "routes": [route]}
    config = {"config": {}, "binds": [{"port": server.port, "listeners": [listener]}]}
    return yaml_text.write(config)
