"""Rendering: the example of the contract to the letter, and a case per rule."""

from typing import Any

import pytest
import yaml

from kmcp_controller.render import Surroundings, render
from kmcp_controller.render.pod import volume_name
from kmcp_controller.spec import Platform, parse
from kmcp_runtime.catalog import ServerEntry, Transport
from tests.controller.manifests import ARGS, PLATFORM, manifest, prometheus

NAMES = {"app.kubernetes.io/name": "kmcp-prometheus", "app.kubernetes.io/instance": "kmcp-prometheus"}
LABELS = {**NAMES, "app.kubernetes.io/managed-by": "kmcp", "kmcp-suite/server": "kmcp-prometheus"}
OWNER = {
    "apiVersion": "kagent.dev/v1alpha1",
    "kind": "MCPServer",
    "name": "kmcp-prometheus",
    "uid": "7f0c3f0e-5b0e-4c0e-9a55-0d5d3c1b2a10",
    "controller": True,
    "blockOwnerDeletion": True,
}
HEALTHZ = {"httpGet": {"path": "/healthz", "port": "management"}}
CONTAINER = {
    "name": "mcp-server",
    "image": "registry.example.com/kmcp/kmcp-prometheus:1.4.0",
    "terminationMessagePolicy": "FallbackToLogsOnError",
    "imagePullPolicy": "IfNotPresent",
    "args": ARGS,
    "env": [
        {"name": "PROMETHEUS_URL", "value": "http://prometheus.monitoring:9090"},
        {"name": "PROMETHEUS_TOKEN", "valueFrom": {"secretKeyRef": {"name": "prometheus-auth", "key": "token"}}},
        {"name": "KMCP_TOOLS", "value": "prometheus_query_tool,prometheus_query_range_tool"},
        {"name": "KMCP_MANAGEMENT_PORT", "value": "8081"},
        {"name": "TMPDIR", "value": "/scratch"},
    ],
    "ports": [
        {"name": "http", "containerPort": 8084, "protocol": "TCP"},
        {"name": "management", "containerPort": 8081, "protocol": "TCP"},
    ],
    "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
    "securityContext": {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    },
    "startupProbe": {**HEALTHZ, "periodSeconds": 1, "failureThreshold": 60},
    "readinessProbe": {**HEALTHZ, "periodSeconds": 5, "timeoutSeconds": 2, "failureThreshold": 3},
    "livenessProbe": {**HEALTHZ, "periodSeconds": 20, "timeoutSeconds": 2, "failureThreshold": 3},
    "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
    "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
}
GOLDEN: list[dict[str, Any]] = [
    {"apiVersion": "v1", "kind": "ServiceAccount"},
    {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "spec": {
            "podSelector": {"matchLabels": NAMES},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {
                    "from": [
                        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kagent"}}},
                        {
                            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kmcp-system"}},
                            "podSelector": {"matchLabels": {"app.kubernetes.io/name": "kmcp"}},
                        },
                    ],
                    "ports": [{"port": 8084, "protocol": "TCP"}, {"port": 8081, "protocol": "TCP"}],
                }
            ],
            "egress": [
                {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]},
                {
                    "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
                    "ports": [{"port": 9090, "protocol": "TCP"}],
                },
            ],
        },
    },
    {
        "apiVersion": "v1",
        "kind": "Service",
        "spec": {
            "selector": NAMES,
            "ports": [
                {
                    "name": "http",
                    "protocol": "TCP",
                    "port": 3000,
                    "targetPort": 8084,
                    "appProtocol": "kgateway.dev/mcp",
                }
            ],
        },
    },
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "spec": {
            "selector": {"matchLabels": NAMES},
            "template": {
                "metadata": {"labels": LABELS, "annotations": {"kmcp-suite/refs-hash": "9c41f6b2d07ae583"}},
                "spec": {
                    "serviceAccountName": "kmcp-prometheus",
                    "automountServiceAccountToken": False,
                    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
                    "containers": [CONTAINER],
                    "volumes": [{"name": "scratch", "emptyDir": {}}],
                },
            },
        },
    },
    {
        "apiVersion": "kagent.dev/v1alpha2",
        "kind": "RemoteMCPServer",
        "spec": {
            "description": "Read metrics with PromQL",
            "protocol": "STREAMABLE_HTTP",
            "url": "http://kmcp-prometheus.tools.svc:3000/mcp",
            "timeout": "30s",
            "allowedNamespaces": {"from": "All"},
        },
    },
]


def rendered(body: dict[str, Any], platform: Platform = PLATFORM, **around: Any) -> dict[str, dict[str, Any]]:
    return {each["kind"]: each for each in render(parse(body, platform), platform, Surroundings(**around))}


def pod(body: dict[str, Any], platform: Platform = PLATFORM, **around: Any) -> dict[str, Any]:
    found: dict[str, Any] = rendered(body, platform, **around)["Deployment"]["spec"]["template"]["spec"]
    return found


def container(body: dict[str, Any], **around: Any) -> dict[str, Any]:
    found: dict[str, Any] = pod(body, **around)["containers"][0]
    return found


def test_the_example_of_the_contract() -> None:
    entry = ServerEntry(title="Prometheus", description="Metrics", transport=Transport(port=8084), tools=())
    around = Surroundings(entry=entry, refs_hash="9c41f6b2d07ae583")
    objects = render(parse(prometheus(), PLATFORM), PLATFORM, around)
    hashes = set()
    for each in objects:
        metadata = each.pop("metadata")
        hashes.add(metadata["annotations"].pop("kmcp-suite/spec-hash"))
        assert metadata == {
            "name": "kmcp-prometheus",
            "namespace": "tools",
            "labels": LABELS,
            "annotations": {},
            "ownerReferences": [OWNER],
        }
    assert objects == GOLDEN
    assert len(hashes) == len(objects)
    assert all(len(found) == 16 for found in hashes)


@pytest.mark.parametrize(("env", "withheld"), [({}, True), ({"KMCP_APPROVAL_LEDGER": "lease"}, False)])
def test_a_server_that_notes_approvals_in_the_cluster_has_a_token_for_it(env: dict[str, str], withheld: bool) -> None:
    body = prometheus()
    body["spec"]["deployment"]["env"] = {**body["spec"]["deployment"].get("env", {}), **env}
    entry = ServerEntry(title="Prometheus", description="Metrics", transport=Transport(port=8084), tools=())
    assert ("automountServiceAccountToken" in pod(body, entry=entry)) is withheld


def test_the_same_input_gives_the_same_bytes() -> None:
    first, second = (render(parse(prometheus(), PLATFORM), PLATFORM) for _ in range(2))
    assert yaml.safe_dump(first) == yaml.safe_dump(second)


SUITE = {"image": "registry.example.com/kmcp/kmcp-clock:1"}
FOREIGN = {"image": "example.com/time:1"}
STDIO = {**FOREIGN, "cmd": "time-server", "args": ["--utc"], "env": {"TOKEN": "not-in-a-configmap"}}


def test_agentgateway_runs_a_foreign_command() -> None:
    objects = rendered(manifest(STDIO, "stdio", tools=["get_current_time"]))
    text = objects["ConfigMap"]["data"]["local.yaml"]
    assert "not-in-a-configmap" not in text
    assert yaml.safe_load(text) == yaml.safe_load("""
        config: {}
        binds:
        - port: 3000
          listeners:
          - name: default
            protocol: HTTP
            routes:
            - name: mcp
              matches: [{path: {pathPrefix: /sse}}, {path: {pathPrefix: /mcp}}]
              policies: {mcpAuthorization: {rules: ['mcp.tool.name == "get_current_time"']}}
              backends: [{weight: 100, mcp: {targets: [{name: time, stdio: {cmd: time-server, args: [--utc]}}]}}]
    """)
    template = objects["Deployment"]["spec"]["template"]
    assert len(template["metadata"]["annotations"]["kmcp.kagent.dev/mcpserver-config-hash"]) == 8
    main, init = template["spec"]["containers"][0], template["spec"]["initContainers"][0]
    assert (main["command"], main["args"]) == (["/adapterbin/agentgateway"], ["-f", "/config/local.yaml"])
    assert main["env"] == [{"name": "TOKEN", "value": "not-in-a-configmap"}]
    assert main["readinessProbe"] == {"tcpSocket": {"port": "http"}, "periodSeconds": 5, "failureThreshold": 3}
    assert (init["name"], init["args"]) == ("copy-binary", ["--copy-self", "/adapterbin/agentgateway"])
    assert template["spec"]["securityContext"] == {"seccompProfile": {"type": "RuntimeDefault"}}
    assert main["securityContext"] == {"allowPrivilegeEscalation": False}


@pytest.mark.parametrize(
    ("deployment", "extensions", "image"),
    [
        ({"cmd": "uvx", "args": ["mcp-time"]}, {}, "localhost/kmcp/kmcp-bridge:latest-uv"),
        ({"cmd": "npx"}, {}, "localhost/kmcp/kmcp-bridge:latest-node"),
        ({"cmd": "npx"}, {"stdioAdapter": "agentgateway"}, "node:24-alpine3.21"),
        ({"cmd": "uvx", "initContainer": {"image": "own"}}, {}, "ghcr.io/astral-sh/uv:debian"),
        ({**SUITE, "cmd": "x"}, {}, SUITE["image"]),
    ],
)
def test_images_of_stdio(deployment: dict[str, Any], extensions: dict[str, Any], image: str) -> None:
    assert container(manifest(deployment, "stdio", **extensions))["image"] == image


def test_the_bridge_gets_the_command_as_arguments() -> None:
    found = container(manifest({"cmd": "uvx", "args": ["mcp-time", "--utc"]}, "stdio", tools=["a"]))
    assert found["command"] == ["kmcp-bridge", "--port", "3000", "--", "uvx", "mcp-time", "--utc"]
    assert "args" not in found
    assert {"name": "KMCP_TOOLS", "value": "a"} in found["env"]
    assert found["securityContext"]["readOnlyRootFilesystem"] is True


@pytest.mark.parametrize(
    ("extensions", "around", "expected"),
    [
        ({}, {}, "compatible"),
        ({}, {"restricted_namespace": True}, "restricted"),
        ({"security": "none"}, {"restricted_namespace": True}, "none"),
        ({"security": "restricted"}, {}, "restricted"),
    ],
)
def test_security_levels_of_a_foreign_image(extensions: dict[str, Any], around: dict[str, Any], expected: str) -> None:
    sidecar = {"name": "proxy", "image": "p"}
    found = pod(manifest({**FOREIGN, "sidecars": [sidecar]}, **extensions), **around)
    security = found["containers"][0].get("securityContext")
    assert found.get("securityContext", {}).get("runAsNonRoot", False) == (expected == "restricted")
    assert (
        security
        == {
            "none": None,
            "compatible": {"allowPrivilegeEscalation": False},
            "restricted": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }[expected]
    )
    assert ("securityContext" in found["containers"][1]) == (extensions.get("security") == "restricted")


def test_the_users_security_wins_field_by_field() -> None:
    given = {"securityContext": {"readOnlyRootFilesystem": False}, "podSecurityContext": {"runAsNonRoot": False}}
    found = pod(manifest({**SUITE, **given}))
    assert found["securityContext"] == {"runAsNonRoot": False, "seccompProfile": {"type": "RuntimeDefault"}}
    assert found["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": False,
        "capabilities": {"drop": ["ALL"]},
    }


def test_probes_can_be_replaced_and_removed() -> None:
    mine = {"exec": {"command": ["true"]}}
    found = container(manifest(SUITE, probes={"startup": {}, "liveness": mine}))
    assert "startupProbe" not in found
    assert found["livenessProbe"] == mine
    assert found["readinessProbe"]["httpGet"]["path"] == "/healthz"


def test_replicas_are_owned_only_when_fixed() -> None:
    three = {**FOREIGN, "replicas": 3}
    assert rendered(manifest(three))["Deployment"]["spec"]["replicas"] == 3
    for found in (
        rendered(manifest(FOREIGN)),
        rendered(manifest(three, scaling="external")),
        rendered(manifest(three), autoscaled=True),
    ):
        assert "replicas" not in found["Deployment"]["spec"]


def test_a_server_named_default_leaves_the_namespaces_account_alone() -> None:
    body = manifest(FOREIGN)
    body["metadata"]["name"] = "default"
    objects = rendered(body)
    assert objects["ServiceAccount"]["metadata"]["name"] == "default-mcp"
    assert objects["Deployment"]["spec"]["template"]["spec"]["serviceAccountName"] == "default-mcp"
    assert objects["Deployment"]["metadata"]["name"] == "default"


def test_a_given_service_account_is_used_and_none_created() -> None:
    objects = rendered(manifest({**FOREIGN, "serviceAccountName": "mine"}))
    assert "ServiceAccount" not in objects
    assert objects["Deployment"]["spec"]["template"]["spec"]["serviceAccountName"] == "mine"


def test_references_become_env_and_volumes() -> None:
    long = "a.b" + "c" * 70
    references = {"secretRefs": [{"name": "s"}, {"name": ""}], "configMapRefs": [{"name": "plain"}, {"name": long}]}
    found = pod(manifest({**FOREIGN, **references}))
    assert found["containers"][0]["envFrom"] == [{"secretRef": {"name": "s"}}]
    assert found["volumes"][0] == {"name": "cm-plain", "configMap": {"name": "plain"}}
    mounts = found["containers"][0]["volumeMounts"]
    assert mounts[0] == {"name": "cm-plain", "mountPath": "/configmaps/plain", "readOnly": True}
    assert volume_name(long).startswith("cm-a-bccc")
    assert len(volume_name(long)) == 49


def test_another_path_and_many_gateways_shape_the_service() -> None:
    body = manifest(FOREIGN)
    body["spec"]["httpTransport"] = {"path": "/other", "tls": {"secretRef": "t"}}
    annotations = rendered(body)["Service"]["metadata"]["annotations"]
    assert annotations["agentgateway.dev/mcp-path"] == "/other"
    assert parse(body, PLATFORM).url == "https://time.tools.svc:3000/other"
    many = rendered(manifest({**STDIO, "replicas": 2}, "stdio"))["Service"]["spec"]
    assert many["sessionAffinity"] == "ClientIP"


def test_management_moves_away_from_the_servers_own_port() -> None:
    found = container(manifest({**SUITE, "port": 8081}))
    assert [port["containerPort"] for port in found["ports"]] == [8081, 8082]
    assert {"name": "KMCP_MANAGEMENT_PORT", "value": "8082"} in found["env"]


def test_update_strategy_and_grace_period() -> None:
    spec = rendered(manifest(FOREIGN, updateStrategy={"type": "Recreate", "gracePeriodSeconds": 5}))["Deployment"][
        "spec"
    ]
    assert spec["strategy"] == {"type": "Recreate"}
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] == 5


@pytest.mark.parametrize(("grace", "seconds"), [(None, 5), (60, 5), (5, 2), (1, None), (0, None)])
def test_a_pod_serves_on_while_nodes_learn_that_it_leaves(grace: int | None, seconds: int | None) -> None:
    """The API refuses a sleep as long as the grace period, and half of that is for the end itself."""
    given = manifest(FOREIGN) if grace is None else manifest(FOREIGN, updateStrategy={"gracePeriodSeconds": grace})
    found = container(given)
    assert found.get("lifecycle") == (seconds and {"preStop": {"sleep": {"seconds": seconds}}})


def test_block_gates_the_pods_and_keeps_old_ones() -> None:
    body = manifest(FOREIGN, updateStrategy={"rollingUpdate": {"maxUnavailable": 1, "maxSurge": 2}})
    body["metadata"]["annotations"] = {"kmcp-suite/pin": "block"}
    spec = rendered(body, Platform(allow_block=True))["Deployment"]["spec"]
    assert spec["template"]["spec"]["readinessGates"] == [{"conditionType": "kmcp-suite/catalog-matched"}]
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 2}}
    body["metadata"]["annotations"] = {"kmcp-suite/pin": "warn"}
    spec = rendered(body, Platform(allow_block=True))["Deployment"]["spec"]
    assert "readinessGates" not in spec["template"]["spec"]


def test_headers_go_to_the_remote_server_as_they_are() -> None:
    source = {"type": "Secret", "name": "token", "key": "header"}
    headers = [{"name": "Authorization", "valueFrom": source}, {"name": "X-Team", "value": "a"}]
    found = rendered(manifest(FOREIGN, remote={"enabled": True}, headersFrom=headers))["RemoteMCPServer"]
    assert found["spec"]["headersFrom"] == headers


def test_a_users_value_of_our_variables_wins() -> None:
    found = container(manifest({**SUITE, "env": {"TMPDIR": "/mine"}}, readOnly=True))
    assert [entry for entry in found["env"] if entry["name"] == "TMPDIR"] == [{"name": "TMPDIR", "value": "/mine"}]
    assert {"name": "KMCP_READ_ONLY", "value": "true"} in found["env"]


@pytest.mark.parametrize(
    ("setting", "asked", "present"),
    [
        ("never", True, False),
        ("requested", False, False),
        ("requested", True, True),
        ("always", False, True),
    ],
)
def test_remote_mcp_servers(setting: Any, asked: bool, present: bool) -> None:
    platform = Platform(remote=setting)
    body = manifest(FOREIGN, remote={"enabled": asked})
    assert ("RemoteMCPServer" in rendered(body, platform)) == present
    assert "RemoteMCPServer" not in rendered(body, platform, remote_served=False)
