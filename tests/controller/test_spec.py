"""Parsing a manifest: defaults, and every fault at once with its path and the next step."""

import copy
from typing import Any

import pytest

from kmcp_controller.spec import Platform, RefusedError, adapter_of, is_suite_image, parse, repository
from tests.controller.manifests import PLATFORM, manifest, prometheus

FOREIGN = {"image": "example.com/time:1"}
SUITE = {"image": "registry.example.com/kmcp/kmcp-clock:1"}
STDIO = {"image": "example.com/time:1", "cmd": "time-server"}


def refused(body: dict[str, Any]) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        parse(body, PLATFORM)
    return caught.value


def test_the_example_is_accepted_with_its_defaults() -> None:
    server = parse(prometheus(), PLATFORM)
    assert (server.port, server.target_port, server.path, server.timeout) == (3000, 8084, "/mcp", 30)
    assert server.url == "http://kmcp-prometheus.tools.svc:3000/mcp"
    assert server.extensions.tools == ("prometheus_query_tool", "prometheus_query_range_tool")
    assert server.extensions_hash is not None
    assert server.extensions_hash.startswith("sha256:")
    assert server.deployment.image_pull_policy == "IfNotPresent"


def test_target_port_follows_port() -> None:
    for given in (None, 0):
        body = manifest({**FOREIGN, "port": 8000})
        body["spec"]["httpTransport"] = {"targetPort": given} if given is not None else {}
        assert parse(body, PLATFORM).target_port == 8000
    stdio = manifest(STDIO, "stdio")
    stdio["spec"]["httpTransport"] = {"targetPort": 9, "path": "/other"}
    assert (parse(stdio, PLATFORM).target_port, parse(stdio, PLATFORM).path) == (3000, "/mcp")


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("1m30s", 90), ("1.5m", 90), ("1500ms", 1.5), ("10m", 600)])
def test_durations(text: str, seconds: float) -> None:
    body = manifest(FOREIGN)
    body["spec"]["timeout"] = text
    assert parse(body, PLATFORM).timeout == seconds


def test_both_carriers_of_extensions_may_be_equal() -> None:
    body = manifest(FOREIGN, scaling="external")
    body["metadata"]["annotations"] = {"kmcp-suite/extensions": '{"scaling": "external"}'}
    assert parse(body, PLATFORM).extensions.scaling == "external"
    body["metadata"]["annotations"] = {"kmcp-suite/extensions": "scaling: fixed"}
    assert "differs from spec.extensions" in str(refused(body))


def http(**transport: Any) -> dict[str, Any]:
    body = manifest(FOREIGN)
    body["spec"]["httpTransport"] = transport
    return body


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("no image", manifest({}), "spec.deployment.image: is required unless cmd is uvx or npx"),
    ("no command", manifest(FOREIGN, "stdio"), "spec.deployment.cmd: is required for stdio"),
    ("no transport", manifest(FOREIGN, None), "spec.transportType: is required, it is never guessed; write stdio or"),
    ("other transport", manifest(FOREIGN, "sse"), "spec.transportType: is 'sse'; write stdio or http"),
    ("port 0", manifest({**FOREIGN, "port": 0}), "spec.deployment.port: is 0; write 1 to 65535"),
    ("port -1", manifest({**FOREIGN, "port": -1}), "spec.deployment.port: is -1"),
    ("port 70000", manifest({**FOREIGN, "port": 70000}), "spec.deployment.port: is 70000"),
    (
        "port text",
        manifest({**FOREIGN, "port": "80"}),
        "spec.deployment.port: must be a whole number; write it",
    ),
    ("env number", manifest({**FOREIGN, "env": {"A": 1}}), "spec.deployment.env.A: must be text; put it in quotes"),
    ("unknown key", manifest({**FOREIGN, "imge": "x"}), 'spec.deployment.imge: unknown key; did you mean "image"?'),
    ("pull policy", manifest({**FOREIGN, "imagePullPolicy": "Sometimes"}), "is not one of 'Always'"),
    (
        "two accounts",
        manifest({**FOREIGN, "serviceAccount": {}, "serviceAccountName": "x"}),
        "serviceAccountName: is set together with serviceAccount; keep one",
    ),
    ("replicas", manifest({**FOREIGN, "replicas": -1}), "spec.deployment.replicas: is -1; write 0 or more"),
    ("our volume", manifest({**FOREIGN, "volumes": [{"name": "config"}]}), "volumes: config is reserved; rename"),
    ("cm volume", manifest({**FOREIGN, "volumes": [{"name": "cm-a"}]}), "volumes: cm-a is reserved; rename it"),
    ("sidecar", manifest({**FOREIGN, "sidecars": [{"name": "mcp-server"}]}), "sidecars: mcp-server is reserved"),
    ("nameless", manifest({**FOREIGN, "sidecars": [{}]}), "sidecars: one has no name; name it"),
    (
        "selector",
        manifest({**FOREIGN, "labels": {"app.kubernetes.io/name": "x"}}),
        "labels: changes app.kubernetes.io/name, by which the pods are selected",
    ),
    (
        "foreign tools",
        manifest(FOREIGN, tools=["a"]),
        "spec.extensions.tools: cannot be enforced on an image that is not the suite's",
    ),
    (
        "foreign read-only",
        manifest(FOREIGN, readOnly=True),
        "extensions.readOnly: cannot be enforced on an image that is not the suite",
    ),
    (
        "read-only behind agentgateway",
        manifest({**SUITE, "cmd": "x"}, "stdio", readOnly=True, stdioAdapter="agentgateway"),
        "extensions.readOnly: cannot be enforced by agentgateway",
    ),
    ("extension key", manifest(FOREIGN, tool=["a"]), 'spec.extensions.tool: unknown key; did you mean "tools"?'),
    ("extension type", manifest(FOREIGN, tools="a"), "spec.extensions.tools: must be a list; write [a, b]"),
    ("network", manifest(FOREIGN, network={}), "spec.extensions.network: would forbid all traffic"),
    (
        "foreign rbac",
        manifest(FOREIGN, rbac="derive"),
        "spec.extensions.rbac: needs an image of the suite, whose needs are known",
    ),
    (
        "rbac",
        manifest({"image": "registry.example.com/kmcp/kmcp-helm:1"}, rbac="derive"),
        "spec.extensions.rbac: derive is not allowed on this platform; write none, or set rbac.serverRoles",
    ),
    (
        "env twice",
        manifest({**FOREIGN, "env": {"A": "1"}}, env=[{"name": "A", "value": "2"}]),
        "spec.extensions.env: A is also set in deployment.env; keep one",
    ),
    ("env without value", manifest(FOREIGN, env=[{"name": "A"}]), "needs exactly one of value and valueFrom"),
    (
        "env twice in the block",
        manifest(FOREIGN, env=[{"name": "A", "value": "1"}] * 2),
        "env: A is listed twice; keep one",
    ),
    ("sidecar twice", manifest({**FOREIGN, "sidecars": [{"name": "a"}] * 2}), "sidecars: a is used twice; rename one"),
    ("header", manifest(FOREIGN, headersFrom=[{"name": "a b", "value": "x"}]), "is 'a b'; write a valid header name"),
    ("no cmd", manifest(FOREIGN, "stdio"), "spec.deployment.cmd: is required for stdio; write the command"),
    ("target port", http(targetPort=70000), "spec.httpTransport.targetPort: is 70000; write 1 to 65535"),
    ("path", http(path="tools"), "spec.httpTransport.path: does not start with /; write /tools"),
    (
        "refs twice",
        manifest({**FOREIGN, "configMapRefs": [{"name": "a"}] * 2}),
        "configMapRefs: a is listed twice; keep one",
    ),
]


@pytest.mark.parametrize(("body", "expected"), [pytest.param(body, text, id=name) for name, body, text in BAD])
def test_bad_manifests_name_all_faults(body: dict[str, Any], expected: str) -> None:
    error = refused(body)
    assert expected in str(error)
    assert all("; " in fault.text or "?" in fault.text for fault in error.faults)
    assert error.reason == ("UnsupportedTransport" if "transportType" in expected else "InvalidConfig")


def test_all_faults_come_at_once() -> None:
    body = manifest({"port": 0, "replicas": -1}, tools=["a"], scaling="sometimes")
    body["metadata"]["name"] = "a.b"
    body["metadata"]["annotations"] = {"kmcp-suite/pin": "hard"}
    body["spec"]["timeout"] = "11m"
    paths = [".".join(map(str, fault.path)) for fault in refused(body).faults]
    assert paths == [
        "metadata.name",
        "spec.extensions.scaling",
        "spec.timeout",
        "spec.deployment.port",
        "spec.deployment.image",
        "spec.deployment.replicas",
        "metadata.annotations.kmcp-suite/pin",
    ]


@pytest.mark.parametrize("name", ["a.b", "A", "-a", "a" * 64, "", None])
def test_names_that_cannot_be_a_service(name: str | None) -> None:
    body = manifest(FOREIGN)
    body["metadata"]["name"] = name
    assert "becomes a Service name and a label value" in str(refused(body))


def test_block_pinning_needs_the_platform() -> None:
    body = prometheus()
    body["metadata"]["annotations"]["kmcp-suite/pin"] = "block"
    assert "catalog.pinning.allowBlock" in str(refused(body))
    allowed = Platform(suite_images=PLATFORM.suite_images, allow_block=True)
    assert parse(body, allowed).annotations["kmcp-suite/pin"] == "block"
    recreated = manifest(FOREIGN, updateStrategy={"type": "Recreate"})
    recreated["metadata"]["annotations"] = {"kmcp-suite/pin": "block"}
    with pytest.raises(RefusedError, match="updateStrategy Recreate ends them"):
        parse(recreated, allowed)


def test_a_bad_annotation_names_the_annotation() -> None:
    body = prometheus()
    body["metadata"]["annotations"]["kmcp-suite/extensions"] = "tools: [a\n"
    assert "metadata.annotations.kmcp-suite/extensions: " in str(refused(body))
    body["metadata"]["annotations"]["kmcp-suite/extensions"] = "- tools"
    assert "metadata.annotations.kmcp-suite/extensions: must be a mapping" in str(refused(body))


def test_another_kind_and_fields_of_stdio() -> None:
    assert "is not MCPServer of kagent.dev/v1alpha1" in str(refused({**manifest(FOREIGN), "kind": "Deployment"}))
    body = manifest(STDIO, "stdio")
    body["spec"]["stdioTransport"] = {"cmd": "x"}
    assert "spec.stdioTransport: takes no fields; write {}" in str(refused(body))


def test_images_of_the_suite() -> None:
    assert repository("host:5000/a/b:1@sha256:abc") == "host:5000/a/b"
    assert repository("host:5000/a/b") == "host:5000/a/b"
    base = "registry.example.com/kmcp"
    assert all(is_suite_image(image, PLATFORM) for image in (base, f"{base}:1", f"{base}/x:1", f"{base}-x@sha256:1"))
    assert not any(is_suite_image(image, PLATFORM) for image in ("", f"{base}x", "other/kmcp", f"evil/{base}"))


@pytest.mark.parametrize(
    ("deployment", "choice", "adapter"),
    [
        (STDIO, None, "agentgateway"),
        (STDIO, "bridge", "bridge"),
        ({**SUITE, "cmd": "x"}, None, "bridge"),
        ({**SUITE, "cmd": "x", "initContainer": {"image": "own"}}, None, "agentgateway"),
        ({"cmd": "uvx"}, None, "bridge"),
        ({"cmd": "uvx", "initContainer": {"image": "own"}}, None, "agentgateway"),
        ({"cmd": "npx"}, "agentgateway", "agentgateway"),
    ],
)
def test_the_adapter_is_the_first_match(deployment: dict[str, Any], choice: str | None, adapter: str) -> None:
    body = manifest(copy.deepcopy(deployment), "stdio", **({"stdioAdapter": choice} if choice else {}))
    server = parse(body, PLATFORM)
    assert adapter_of("stdio", server.deployment, server.extensions.stdio_adapter, PLATFORM) == adapter
