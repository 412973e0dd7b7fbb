"""D1: what requests to Prometheus do, and that what deletes is asked before it leaves."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse

from kmcp_prometheus.api.path_effects import judge
from kmcp_runtime import Effect
from tests.mcp import ToolCaller
from tests.patience import patient
from tests.prometheus.conftest import connect
from tests.serving import served

_VECTOR = {"resultType": "vector", "result": [{"metric": {"__name__": "up"}, "value": [1, "1"]}]}


class Recorder:
    """Answers as Prometheus does, and writes down what reached `/admin`."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        name = request.url.path.removeprefix("/api/v1/")
        if name.startswith("admin/"):
            self.sent.append(f"{request.method} {name}")
        data: Any = {"name": "20261101"} if name.endswith("snapshot") else _VECTOR
        data = {"yaml": ""} if name == "status/config" else [{"__name__": "up"}] if name == "series" else data
        data = {"web.enable-admin-api": "true"} if name == "status/flags" else data
        data = {"blocks": []} if name == "status/tsdb/blocks" else data
        await JSONResponse({"status": "success", "data": data})(scope, receive, send)


@pytest.fixture
async def careful() -> AsyncIterator[tuple[ToolCaller, Recorder]]:
    """The server as it is by default, for a client that cannot be asked."""
    recorder = Recorder()
    async with served(recorder, lifespan="off") as url:
        async with connect(patient(), prometheus_url=url, prometheus_admin=True) as caller:
            yield caller, recorder


@pytest.mark.parametrize(
    ("tool", "arguments", "sent"),
    [
        (
            "prometheus_delete_series_tool",
            {"match": ["up"], "start": "now-2h", "end": "now-1h"},
            "admin/tsdb/delete_series",
        ),
        ("prometheus_clean_tombstones_tool", {}, "admin/tsdb/clean_tombstones"),
    ],
)
async def test_D1_what_deletes_leaves_only_with_a_yes(
    careful: tuple[ToolCaller, Recorder], tool: str, arguments: dict[str, Any], sent: str
) -> None:
    caller, recorder = careful
    error = await caller.fails(tool, **arguments)
    assert error["code"] == "approval_required"
    assert recorder.sent == []
    await caller.fails(tool, **arguments, approval="invented")
    assert recorder.sent == []
    await caller.ok(tool, **arguments, approval=error["approval"])
    assert [line for line in recorder.sent if sent in line] != []


async def test_D1_a_snapshot_is_not_asked(careful: tuple[ToolCaller, Recorder]) -> None:
    caller, recorder = careful
    await caller.ok("prometheus_create_snapshot_tool")
    assert recorder.sent == ["POST admin/tsdb/snapshot"]


@pytest.mark.parametrize(
    ("method", "path", "effect"),
    [
        ("GET", "/api/v1/query", Effect.READ),
        ("POST", "/api/v1/query_range", Effect.READ),
        ("POST", "/prometheus/api/v1/series", Effect.READ),
        ("GET", "/-/healthy", Effect.READ),
        ("POST", "/api/v1/admin/tsdb/snapshot", Effect.WRITE),
        ("POST", "/api/v1/admin/tsdb/delete_series", Effect.DESTROY),
        ("PUT", "/api/v1/admin/tsdb/delete_series", Effect.DESTROY),
        ("POST", "/api/v1/admin/tsdb/clean_tombstones", Effect.DESTROY),
        ("POST", "/-/quit", Effect.DESTROY),
        ("POST", "/api/v1/query/other", Effect.DESTROY),
        ("DELETE", "/api/v1/query", Effect.DESTROY),
        ("DELETE", "/api/v1/rules/x", Effect.DESTROY),
    ],
)
def test_D1_what_a_path_does(method: str, path: str, effect: Effect) -> None:
    assert judge(method, path).effect is effect
