"""Clusters without Argo Rollouts, or without a controller: a small API server of their own stands in for them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from kmcp_argo.server import SERVER
from kmcp_argo.settings import ArgoSettings
from kmcp_runtime.engine.assembly import assemble
from tests.argo.making import canary, rollout
from tests.kubernetes.making import kubeconfig
from tests.mcp import ToolCaller
from tests.patience import patient
from tests.serving import served

VERBS = ["get", "list", "patch"]


def group(name: str, version: str, resource: str, kind: str) -> dict[str, Any]:
    about = {
        "resource": resource,
        "responseKind": {"kind": kind},
        "scope": "Namespaced",
        "verbs": VERBS,
        "singularResource": kind.lower(),
    }
    return {
        "metadata": {"name": name},
        "versions": [{"version": version, "resources": [about], "freshness": "Current"}],
    }


def api_server(*groups: dict[str, Any]) -> Starlette:
    """Serves these groups, one Rollout `web`, and no Deployment."""
    found = rollout("web", canary({"setWeight": 20}))
    found["metadata"] |= {"namespace": "default", "uid": "1", "resourceVersion": "1", "generation": 1}

    async def discovery(request: Request) -> JSONResponse:
        kind = "APIGroupDiscoveryList"
        items = list(groups) if request.url.path == "/apis" else []
        return JSONResponse({"kind": kind, "apiVersion": "apidiscovery.k8s.io/v2", "items": items})

    async def one(request: Request) -> JSONResponse:
        if request.method == "PATCH":
            found["spec"] |= (await request.json()).get("spec", {})
        return JSONResponse(found)

    async def none(request: Request) -> JSONResponse:
        return JSONResponse({"kind": "DeploymentList", "apiVersion": "apps/v1", "metadata": {}, "items": []})

    return Starlette(
        routes=[
            Route("/api", discovery),
            Route("/apis", discovery),
            Route("/apis/argoproj.io/v1alpha1/namespaces/default/rollouts/web", one, methods=["GET", "PATCH"]),
            Route("/apis/apps/v1/deployments", none),
            Route("/apis/apps/v1/namespaces/argo-rollouts/deployments", none),
        ]
    )


@asynccontextmanager
async def connected(app: Starlette, folder: Path) -> AsyncIterator[ToolCaller]:
    async with served(app, lifespan="off") as url:
        settings = ArgoSettings(kubeconfig=str(kubeconfig(url, folder)))
        async with Client(assemble(SERVER, settings, patient(approval="off"))) as client:
            yield ToolCaller(client)


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("argo_rollouts_list", {}),
        ("argo_get_rollout", {"rollout_name": "web"}),
        ("argo_promote_rollout", {"rollout_name": "web"}),
        ("argo_rollout_action", {"rollout_name": "web", "action": "retry_experiment"}),
    ],
)
async def test_without_the_kinds_it_is_said_to_be_absent(tool: str, arguments: dict[str, Any], tmp_path: Path) -> None:
    async with connected(api_server(group("apps", "v1", "deployments", "Deployment")), tmp_path) as tools:
        error = await tools.fails(tool, **arguments)
    assert error["code"] == "unavailable"
    assert "Argo Rollouts is not installed" in error["message"]
    assert "argo_verify_argo_rollouts_controller_install" in error["hint"]


async def test_without_a_controller_a_change_is_made_and_its_uselessness_said(tmp_path: Path) -> None:
    groups = (
        group("apps", "v1", "deployments", "Deployment"),
        group("argoproj.io", "v1alpha1", "rollouts", "Rollout"),
    )
    async with connected(api_server(*groups), tmp_path) as tools:
        answer = await tools.ok("argo_pause_rollout", rollout_name="web")
        logs = await tools.fails("argo_check_plugin_logs")
    assert answer["changed"] is True
    assert answer["warnings"] == ["no controller was found: nothing acts on this change until a controller runs"]
    assert logs["code"] == "unavailable"
    assert "argo_verify_argo_rollouts_controller_install" in logs["hint"]
