"""What is rendered, before a real API server: each object is taken, and pods pass Pod Security where they should."""

import json
from typing import Any

import pytest

from kmcp_controller.render import Surroundings, render
from kmcp_controller.spec import parse
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.failures import StatusFailure
from tests.controller.driving import APPLY, Driver
from tests.controller.manifests import PLATFORM, manifest

FOREIGN, SUITE = "example.com/time:1", "registry.example.com/kmcp/kmcp-prometheus:1.4.0"
DRY = [("dryRun", "All"), ("fieldManager", "kmcp-controller")]
STRICT = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("deployment", "transport", "extensions", "labelled", "passes"),
    [
        pytest.param({"image": SUITE}, "http", {}, False, True, id="suite"),
        pytest.param({"image": SUITE}, "http", {"security": "none"}, False, False, id="suite, none"),
        pytest.param({"cmd": "uvx", "args": ["a"]}, "stdio", {}, False, True, id="package behind the bridge"),
        pytest.param({"image": SUITE, "cmd": "run"}, "stdio", {}, False, True, id="suite behind the bridge"),
        pytest.param({"image": FOREIGN, "cmd": "run"}, "stdio", {}, False, False, id="agentgateway"),
        pytest.param({"image": FOREIGN, "cmd": "run"}, "stdio", {}, True, True, id="agentgateway, labelled"),
        pytest.param({"image": FOREIGN}, "http", {}, False, False, id="foreign"),
        pytest.param({"image": FOREIGN}, "http", {"security": "restricted"}, False, True, id="foreign, restricted"),
        pytest.param({"image": FOREIGN}, "http", {}, True, True, id="foreign, labelled"),
    ],
)
async def test_rendered_objects(
    driver: Driver,
    api: KubeApi,
    deployment: dict[str, Any],
    transport: str,
    extensions: dict[str, Any],
    labelled: bool,
    passes: bool,
) -> None:
    """`labelled`: the controller knows that the namespace enforces `restricted`, which it does in any case here."""
    await api.send("PATCH", f"/api/v1/namespaces/{driver.namespace}", (), STRICT, "application/merge-patch+json")
    await driver.create("ServiceAccount", "time")
    given = {**deployment, "env": {"TOKEN": "s3cr3t-value"}}
    network = {"ingressFrom": [{"podSelector": {}}], "egressTo": [{"ports": [{"port": 443}]}]}
    body = manifest(given, transport, network=network, **extensions)
    body["metadata"]["namespace"] = driver.namespace
    objects = render(parse(body, PLATFORM), PLATFORM, Surroundings(restricted_namespace=labelled))
    for each in objects:
        await api.send("PATCH", driver.path(each["kind"], "time"), [*DRY, ("force", "true")], each, APPLY)
    by_kind = {each["kind"]: each for each in objects}
    assert "s3cr3t-value" not in json.dumps(by_kind.get("ConfigMap", {}))
    template = by_kind["Deployment"]["spec"]["template"]
    pod = {"metadata": {"name": "time", **template["metadata"]}, "spec": template["spec"]}
    said = await refusal(api, driver.path("Pod"), pod)
    assert (said == "") is passes, said
    assert passes or 'violates PodSecurity "restricted' in said


async def refusal(api: KubeApi, path: str, pod: dict[str, Any]) -> str:
    try:
        await api.send("POST", path, DRY, pod)
    except StatusFailure as failure:
        return failure.message
    return ""
