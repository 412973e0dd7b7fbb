"""Every tool before a door that records: a read-only server sends no change, and nothing destroys without a yes."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from fastmcp import Client
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from kmcp_kubernetes.server import SERVER
from kmcp_kubernetes.settings import KubernetesSettings
from kmcp_runtime.engine.assembly import assemble
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.failures import StatusFailure
from tests.kubernetes.making import config_map, make
from tests.kubernetes.scenarios import CONFIG_MAP, filled, scenario_of
from tests.kubernetes.test_rollouts import workload
from tests.mcp import ToolCaller
from tests.patience import patient
from tests.serving import served

pytestmark = pytest.mark.cluster
TOOLS = {declared.name: declared for declared in SERVER.tools()}
QUESTIONS = re.compile(r"/apis/auth(entic|oriz)ation\.k8s\.io/.*reviews$")
OWNER = {"apiVersion": "v1", "kind": "ConfigMap", "name": "nobody", "uid": "00000000-0000-0000-0000-000000000000"}


class Recorder:
    """Stands before the real API server, passes everything on and writes down what may change something."""

    def __init__(self, api: KubeApi) -> None:
        self.api = api
        self.changes: list[str] = []
        self.rehearsals = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            self.changes.append(f"STREAM {scope['path']}")
            await send({"type": "websocket.close"})
            return
        body = await self._body(receive)
        response = await self._passed_on(scope, json.loads(body) if body else None)
        await response(scope, receive, send)

    async def _passed_on(self, scope: Scope, body: Any) -> Response:
        method, path = scope["method"], scope["raw_path"].decode().partition("?")[0]
        query = parse_qsl(scope["query_string"].decode(), keep_blank_values=True)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        rehearsal = ("dryRun", "All") in query or (isinstance(body, dict) and "dryRun" in body)
        self.rehearsals += method != "GET" and rehearsal
        if (method != "GET" and not rehearsal and not QUESTIONS.search(path)) or "/proxy/admin" in path:
            self.changes.append(f"{method} {path} {json.dumps(body)}")
        kind = headers.get("content-type", "application/json")
        try:
            content = await self.api.unjudged(method, path, query, body, kind, headers.get("accept", "*/*"))
        except StatusFailure as failure:
            return JSONResponse(failure.status, failure.http_status)
        return Response(content, media_type="application/json")

    async def _body(self, receive: Receive) -> bytes:
        parts = bytearray()
        while True:
            message = await receive()
            parts += message.get("body", b"")
            if not message.get("more_body"):
                return bytes(parts)


@pytest.fixture
async def door(api: KubeApi) -> AsyncIterator[tuple[Recorder, str]]:
    recorder = Recorder(api)
    async with served(recorder, lifespan="off") as url:
        yield recorder, url


@asynccontextmanager
async def behind(url: str, settings: KubernetesSettings, folder: Path, **runtime: Any) -> AsyncIterator[ToolCaller]:
    """The server with the recording door as its API server."""
    document = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {}}],
    }
    config = folder / "kubeconfig"
    config.write_text(json.dumps(document))
    own = settings.model_copy(update={"kubeconfig": str(config)})
    async with Client(assemble(SERVER, own, patient(**runtime))) as client:
        yield ToolCaller(client)


@pytest.fixture
async def words(api: KubeApi, namespace: str) -> dict[str, str]:
    """What scenarios are about, in a namespace of its own; no pod of it runs."""
    core = f"/api/v1/namespaces/{namespace}"
    await make(api, f"{core}/configmaps", config_map("settings", a="b", c="d"))
    for kind, name in (("Deployment", "web"), ("Deployment", "stuck"), ("StatefulSet", "store")):
        body = {**workload(kind, "none", replicas=1), "metadata": {"name": name}}
        body["spec"]["template"]["spec"]["schedulerName"] = "none"
        await make(api, f"/apis/apps/v1/namespaces/{namespace}/{kind.lower()}s", body)
    ports = [{"port": 80, "targetPort": 8080}]
    await make(api, f"{core}/services", {"metadata": {"name": "web"}, "spec": {"ports": ports}})
    return {"ns": namespace, "fresh": "fresh", "pod": "none"}


async def test_D4_no_tool_of_a_read_only_server_sends_a_change(
    door: tuple[Recorder, str], settings: KubernetesSettings, words: dict[str, str], tmp_path: Path
) -> None:
    recorder, url = door
    async with behind(url, settings, tmp_path, read_only=True) as caller:
        for name, declared in TOOLS.items():
            for arguments in scenario_of(declared).calls:
                await caller.client.call_tool(name, filled(arguments, words), raise_on_error=False)
        probe = {"service_name": "web", "namespace": words["ns"], "path": "/admin/delete?id=1&confirm=yes"}
        await caller.client.call_tool("k8s_check_service_connectivity", probe, raise_on_error=False)
    assert recorder.changes == []
    assert recorder.rehearsals == 0


async def test_what_destroys_leaves_only_with_a_yes(
    door: tuple[Recorder, str], settings: KubernetesSettings, words: dict[str, str], tmp_path: Path
) -> None:
    recorder, url = door
    about = {"resource_type": "configmap", "resource_name": "settings", "namespace": words["ns"]}
    destroying: list[tuple[str, dict[str, Any]]] = [
        ("k8s_delete_resource", about),
        ("k8s_patch_resource", {**about, "patch": {"data": None}}),
        ("k8s_patch_resource", {**about, "patch": {"metadata": {"ownerReferences": [OWNER]}}}),
        ("k8s_patch_resource", {**about, "patch": [{"op": "remove", "path": "/data/a"}]}),
        ("k8s_scale", {"name": "web", "replicas": 0, "namespace": words["ns"]}),
        ("k8s_scale", {"name": "store", "replicas": 0, "resource_type": "sts", "namespace": words["ns"]}),
    ]
    async with behind(url, settings, tmp_path) as caller:
        for tool, arguments in destroying:
            error = await caller.fails(tool, **arguments)
            assert error["code"] == "approval_required", (tool, arguments, error)
            assert error["plan"]["destroys"], (tool, arguments)
        assert recorder.changes == []
        assert recorder.rehearsals >= len(destroying)


async def test_what_people_do_all_day_leaves_without_a_question(
    door: tuple[Recorder, str], settings: KubernetesSettings, words: dict[str, str], tmp_path: Path
) -> None:
    recorder, url = door
    light = ["k8s_label_resource", "k8s_remove_label", "k8s_annotate_resource", "k8s_remove_annotation"]
    light += ["k8s_create_resource", "k8s_patch_resource", "k8s_patch_status"]
    async with behind(url, settings, tmp_path, approval="ask") as caller:
        for name in light:
            for arguments in scenario_of(TOOLS[name]).calls:
                await caller.ok(name, **filled(arguments, words))
        manifest = {"manifest": CONFIG_MAP % "another", "namespace": words["ns"]}
        await caller.ok("k8s_apply_manifest", **manifest)
        await caller.ok("k8s_scale", name="web", replicas=3, namespace=words["ns"])
        workloads = {"resource_type": "deployment", "resource_name": "web", "namespace": words["ns"]}
        for action in ("restart", "pause", "resume"):
            await caller.ok("k8s_rollout", **workloads, action=action)
    assert len(recorder.changes) == len(light) + 5
