"""The CRD against the real API server: what it takes, what it refuses, what it fills in."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from kmcp_controller.spec.crd import FILE, definition, generated
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.failures import StatusFailure
from tests.applying import APPLY
from tests.chart.rendering import VALUES, Chart, of_kind
from tests.controller.manifests import manifest, prometheus
from tests.controller.test_spec import BAD, FOREIGN, STDIO

SCHEMA_REFUSES = {
    "other transport",
    "port text",
    "env number",
    "unknown key",
    "pull policy",
    "two accounts",
    "extension type",
}
"""The bad manifests that never reach the controller; all others it refuses by itself, as upstream's CRD lets them."""


async def create(api: KubeApi, namespace: str, body: dict[str, Any], dry_run: bool = True) -> dict[str, Any]:
    body = copy.deepcopy(body)
    body["metadata"]["namespace"] = namespace
    body["metadata"].pop("uid", None)
    query = [("fieldValidation", "Strict"), *([("dryRun", "All")] if dry_run else [])]
    made: dict[str, Any] = await api.send("POST", path_of(namespace), query, body)
    return made


def path_of(namespace: str, name: str = "") -> str:
    return f"/apis/kagent.dev/v1alpha1/namespaces/{namespace}/mcpservers/{name}".rstrip("/")


def documented() -> list[dict[str, Any]]:
    """Every MCPServer in the fenced blocks of the documents."""
    texts = [file.read_text() for file in (*Path().glob("*.md"), *Path("charts").rglob("*.md"))]
    blocks = [block for text in texts for block in text.split("```yaml\n")[1:]]
    found = [document for block in blocks for document in yaml.safe_load_all(block.split("```")[0])]
    return [document for document in found if isinstance(document, dict) and document.get("kind") == "MCPServer"]


def test_the_file_is_what_the_code_says() -> None:
    for path, text in generated().items():
        assert path.read_text() == text, "stale: make catalog"
    assert yaml.safe_load(FILE.read_text()) == definition()


def test_every_field_is_described() -> None:
    spec = definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]

    def bare(schema: dict[str, Any], path: str) -> list[str]:
        inner = schema.get("properties", {})
        found = [f"{path}.{name}" for name, field in inner.items() if "description" not in field]
        return found + [each for name, field in inner.items() for each in bare(field, f"{path}.{name}")]

    explained_by_parent = ("probes.", "remote.", "updateStrategy.")
    assert [path for path in bare(spec, "") if not any(word in path for word in explained_by_parent)] == []


@pytest.mark.cluster
async def test_every_sample_is_valid(api: KubeApi, namespace: str, chart: Chart) -> None:
    samples = [prometheus(), manifest(FOREIGN), manifest(STDIO, "stdio"), *documented()]
    for values in VALUES.values():
        samples += of_kind(chart.rendered(values), "MCPServer").values()
    for sample in samples:
        await create(api, namespace, sample)


@pytest.mark.cluster
async def test_extensions_are_typed_and_their_unknown_keys_kept(api: KubeApi, namespace: str) -> None:
    block: dict[str, Any] = {
        "readonly": True,
        "remote": {"enabld": True},
        "env": [{"name": "A", "valueFrom": {"fieldRef": {}}}],
    }
    made = await create(api, namespace, manifest(FOREIGN, **block))
    assert made["spec"]["extensions"] == block
    grace = {"updateStrategy": {"gracePeriodSeconds": -1}}
    faulty: list[dict[str, Any]] = [{"readOnly": "yes"}, {"scaling": "x"}, {"env": [{}]}, grace]
    for bad in faulty:
        with pytest.raises(StatusFailure, match=r"spec\.extensions"):
            await create(api, namespace, manifest(FOREIGN, **bad))


@pytest.mark.cluster
async def test_bad_manifests_that_the_schema_checks_are_refused(api: KubeApi, namespace: str) -> None:
    answers = {name: await refusal(api, namespace, body) for name, body, _ in BAD}
    assert {name for name, answer in answers.items() if answer} == SCHEMA_REFUSES
    assert all("spec." in answer for answer in answers.values() if answer)


async def refusal(api: KubeApi, namespace: str, body: dict[str, Any]) -> str | None:
    try:
        await create(api, namespace, body)
    except StatusFailure as failure:
        return failure.message
    return None


@pytest.mark.cluster
async def test_defaults_are_upstreams_but_for_replicas(api: KubeApi, namespace: str) -> None:
    body = manifest(FOREIGN)
    body["spec"]["httpTransport"] = {"tls": {"secretRef": "x"}}
    made = (await create(api, namespace, body))["spec"]
    assert made["deployment"] == {**FOREIGN, "port": 3000}
    assert made["timeout"] == "30s"
    assert made["httpTransport"]["tls"] == {"secretRef": "x", "insecureSkipVerify": False}


@pytest.mark.cluster
async def test_status_takes_what_the_controller_writes_and_shows_it(api: KubeApi, namespace: str) -> None:
    await create(api, namespace, manifest(FOREIGN), dry_run=False)
    ready = {
        "type": "Ready",
        "status": "False",
        "reason": "NotAvailable",
        "message": "scaled to zero",
        "observedGeneration": 1,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    status = {
        "conditions": [ready],
        "observedGeneration": 1,
        "url": "http://time.tools.svc:3000/mcp",
        "adapter": "none",
        "tools": {"count": 2, "hash": "sha256:x", "tokens": 9},
        "extensionsHash": "sha256:y",
        "serverInfo": {"name": "time", "version": "1", "protocolVersion": "2026-07-28"},
    }
    body = {"apiVersion": "kagent.dev/v1alpha1", "kind": "MCPServer", "metadata": {"name": "time"}, "status": status}
    path = path_of(namespace, "time")
    query = (("fieldManager", "kmcp-controller"), ("fieldValidation", "Strict"))
    assert (await api.send("PATCH", f"{path}/status", query, body, APPLY))["status"] == status
    table = await api.get(path, accept="application/json;as=Table;v=v1;g=meta.k8s.io")
    shown = dict(zip((each["name"] for each in table["columnDefinitions"]), table["rows"][0]["cells"], strict=True))
    assert {key: shown[key] for key in ("Ready", "Reason", "Tools", "URL")} == {
        "Ready": "False",
        "Reason": "NotAvailable",
        "Tools": 2,
        "URL": status["url"],
    }
    served = await api.get("/apis/kagent.dev/v1alpha1")
    kind = next(each for each in served["resources"] if each["name"] == "mcpservers")
    assert (set(kind["shortNames"]), kind["categories"]) == ({"mcps", "mcp"}, ["kagent"])
