"""A log that the API server refuses: of a container that did start, it is the log that is gone."""

import json
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
from tests.kubernetes.making import kubeconfig
from tests.kubernetes.test_plain_lists import discovery
from tests.mcp import ToolCaller
from tests.patience import patient
from tests.serving import served

POD = "/api/v1/namespaces/default/pods/web"
REFUSED = 'container "main" in pod "web" not found'


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ({"terminated": {"exitCode": 143, "reason": "Error"}}, "cannot read the log of main"),
        ({"running": {"startedAt": "2026-11-29T00:00:00Z"}}, "cannot read the log of main"),
        ({"waiting": {"reason": "ContainerCreating"}}, "main has not started: waiting: ContainerCreating"),
    ],
)
async def test_what_has_run_is_not_called_unstarted(state: dict[str, Any], told: str, tmp_path: Path) -> None:
    status = {"containerStatuses": [{"name": "main", "ready": False, "restartCount": 0, "state": state}]}
    spec = {"nodeName": "one", "containers": [{"name": "main", "image": "x"}]}
    pod = {"metadata": {"name": "web", "namespace": "default"}, "spec": spec, "status": status}

    async def one(request: Request) -> JSONResponse:
        return JSONResponse(pod)

    async def log(request: Request) -> JSONResponse:
        return JSONResponse({"kind": "Status", "reason": "BadRequest", "code": 400, "message": REFUSED}, 400)

    routes = [Route("/api", discovery), Route("/apis", discovery), Route(POD, one), Route(f"{POD}/log", log)]
    async with served(Starlette(routes=routes), lifespan="off") as url:
        settings = KubernetesSettings(kubeconfig=str(kubeconfig(url, tmp_path)))
        async with Client(assemble(SERVER, settings, patient())) as client:
            found = await ToolCaller(client).ok("k8s_get_pod_logs", pod_name="web")
    assert told in found["hint"]
    assert (json.dumps(REFUSED) in found["hint"]) == ("waiting" not in state), "in quotes: it is not our word"
    assert found["lines"] == []
