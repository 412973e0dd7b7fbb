"""Planted secrets never come out: of any tool, in text or structure, of errors, audit lines, logs or metrics."""

import base64
import json
import secrets
from typing import Any

import pytest
import yaml
from fastmcp import Client

from kmcp_kubernetes.server import SERVER
from kmcp_kubernetes.settings import KubernetesSettings
from kmcp_runtime.engine.assembly import compose
from kmcp_runtime.engine.configured import ConfiguredServer, Process
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.redaction import LAST_APPLIED
from tests.cluster.model import Cluster
from tests.kubernetes.conftest import pod
from tests.kubernetes.making import make, pod_when
from tests.mcp import text_of
from tests.patience import patient
from tests.secrets import IN_TEXTS
from tests.trust import Trust

pytestmark = pytest.mark.pods
SECRET = "planted-in-a-secret-Xq7"
ENV = "planted-in-an-env-literal-Zk3"
ANNOTATED = "planted-in-last-applied-Wm9"
CONFIG = "planted-in-a-config-map-Vt5"
ARGUMENT = "planted-in-an-argument-Rb2"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


FORBIDDEN = [
    *(planted.secret for planted in IN_TEXTS),
    *(form for text in (SECRET, ENV, ANNOTATED, CONFIG, ARGUMENT) for form in (text, encoded(text).rstrip("="))),
]


@pytest.fixture
async def planted(api: KubeApi, namespace: str, cluster: Cluster) -> str:
    """A namespace with a secret in every place that tools read."""
    core = f"/api/v1/namespaces/{namespace}"
    applied = json.dumps({"kind": "Secret", "data": {"k": encoded(ANNOTATED)}, "stringData": {"k": ANNOTATED}})
    metadata = {"name": "planted", "annotations": {LAST_APPLIED: applied}, "labels": {"app": "planted"}}
    await make(api, f"{core}/secrets", {"metadata": metadata, "stringData": {"plain": SECRET, "password": SECRET}})
    data = {"password": CONFIG, "app.properties": f"db.password={CONFIG}\nport=80", "log": IN_TEXTS[4].text}
    await make(api, f"{core}/configmaps", {"metadata": metadata, "data": data})
    logs = "\n".join(each.text.replace("\x00", "") for each in IN_TEXTS)
    body = pod("planted", cluster.image, "sh", "-c", 'printf "%s\\n" "$CORPUS"; sleep 3600')
    body["metadata"] = metadata
    body["spec"]["containers"][0]["env"] = [{"name": "DB_PASSWORD", "value": ENV}, {"name": "CORPUS", "value": logs}]
    await make(api, f"{core}/pods", body)
    message = "; ".join(each.text for each in IN_TEXTS)[:1000]
    about = {"kind": "Pod", "name": "planted", "namespace": namespace}
    event = {
        "metadata": {"name": "planted"},
        "involvedObject": about,
        "reason": "Leak",
        "message": message,
        "type": "Warning",
    }
    await make(api, f"{core}/events", event)
    await pod_when(api, namespace, "planted", lambda found: found["status"]["phase"] == "Running", "start")
    return namespace


def calls(namespace: str) -> list[tuple[str, dict[str, Any]]]:
    """Every way to see, change, or fail on what was planted."""
    there = {"namespace": namespace}
    named = [
        (kind, {"resource_type": kind, "resource_name": "planted", **there}) for kind in ("secret", "configmap", "pod")
    ]
    found: list[tuple[str, dict[str, Any]]] = []
    for kind, one in named:
        found += [
            ("k8s_get_resources", {"resource_type": kind, "output": output, **there})
            for output in ("table", "wide", "yaml", "json", "names")
        ]
        found += [
            ("k8s_get_resources", {**one, "output": "yaml"}),
            (
                "k8s_get_resources",
                {**one, "output": "json", "fields": ["data", "data.plain", "data.password", "metadata"]},
            ),
            (
                "k8s_get_resources",
                {**one, "output": "json", "fields": ["spec.containers.env", "spec.containers.env.value"]},
            ),
            ("k8s_get_resource_yaml", one),
            ("k8s_get_resource_yaml", {**one, "managed_fields": True}),
            ("k8s_describe_resource", one),
            ("k8s_label_resource", {**one, "labels": {"x": secrets.token_hex(4)}}),
            ("k8s_annotate_resource", {**one, "annotations": {"note": f"token={ARGUMENT}"}}),
            ("k8s_delete_resource", {**one, "dry_run": True}),
        ]
    changed = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "planted"}, "stringData": {"plain": ARGUMENT}}
    fresh = {**changed, "metadata": {"name": f"x{secrets.token_hex(4)}"}}
    shouting = ["sh", "-c", f"echo password={ARGUMENT} >&2; exit 3"]
    broken = {**fresh, "stringDta": {"password": ARGUMENT}}
    return [
        *found,
        ("k8s_get_pod_logs", {"pod_name": "planted", **there}),
        ("k8s_get_pod_logs", {"pod_name": "planted", "match": "BEGIN|PLANTED|planted", **there}),
        ("k8s_get_events", there),
        ("k8s_execute_command", {"pod_name": "planted", "command": ["env"], **there}),
        ("k8s_execute_command", {"pod_name": "planted", "command": shouting, **there}),
        ("k8s_apply_manifest", {"manifest": yaml.safe_dump(changed), "force": True, **there}),
        ("k8s_apply_manifest", {"manifest": yaml.safe_dump(broken), **there}),
        ("k8s_create_resource", {"yaml_content": yaml.safe_dump(fresh), **there}),
        ("k8s_create_resource", {"yaml_content": yaml.safe_dump(broken), **there}),
        (
            "k8s_patch_resource",
            {
                "resource_type": "secret",
                "resource_name": "planted",
                "patch": {"stringData": {"plain": ARGUMENT}},
                **there,
            },
        ),
        (
            "k8s_patch_resource",
            {
                "resource_type": "configmap",
                "resource_name": "planted",
                "patch": {"data": {"password": ARGUMENT}},
                **there,
            },
        ),
        (
            "k8s_patch_resource",
            {"resource_type": "pod", "resource_name": "planted", "patch": f"token: {ARGUMENT}: x", **there},
        ),
        ("k8s_generate_resource", {"resource_type": "secret", "resource_description": f"password={ARGUMENT}"}),
        ("k8s_create_resource_from_url", {"url": f"https://user:{ARGUMENT}@files.example.com/x?token={ARGUMENT}"}),
        ("k8s_get_cluster_configuration", {}),
        ("k8s_get_resources", {"resource_type": f"token={ARGUMENT}"}),
        ("k8s_get_resources", {"resource_type": "pods", "resource_name": f"password={ARGUMENT}", **there}),
    ]


async def test_no_planted_secret_comes_out_of_anything(
    planted: str,
    settings: KubernetesSettings,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    trust: Trust,
) -> None:
    process = Process.of(patient(approval="off"))
    instance = ConfiguredServer(SERVER, settings, process)
    called: set[str] = set()
    async with Client(compose("kmcp-kubernetes", [instance], None)) as client:
        for tool, arguments in calls(planted):
            result = await client.call_tool(tool, arguments, raise_on_error=False)
            everything = text_of(result.content) + json.dumps(
                [result.structured_content, result.meta], ensure_ascii=False
            )
            for secret in FORBIDDEN:
                assert secret not in everything, f"{tool} {arguments} shows {secret!r}:\n{everything[:2000]}"
            if not result.is_error:
                called.add(tool)
    outside = "".join(capfd.readouterr()) + caplog.text + process.metrics.exposition().decode()
    assert '"log":"audit"' in outside
    for secret in FORBIDDEN:
        assert secret not in outside, secret
    assert {"k8s_get_pod_logs", "k8s_get_events", "k8s_execute_command", "k8s_patch_resource"} <= called
    trust.count("Secret objects", "tools on a planted namespace", probes=len(calls(planted)), values_shown=0)


async def test_what_is_no_secret_stays_readable(planted: str, settings: KubernetesSettings) -> None:
    instance = ConfiguredServer(SERVER, settings, Process.of(patient()))
    async with Client(compose("kmcp-kubernetes", [instance], None)) as client:
        one = {"resource_type": "secret", "resource_name": "planted", "namespace": planted}
        result = await client.call_tool("k8s_get_resource_yaml", one)
        shown = yaml.safe_load((result.structured_content or {})["yaml"])
        assert set(shown["data"]) == {"plain", "password"}
        assert all(value.startswith("[hidden:") for value in shown["data"].values())
        assert shown["data"]["plain"] != shown["data"]["password"], (
            "marks are of a place, so equal values look different"
        )
        pods = await client.call_tool("k8s_get_resource_yaml", {**one, "resource_type": "pod"})
        text = (pods.structured_content or {})["yaml"]
        assert "name: DB_PASSWORD" in text
        assert "sleep 3600" in text
