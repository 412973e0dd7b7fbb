"""A3: one token works once over all replicas, because its use is noted in the cluster."""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from kmcp_runtime import ERROR_META, RuntimeSettings, SettingsError
from kmcp_runtime.approval_leases import EXPIRES, LABEL, UsedInCluster
from kmcp_runtime.engine.approval import Approvals
from kmcp_runtime.engine.assembly import http_app
from kmcp_runtime.engine.configured import ConfiguredServer, Process
from kmcp_runtime.engine.sealing import Seal
from kmcp_runtime.kube import config
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.web import Timeouts
from tests.cluster.model import Cluster
from tests.kubernetes.making import kubeconfig
from tests.mcp import ToolCaller
from tests.ports import free_ports
from tests.runtime.conftest import connected, shelf_of, shelved
from tests.runtime.raw_answers import MODERN, failure_of, raw_client
from tests.runtime.test_answers import YES
from tests.serving import served
from tests.slowness import scaled

KEY = "k" * 32
CLEAR = {"action": "clear"}
"""Of an empty shelf: its plan stays the same however often it is done, so only the ledger can refuse."""


class StandIn:
    """An API server that knows Leases alone, and can be made to fail."""

    def __init__(self) -> None:
        self.leases: dict[str, dict[str, Any]] = {}
        self.failing: dict[str, Response] = {}
        """Answers that stand in place of the usual ones, by method."""

    async def answer(self, request: Request) -> Response:
        if request.method in self.failing:
            return self.failing[request.method]
        if request.method == "GET":
            assert request.query_params["labelSelector"] == f"{LABEL}=used"
            return JSONResponse({"kind": "LeaseList", "items": [*self.leases.values()]})
        if request.method == "DELETE":
            self.leases.pop(request.path_params["name"])
            return JSONResponse({"kind": "Status", "status": "Success"})
        lease = json.loads(await request.body())
        if lease["metadata"]["name"] in self.leases:
            return status(409, "AlreadyExists")
        self.leases[lease["metadata"]["name"]] = lease
        return JSONResponse(lease, 201)

    def keep(self, name: str, expires: str | None) -> None:
        annotations = {EXPIRES: expires} if expires is not None else {}
        self.leases[name] = {"metadata": {"name": name, "annotations": annotations}}


def status(code: int, reason: str) -> Response:
    return JSONResponse({"kind": "Status", "reason": reason, "message": f"leases: {reason}", "code": code}, code)


@pytest.fixture
async def standing(tmp_path: Path) -> AsyncIterator[tuple[StandIn, Path]]:
    stand_in = StandIn()
    path = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
    routes = [
        Route(path, stand_in.answer, methods=["GET", "POST"]),
        Route(path + "/{name}", stand_in.answer, methods=["DELETE"]),
    ]
    async with served(Starlette(routes=routes)) as url:
        yield stand_in, kubeconfig(url, tmp_path)


def replica(path: Path, namespace: str = "", **ledger: Any) -> ConfiguredServer:
    """A server whose key is that of all replicas, and whose uses are noted in the cluster."""
    runtime = RuntimeSettings(state_key=KEY, timeout=scaled(60))
    limits = ledger.pop("timeouts", Timeouts(connect=scaled(5), read=scaled(30), whole=scaled(30)))
    used = UsedInCluster(config.load_contexts(str(path)), namespace, timeouts=limits, **ledger)
    return shelved(replace(Process.of(runtime), approvals=Approvals("plan", Seal(KEY), used)))


@asynccontextmanager
async def called(*instances: ConfiguredServer) -> AsyncIterator[list[ToolCaller]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(connected(instance)) for instance in instances]


async def race(path: Path, namespace: str = "") -> None:
    """Fifty calls at once on two replicas with one token: one acts, the others are told."""
    async with called(replica(path, namespace), replica(path, namespace)) as callers:
        token = (await callers[0].fails("shelf_tidy", **CLEAR))["approval"]
        answers = await asyncio.gather(*(attempt(callers[number % 2], token) for number in range(50)))
        outcomes = Counter(answers)
        assert outcomes == {"ok": 1, "approval_required: the approval token has been used; nothing was changed": 49}
    async with called(replica(path, namespace)) as (restarted,):
        assert "has been used" in await attempt(restarted, token)


async def attempt(caller: ToolCaller, token: str) -> str:
    result = await caller.client.call_tool("shelf_tidy", {**CLEAR, "approval": token}, raise_on_error=False)
    if not result.is_error:
        return "ok"
    body = (result.meta or {})[ERROR_META]
    return f"{body['code']}: {body['message']}"


async def test_A3_a_token_works_once_over_two_replicas_and_fifty_calls(standing: tuple[StandIn, Path]) -> None:
    await race(standing[1])


@pytest.mark.cluster
async def test_A3_a_token_works_once_on_a_real_api_server(cluster: Cluster, api: KubeApi, namespace: str) -> None:
    await race(cluster.kubeconfig, namespace)
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
    (lease,) = (await api.get(path))["items"]
    assert lease["metadata"]["annotations"]["kmcp-suite/tool"] == "shelf_tidy"
    long_ago = {"metadata": {"annotations": {EXPIRES: "2020-01-01T00:00:00Z"}}}
    await api.send("PATCH", f"{path}/{lease['metadata']['name']}", (), long_ago, "application/merge-patch+json")
    async with called(replica(cluster.kubeconfig, namespace)) as (caller,):
        token = (await caller.fails("shelf_tidy", **CLEAR))["approval"]
        await caller.ok("shelf_tidy", **CLEAR, approval=token)
    (left,) = (await api.get(path))["items"]
    assert left["metadata"]["name"] != lease["metadata"]["name"], "what has ended is removed by the next use"


async def test_A3_a_token_of_before_a_restart_works_once(standing: tuple[StandIn, Path]) -> None:
    async with called(replica(standing[1])) as (before,):
        token = (await before.fails("shelf_tidy", **CLEAR))["approval"]
    async with called(replica(standing[1])) as (after,):
        assert await attempt(after, token) == "ok"
        assert "has been used" in await attempt(after, token)


async def test_A3_the_answer_to_a_question_may_reach_another_replica_and_counts_once(
    standing: tuple[StandIn, Path],
) -> None:
    one, other = replica(standing[1]), replica(standing[1])
    async with (
        one.opened(),
        other.opened(),
        served(http_app("shelf", [one], None)) as first,
        served(http_app("shelf", [other], None)) as second,
        raw_client(first, MODERN) as asking,
        raw_client(second, MODERN) as answering,
    ):
        state = (await asking.send_modern("shelf_tidy", CLEAR))["result"]["requestState"]
        yes = {"inputResponses": {"confirm": YES}, "requestState": state}
        answers = await asyncio.gather(
            *(client.send_modern("shelf_tidy", CLEAR, **yes) for client in (asking, answering) for _ in range(10))
        )
    done = [answer for answer in answers if not answer["result"].get("isError")]
    assert len(done) == 1
    assert {failure_of(answer)["message"] for answer in answers if answer not in done} == {
        "the approval token has been used; nothing was changed"
    }


@pytest.mark.parametrize(
    ("answer", "why", "hint"),
    [
        (status(403, "Forbidden"), "leases: Forbidden", "grant this server create, list and delete on leases"),
        (status(401, "Unauthorized"), "leases: Unauthorized", "call again without approval"),
        (status(500, "InternalError"), "leases: InternalError", "call again without approval"),
        (status(409, "Conflict"), "leases: Conflict", "call again without approval"),
        (PlainTextResponse("<html>log in"), "is not JSON of its own", "call again without approval"),
        (JSONResponse([]), "is not JSON of its own", "call again without approval"),
        (PlainTextResponse("[" * 5000, 201), "is not JSON of its own", "call again without approval"),
        (
            JSONResponse({"ok": True}, 201),
            "does not answer like a Kubernetes API server",
            "call again without approval",
        ),
        (RedirectResponse("http://127.0.0.1:1/"), "HTTP 307", "call again without approval"),
    ],
)
async def test_A3_a_use_that_cannot_be_noted_destroys_nothing_and_says_so(
    standing: tuple[StandIn, Path], answer: Response, why: str, hint: str
) -> None:
    stand_in, path = standing
    instance = replica(path)
    async with called(instance) as (caller,):
        books = shelf_of(instance).books
        books["moby"] = "dick"
        token = (await caller.fails("shelf_tidy", **CLEAR))["approval"]
        stand_in.failing["POST"] = answer
        error = await caller.fails("shelf_tidy", **CLEAR, approval=token)
        assert error["code"] == "unavailable"
        assert why in error["message"]
        assert error["message"].endswith("nothing was changed")
        assert hint in error["hint"]
        assert "approval" not in error
        assert books
        del stand_in.failing["POST"]
        await caller.ok("shelf_tidy", **CLEAR, approval=token)


async def test_A3_where_no_api_server_answers_nothing_is_destroyed(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    instance = replica(kubeconfig(f"http://127.0.0.1:{port}", tmp_path))
    async with called(instance) as (caller,):
        token = (await caller.fails("shelf_tidy", **CLEAR))["approval"]
        error = await caller.fails("shelf_tidy", **CLEAR, approval=token)
        assert error["code"] == "unavailable"
        assert "cannot be recorded" in error["message"]


async def test_A3_an_api_server_that_hangs_is_given_up(tmp_path: Path) -> None:
    never = asyncio.Event()

    async def hang(request: Request) -> Response:
        await never.wait()
        return Response()

    routes = [Route("/{rest:path}", hang, methods=["GET", "POST"])]
    async with served(Starlette(routes=routes)) as url:
        async with called(replica(kubeconfig(url, tmp_path), timeouts=Timeouts(1, 0.2, 0.2))) as (caller,):
            token = (await caller.fails("shelf_tidy", **CLEAR))["approval"]
            error = await caller.fails("shelf_tidy", **CLEAR, approval=token)
        never.set()
    assert error["code"] == "unavailable"
    assert "did not answer within" in error["message"]


async def test_A3_what_has_ended_is_removed_and_nothing_else(standing: tuple[StandIn, Path]) -> None:
    stand_in, path = standing
    now = datetime.now(UTC)
    for number in range(30):
        stand_in.keep(f"old-{number}", (now - timedelta(hours=2)).isoformat())
    stand_in.keep("ended-a-moment-ago", (now - timedelta(minutes=5)).isoformat())
    stand_in.keep("not-yet", (now + timedelta(minutes=5)).isoformat())
    stand_in.keep("foreign", None)
    stand_in.keep("unreadable", "soon")
    async with called(replica(path)) as (caller,):
        for _ in range(2):
            token = (await caller.fails("shelf_tidy", **CLEAR))["approval"]
            await caller.ok("shelf_tidy", **CLEAR, approval=token)
    kept = {name for name in stand_in.leases if not name.startswith("kmcp-used-")}
    assert kept == {"ended-a-moment-ago", "not-yet", "foreign", "unreadable"}


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_A3_what_cannot_be_removed_stops_nobody(
    standing: tuple[StandIn, Path], method: str, caplog: pytest.LogCaptureFixture
) -> None:
    stand_in, path = standing
    stand_in.keep("old", "2020-01-01T00:00:00Z")
    stand_in.failing[method] = status(403, "Forbidden")
    async with called(replica(path)) as (caller,):
        token = (await caller.fails("shelf_tidy", **CLEAR))["approval"]
        await caller.ok("shelf_tidy", **CLEAR, approval=token)
    assert "are left over in default" in caplog.text


def test_A3_the_setting_needs_a_key_and_a_cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig("http://127.0.0.1:1", tmp_path)))
    with pytest.raises(SettingsError, match="common key in KMCP_STATE_KEY"):
        Process.of(RuntimeSettings(approval_ledger="lease"))
    assert Process.of(RuntimeSettings(approval_ledger="lease", state_key=KEY))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "absent"))
    with pytest.raises(SettingsError, match=r"KMCP_APPROVAL_LEDGER: the kubeconfig .* does not exist; set KUBECONFIG"):
        Process.of(RuntimeSettings(approval_ledger="lease", state_key=KEY))


def test_a_server_that_notes_nothing_in_a_cluster_loads_nothing_of_one(tmp_path: Path) -> None:
    """And one that does needs no package that images of other backends lack."""
    program = """
import sys
from kmcp_runtime import RuntimeSettings
from kmcp_runtime.engine.assembly import http_app
from kmcp_runtime.engine.configured import Process
sys.modules["kubernetes"] = sys.modules["aiohttp"] = None
Process.of(RuntimeSettings(state_key="k" * 32))
assert "kmcp_runtime.kube" not in sys.modules
Process.of(RuntimeSettings(state_key="k" * 32, approval_ledger="lease"))
"""
    path = kubeconfig("http://127.0.0.1:1", tmp_path)
    environment = {"KUBECONFIG": str(path), "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
