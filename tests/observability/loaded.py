"""Servers and a controller's metrics under load of every kind, and the real Prometheus that scrapes them."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
from fastmcp import Client
from fastmcp.client.elicitation import ElicitResult

from kmcp_controller.program.management import exposition
from kmcp_prometheus.server import SERVER as PROMETHEUS
from kmcp_prometheus.settings import PrometheusSettings
from kmcp_runtime.engine import health
from kmcp_runtime.engine.assembly import compose
from kmcp_runtime.engine.configured import ConfiguredServer, Process
from tests.controller.test_metrics import filled
from tests.mcp import ToolCaller
from tests.patience import patient
from tests.prometheus import program
from tests.runtime import shelf
from tests.runtime.conftest import shelf_of
from tests.serving import served
from tests.slowness import scaled

SCRAPING = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - {{job_name: servers, static_configs: [{{targets: ["{servers}"]}}]}}
  - {{job_name: controller, honor_labels: true, static_configs: [{{targets: ["{controller}"]}}]}}
"""


class Prometheus:
    """Asks the real one."""

    def __init__(self, url: str) -> None:
        self._http = httpx2.AsyncClient(base_url=url, timeout=scaled(30))

    async def query(self, expression: str) -> list[dict[str, Any]]:
        """The vector of an instant query; an expression that does not parse fails the test."""
        answer = (await self._http.post("/api/v1/query", data={"query": expression})).json()
        assert answer["status"] == "success", (expression, answer)
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    async def query_range(self, expression: str, start: float, end: float) -> list[dict[str, Any]]:
        form = {"query": expression, "start": str(start), "end": str(end), "step": "1"}
        answer = (await self._http.post("/api/v1/query_range", data=form)).json()
        assert answer["status"] == "success", (expression, answer)
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    async def labels(self, metric: str) -> set[str]:
        """Names of the labels that the series of a metric have; none where there is no such series."""
        answer = (await self._http.get("/api/v1/series", params={"match[]": metric})).json()
        return {label for series in answer["data"] for label in series}

    async def close(self) -> None:
        await self._http.aclose()


@asynccontextmanager
async def scraped(binaries: Mapping[str, Path], directory: Path) -> AsyncIterator[Prometheus]:
    """A Prometheus that scrapes servers, which are called all the while, and what a controller shows."""
    async with AsyncExitStack() as stack:
        backend = stack.enter_context(program.running(binaries, _made(directory / "backend"), program.EMPTY))
        process = Process.of(patient())
        shelves = ConfiguredServer(shelf.SERVER, shelf.ShelfSettings(), process)
        asking = ConfiguredServer(PROMETHEUS, PrometheusSettings(prometheus_url=backend), process)
        for each in (shelves, asking):
            await stack.enter_async_context(each.opened())
        await stack.enter_async_context(process.metrics.watchdog.watching())
        servers = await stack.enter_async_context(served(health.app([shelves, asking], lambda: True), lifespan="off"))
        _, metrics = filled()
        controller = await stack.enter_async_context(served(exposition(metrics, None), lifespan="off"))
        configuration = SCRAPING.format(servers=_place(servers), controller=_place(controller))
        url = stack.enter_context(program.running(binaries, _made(directory / "scraping"), configuration))
        composed = compose("suite", [shelves, asking], None)
        client = await stack.enter_async_context(Client(composed))
        asked = await stack.enter_async_context(Client(composed, elicitation_handler=_decline))
        calling = asyncio.create_task(_call(ToolCaller(client), ToolCaller(asked), shelves))
        found = Prometheus(url)
        try:
            yield found
            assert not calling.done(), calling
        finally:
            calling.cancel()
            with suppress(asyncio.CancelledError):
                await calling
            await found.close()


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory


def _place(url: str) -> str:
    return httpx2.URL(url).netloc.decode()


async def _decline(*_: Any) -> ElicitResult[Any]:
    return ElicitResult(action="decline")


async def _call(caller: ToolCaller, asked: ToolCaller, shelves: ConfiguredServer) -> None:
    """Calls of every kind, again and again: answers, errors, a person's no, approvals, requests to a backend."""
    while True:
        shelf_of(shelves).books["moby"] = "dick"
        await caller.ok("shelf_list")
        await caller.fails("shelf_read", name="absent")
        await caller.fails("shelf_refuse")
        await asked.fails("shelf_burn", name="moby")
        token = (await caller.fails("shelf_burn", name="moby"))["approval"]
        await caller.ok("shelf_burn", name="moby", approval=token)
        await caller.ok("prometheus_query_tool", query="vector(1)")
        await asyncio.sleep(0.1)


def dashboards() -> dict[str, dict[str, Any]]:
    folder = Path("charts/kmcp/files/dashboards")
    return {file.stem: json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))}


def expressions(board: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Title and expression of each query of a dashboard, as Grafana would send it for all servers."""
    found = [(panel["title"], target["expr"]) for panel in board["panels"] for target in panel.get("targets", ())]
    return [
        (title, text.replace("$__rate_interval", "10s").replace("$server", ".*").replace("$tool", ".*"))
        for title, text in found
    ]
