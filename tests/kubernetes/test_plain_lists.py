"""Kinds whose API server makes no tables, as aggregated and virtual ones may not: names and times are shown."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from kmcp_kubernetes.server import SERVER
from kmcp_kubernetes.settings import KubernetesSettings
from kmcp_runtime.engine.assembly import assemble
from tests.argo.test_absent import group
from tests.kubernetes.making import kubeconfig
from tests.mcp import ToolCaller
from tests.patience import patient
from tests.serving import served

BASE = "/apis/example.com/v1"
CREATED = "2026-11-29T00:00:00Z"
WIDGETS: dict[str, Any] = {"resource_type": "widgets"}


def widget(name: str) -> dict[str, Any]:
    about = {"name": name, "namespace": "default", "creationTimestamp": CREATED}
    return {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": about, "spec": {"size": len(name)}}


async def discovery(request: Request) -> JSONResponse:
    core, others = group("", "v1", "pods", "Pod"), group("example.com", "v1", "widgets", "Widget")
    items = [others if request.url.path == "/apis" else core]
    return JSONResponse({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "items": items})


async def answer(request: Request) -> JSONResponse:
    """What is asked for as plain JSON alone; HTTP 406 for who takes nothing else than a table."""
    if "application/json" not in request.headers["accept"].split(","):
        text = "only the following media types are accepted: application/json"
        return JSONResponse({"kind": "Status", "reason": "NotAcceptable", "code": 406, "message": text}, 406)
    if "name" in request.path_params:
        return JSONResponse(widget(request.path_params["name"]))
    items = [widget("a"), widget("bcd")]
    return JSONResponse({"kind": "WidgetList", "apiVersion": "example.com/v1", "metadata": {}, "items": items})


@pytest.fixture
async def tools(tmp_path: Path) -> AsyncIterator[ToolCaller]:
    routes = [
        Route("/api", discovery),
        Route("/apis", discovery),
        Route(f"{BASE}/widgets", answer),
        Route(f"{BASE}/namespaces/default/widgets", answer),
        Route(f"{BASE}/namespaces/default/widgets/{{name}}", answer),
    ]
    async with served(Starlette(routes=routes), lifespan="off") as url:
        settings = KubernetesSettings(kubeconfig=str(kubeconfig(url, tmp_path)))
        async with Client(assemble(SERVER, settings, patient())) as client:
            yield ToolCaller(client)


async def test_objects_without_a_table_are_listed_by_name(tools: ToolCaller) -> None:
    found = await tools.ok("k8s_get_resources", **WIDGETS)
    assert (found["columns"], found["items"]) == (["Name", "Created At"], [["a", CREATED], ["bcd", CREATED]])
    everywhere = await tools.ok("k8s_get_resources", **WIDGETS, all_namespaces=True)
    assert everywhere["items"] == [["default", "a", CREATED], ["default", "bcd", CREATED]]
    names = await tools.ok("k8s_get_resources", **WIDGETS, output="names")
    assert names["items"] == ["a", "bcd"]


async def test_one_object_without_a_table_is_shown(tools: ToolCaller) -> None:
    found = await tools.ok("k8s_get_resources", **WIDGETS, resource_name="bcd")
    assert found["items"] == [["bcd", CREATED]]


async def test_paths_look_into_objects_without_a_table(tools: ToolCaller) -> None:
    found = await tools.ok("k8s_get_resources", **WIDGETS, fields=["Name", ".spec.size"])
    assert found["items"] == [["a", "1"], ["bcd", "3"]]
    counted = await tools.ok("k8s_get_resources", **WIDGETS, output="counts", fields=[".spec.size"])
    assert counted["items"] == [["1", "1"], ["3", "1"]]
