"""A log that the API server refuses: of a container that did start, it is the log that is gone."""

import json
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
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

_REFUSAL = {"kind": "Status", "reason": "BadRequest", "code": 400, "message": REFUSED}


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ({"terminated": {"exitCode": 143, "reason": "Error"}}, "cannot read the log of main"),
        ({"running": {"startedAt": "2026-11-29T00:00:00Z"}}, "cannot read the log of main"),
        ({"waiting": {"reason": "ContainerCreating"}}, "main has not started: waiting: ContainerCreating"),
    ],
)
async def test_what_has_run_is_not_called_unstarted(state: dict[str, Any], told: str, tmp_path: Path) -> None:
    found = await _logs(tmp_path, {"state": state}, JSONResponse(_REFUSAL, 400))
    assert told in found["hint"]
    assert (json.dumps(REFUSED) in found["hint"]) == ("waiting" not in state), "in quotes: it is not our word"
    assert found["lines"] == []


async def test_an_evicted_pod_is_named_as_what_it_is(tmp_path: Path) -> None:
    ended = {"terminated": {"exitCode": 137, "reason": "Error"}}
    evicted: dict[str, Any] = {"phase": "Failed", "reason": "Evicted", "message": "no memory"}
    found = await _logs(tmp_path, {"state": ended}, JSONResponse(_REFUSAL, 400), **evicted)
    assert found["hint"].endswith('); the pod is Failed: Evicted: "no memory"')


async def test_an_empty_previous_log_comes_with_how_that_run_ended(tmp_path: Path) -> None:
    last = {"exitCode": 128, "reason": "StartError", "message": "no such program"}
    waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
    container = {"state": waiting, "lastState": {"terminated": last}}
    found = await _logs(tmp_path, container, PlainTextResponse(""), previous=True)
    assert found["hint"] == (
        'main wrote nothing in its previous run, which terminated: StartError, exit code 128: "no such program"'
    )


async def _logs(
    tmp_path: Path, container: dict[str, Any], answer: Response, previous: bool = False, **pod_status: Any
) -> dict[str, Any]:
    """What is told of a pod with this status of its one container, where its log is answered like this."""
    status = {"containerStatuses": [{"name": "main", "ready": False, "restartCount": 0, **container}], **pod_status}
    spec = {"nodeName": "one", "containers": [{"name": "main", "image": "x"}]}
    pod = {"metadata": {"name": "web", "namespace": "default"}, "spec": spec, "status": status}

    async def one(request: Request) -> JSONResponse:
        return JSONResponse(pod)

    async def log(request: Request) -> Response:
        return answer

    routes = [Route("/api", discovery), Route("/apis", discovery), Route(POD, one), Route(f"{POD}/log", log)]
    async with served(Starlette(routes=routes), lifespan="off") as url:
        settings = KubernetesSettings(kubeconfig=str(kubeconfig(url, tmp_path)))
        async with Client(assemble(SERVER, settings, patient())) as client:
            return await ToolCaller(client).ok("k8s_get_pod_logs", pod_name="web", previous=previous)
