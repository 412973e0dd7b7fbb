"""D1: an abort, whose new version stops, is asked before it is sent; a retry and a pause are not."""

from collections.abc import AsyncIterator
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
from tests.argo.test_absent import group
from tests.kubernetes.making import kubeconfig
from tests.mcp import ToolCaller
from tests.patience import patient
from tests.serving import served

_WEB = "/apis/argoproj.io/v1alpha1/namespaces/default/rollouts/web"
ABORT = {"rollout_name": "web", "action": "abort"}


class Api:
    """An API server with one Rollout on its way, which applies merge patches and notes those that are no rehearsal."""

    def __init__(self) -> None:
        self.found: dict[str, Any] = rollout("web", canary({"setWeight": 20}))
        self.found["metadata"] |= {"namespace": "default", "uid": "1", "resourceVersion": "1", "generation": 1}
        self.found["status"] = {"stableRS": "a", "currentPodHash": "b", "observedGeneration": "1"}
        self.patches: list[Any] = []

    async def discovery(self, request: Request) -> JSONResponse:
        groups = [
            group("apps", "v1", "deployments", "Deployment"),
            group("argoproj.io", "v1alpha1", "rollouts", "Rollout"),
        ]
        items = groups if request.url.path == "/apis" else []
        body = {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "items": items}
        return JSONResponse(body)

    async def one(self, request: Request) -> JSONResponse:
        if request.method == "GET":
            return JSONResponse(self.found)
        patch = await request.json()
        after = {
            **self.found,
            **{part: {**self.found[part], **patch[part]} for part in ("spec", "status") if part in patch},
        }
        if request.query_params.get("dryRun") != "All":
            self.patches.append(patch)
            self.found = after
        return JSONResponse(after)

    async def none(self, request: Request) -> JSONResponse:
        return JSONResponse({"kind": "DeploymentList", "apiVersion": "apps/v1", "metadata": {}, "items": []})

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/api", self.discovery),
                Route("/apis", self.discovery),
                Route(_WEB, self.one, methods=["GET", "PATCH"]),
                Route(f"{_WEB}/status", self.one, methods=["GET", "PATCH"]),
                Route("/apis/apps/v1/{rest:path}", self.none),
            ]
        )


@pytest.fixture
async def careful(tmp_path: Path) -> AsyncIterator[tuple[ToolCaller, Api]]:
    """The server as it is by default, for a client that cannot be asked."""
    api = Api()
    async with served(api.app(), lifespan="off") as url:
        settings = ArgoSettings(kubeconfig=str(kubeconfig(url, tmp_path)))
        async with Client(assemble(SERVER, settings, patient())) as client:
            yield ToolCaller(client), api


async def test_D1_an_abort_is_sent_only_with_a_yes(careful: tuple[ToolCaller, Api]) -> None:
    tools, api = careful
    error = await tools.fails("argo_rollout_action", **ABORT)
    assert error["code"] == "approval_required"
    assert error["plan"]["destroys"] == ["aborts Rollout default/web, whose new version stops"]
    assert api.patches == []
    assert (await tools.ok("argo_rollout_action", **ABORT, approval=error["approval"]))["changed"] is True
    assert api.patches == [{"status": {"abort": True}}]


async def test_D1_a_pause_and_a_retry_are_not_asked(careful: tuple[ToolCaller, Api]) -> None:
    tools, api = careful
    assert (await tools.ok("argo_pause_rollout", rollout_name="web"))["changed"] is True
    api.found["status"]["abort"] = True
    assert (await tools.ok("argo_rollout_action", rollout_name="web", action="retry"))["changed"] is True
    assert len(api.patches) == 2


async def test_D1_an_abort_of_what_is_aborted_changes_nothing(careful: tuple[ToolCaller, Api]) -> None:
    tools, api = careful
    api.found["status"]["abort"] = True
    assert (await tools.ok("argo_rollout_action", **ABORT))["changed"] is False
    assert api.patches == []


async def test_an_abort_ends_a_full_promotion_which_would_undo_it(careful: tuple[ToolCaller, Api]) -> None:
    tools, api = careful
    api.found["status"]["promoteFull"] = True
    error = await tools.fails("argo_rollout_action", **ABORT)
    assert error["plan"]["destroys"] == ["aborts Rollout default/web, whose new version stops"]
    await tools.ok("argo_rollout_action", **ABORT, approval=error["approval"])
    assert api.patches == [{"status": {"abort": True, "promoteFull": None}}]
