"""G13: a look that was cut short is said to be so, and nothing is called missing because it was not looked at."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from kmcp_cilium.agents.pods import find_home
from kmcp_istio.analysis.checks import run_checks
from kmcp_istio.analysis.snapshot import Snapshot
from kmcp_kubernetes.server import SERVER
from kmcp_kubernetes.settings import KubernetesSettings
from kmcp_runtime.engine.assembly import assemble
from kmcp_runtime.kube import pages
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.config import load_contexts
from kmcp_runtime.looks import Looked
from tests.fuzz.cluster_standin import discovery
from tests.kubernetes.making import kubeconfig
from tests.mcp import ToolCaller
from tests.patience import limits, patient
from tests.serving import served

COUNT = pages.MOST_LOOKED_AT + 500
SAID = "only the first 5,000"
META = {"namespace": "a", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z", "resourceVersion": "7"}
SPEC = {"containers": [{"name": "main", "image": "x"}], "selector": {"matchLabels": {"app": "w"}}, "template": {}}


@dataclass
class Crowded:
    """An API server that has more of everything than a call looks at; only what `there` names is read alone."""

    there: Mapping[str, Any] = field(default_factory=dict)
    stale: bool = False

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/{path:path}", self.answer, methods=["GET", "PATCH", "POST"])])

    async def answer(self, request: Request) -> JSONResponse:
        path = request.url.path
        if path in ("/api", "/apis"):
            return JSONResponse(self._kinds(path == "/api"))
        for name, found in self.there.items():
            if path.endswith(name):
                return JSONResponse({"apiVersion": "v1", **found, "metadata": {**META, **found["metadata"]}})
        if path == "/api/v1/namespaces/a":
            return JSONResponse({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "a", "uid": "n"}})
        plural = path.rpartition("/")[2]
        wanted = request.query_params.get("fieldSelector", "")
        if wanted.startswith("metadata.name="):
            named = self.there.get(f"/{plural}/{wanted.partition('=')[2]}")
            items = [{**named, "metadata": {**META, **named["metadata"]}}] if named else []
            return JSONResponse({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items})
        if re.search(r"/(namespaces/[^/]+/[^/]+|v\d+/[a-z]+)$", path) and plural != "absent":
            return JSONResponse(_page(plural, request.query_params))
        gone = {"kind": "Status", "status": "Failure", "reason": "NotFound", "message": f"{path} not found"}
        return JSONResponse(gone, 404)

    def _kinds(self, core: bool) -> dict[str, Any]:
        found = discovery(core)
        if self.stale and not core:
            lost = {"version": "v1", "freshness": "Stale", "resources": []}
            found["items"].append({"metadata": {"name": "lost.example.org"}, "versions": [lost]})
        return found


def _page(plural: str, query: Mapping[str, str]) -> dict[str, Any]:
    if plural in ("events", "endpointslices", "ingressclasses"):
        return {"kind": "List", "apiVersion": "v1", "metadata": {}, "items": []}
    first = int(query.get("continue") or 0)
    last = min(first + int(query["limit"]), COUNT)
    items = [
        {"metadata": {**META, "name": f"{plural[:3]}-{number:05}", "uid": f"{plural}{number}"}, "spec": SPEC}
        for number in range(first, last)
    ]
    metadata = {"resourceVersion": "7", **({"continue": str(last)} if last < COUNT else {})}
    return {"kind": "List", "apiVersion": "v1", "metadata": metadata, "items": items}


@asynccontextmanager
async def crowd(folder: Path, server: Crowded) -> AsyncIterator[ToolCaller]:
    async with served(server.app()) as url:
        settings = KubernetesSettings(kubeconfig=str(kubeconfig(url, folder)))
        async with Client(assemble(SERVER, settings, patient(approval="off"))) as client:
            yield ToolCaller(client)


PATHS = [{"backend": {"service": {"name": name, "port": {"number": 1}}}} for name in ("z", "y")]
INGRESS = {"kind": "Ingress", "metadata": {"name": "in"}, "spec": {"rules": [{"http": {"paths": PATHS}}]}}
CLAIM = {"kind": "PersistentVolumeClaim", "metadata": {"name": "c"}, "spec": {}}
DEPLOYMENT = {"kind": "Deployment", "metadata": {"name": "w"}, "spec": {**SPEC, "replicas": 1}}
SERVICE = {"kind": "Service", "metadata": {"name": "s"}, "spec": {"selector": {"app": "w"}, "ports": [{"port": 1}]}}
SCALE = {"kind": "Scale", "metadata": {"name": "w"}, "spec": {"replicas": 1}}
DESCRIBE, ROLLOUT = "k8s_describe_resource", "k8s_rollout"


@pytest.mark.parametrize(
    ("tool", "there", "arguments"),
    [
        (DESCRIBE, {"/persistentvolumeclaims/c": CLAIM}, {"resource_type": "persistentvolumeclaims"}),
        (DESCRIBE, {"/deployments/w": DEPLOYMENT}, {"resource_type": "deployments"}),
        (DESCRIBE, {"/services/s": SERVICE}, {"resource_type": "services"}),
        (ROLLOUT, {"/deployments/w": DEPLOYMENT}, {"action": "history", "resource_type": "deployment"}),
        ("k8s_scale", {"/deployments/w/scale": SCALE}, {"name": "w", "replicas": 1}),
    ],
)
async def test_what_was_not_looked_at_is_said(
    tmp_path: Path, tool: str, there: dict[str, Any], arguments: dict[str, Any]
) -> None:
    name = next(iter(there.values()))["metadata"]["name"]
    named = arguments if "name" in arguments else {**arguments, "resource_name": name}
    async with crowd(tmp_path, Crowded(there)) as tools:
        found = await tools.ok(tool, **named, namespace="a")
    assert any(SAID in warning for warning in found["warnings"]), found


async def test_a_service_beyond_the_look_is_not_missing(tmp_path: Path) -> None:
    there = {"/ingresses/in": INGRESS, "/services/z": {**SERVICE, "metadata": {"name": "z"}}}
    async with crowd(tmp_path, Crowded(there)) as tools:
        found = await tools.ok(DESCRIBE, resource_type="ingresses", resource_name="in", namespace="a")
    assert {each["name"]: each["state"] for each in found["related"]} == {"z": "exists", "y": "missing"}
    assert "warnings" not in found


@pytest.mark.parametrize("name", ["absent", "pod-05200"])
async def test_names_that_were_not_looked_at_may_be_near(tmp_path: Path, name: str) -> None:
    async with crowd(tmp_path, Crowded()) as tools:
        refused = await tools.fails(DESCRIBE, resource_type="pods", resource_name=name, namespace="a")
        missing = await tools.fails("k8s_get_resources", resource_type="pods/absent", namespace="elsewhere")
    assert SAID in refused["hint"]
    assert ("did you mean" in refused["hint"]) is (name != "absent")
    assert "namespace 'elsewhere' does not exist" in missing["message"]
    assert SAID in missing["hint"]


async def test_a_group_that_does_not_answer_may_have_the_kind(tmp_path: Path) -> None:
    async with crowd(tmp_path, Crowded(stale=True)) as tools:
        for call in (
            tools.fails("k8s_get_resources", resource_type="widgets", namespace="a"),
            tools.fails("k8s_get_resources", resource_type="widgets.nothing.example.org", namespace="a"),
            tools.fails("k8s_apply_manifest", manifest="{apiVersion: lost/v1, kind: Widget, metadata: {name: w}}"),
        ):
            assert "lost.example.org/v1 did not answer" in (await call)["message"]


async def test_the_home_of_agents_is_found_behind_a_crowd(tmp_path: Path) -> None:
    """Agents in kube-system, behind more pods of the same label in a namespace before it."""
    asked: list[str] = []

    async def list_pods(request: Request) -> JSONResponse:
        asked.append(request.query_params.get("fieldSelector", ""))
        left = [place for place in ("attic", "kube-system") if f"metadata.namespace!={place}" not in asked[-1]]
        items = [{"metadata": {**META, "name": "agent", "namespace": left[0]}}] if left else []
        return JSONResponse({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items})

    async with served(Starlette(routes=[Route("/api/v1/pods", list_pods)])) as url:
        contexts = load_contexts(str(kubeconfig(url, tmp_path)))
        api = KubeApi(contexts, contexts.named(None), limits())
        assert await find_home(api) == "kube-system"
        await api.close()
    assert len(asked) == 3


def test_a_claim_is_no_stronger_than_the_look() -> None:
    assert Looked(["a"]).absence("no b") == "no b"
    part = Looked(["a", "b"], of="pods", complete=False).of_each(str.upper)
    assert (list(part), part.complete) == (["A", "B"], False)
    assert part.absence("no c") == "no c (only the first 2 pods were looked at)"


def test_checks_of_a_mesh_that_was_not_read_whole() -> None:
    route = {"http": [{"route": [{"destination": {"host": "reviews"}}]}], "hosts": ["h"], "gateways": ["gate"]}
    service = {"metadata": {"name": "v", "namespace": "a"}, "spec": route}
    kinds = ("namespaces", "services", "pods", "destinationrules", "gateways", "serviceentries")
    found: dict[str, list[Any]] = {**{kind: [] for kind in kinds}, "virtualservices": [service]}
    assert {each.code for each in run_checks(Snapshot("istio-system", found), None, ())} == {"IST0101", "IST0132"}
    assert run_checks(Snapshot("istio-system", found, ["services", "gateways"]), None, ()) == []
