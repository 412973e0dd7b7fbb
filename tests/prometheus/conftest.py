"""The Prometheus server against a real Prometheus that holds the data of `known`."""

import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client

from kmcp_prometheus.server import SERVER
from kmcp_prometheus.settings import PrometheusSettings
from kmcp_runtime import RuntimeSettings
from kmcp_runtime.engine.assembly import assemble
from tests.mcp import ToolCaller
from tests.patience import patient
from tests.prometheus import exporter, otlp, program
from tests.waiting import until

Binaries = Mapping[str, Path]


@pytest.fixture(scope="session")
def binaries(backend: Callable[[str], Binaries]) -> Binaries:
    return backend("prometheus")


@pytest.fixture(scope="session")
def prometheus(binaries: Binaries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Prometheus with known data, an exporter, rules, alerts, exemplars and its administrative API."""
    directory = tmp_path_factory.mktemp("prometheus")
    program.with_known_data(binaries, directory)
    rules = directory / "rules.yaml"
    rules.write_text(program.RULES)
    flags = ("--web.enable-admin-api", "--web.enable-otlp-receiver", "--enable-feature=exemplar-storage")
    with exporter.exporting() as target:
        configuration = program.SCRAPING.format(rules=rules, exporter=target)
        with program.running(binaries, directory, configuration, *flags) as url:
            yield url


@pytest.fixture(scope="session")
def histogram(prometheus: str) -> otlp.Pushed:
    """A native histogram of known figures."""
    return otlp.push(prometheus, int(time.time()))


@pytest.fixture(scope="session")
def plain_prometheus(binaries: Binaries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an empty Prometheus without an administrative API."""
    with program.running(binaries, tmp_path_factory.mktemp("plain"), program.EMPTY) as url:
        yield url


@asynccontextmanager
async def connect(runtime: RuntimeSettings | None = None, **settings: Any) -> AsyncIterator[ToolCaller]:
    """The server under these settings; destruction needs no approval unless `runtime` says so."""
    configured = PrometheusSettings(**settings)
    async with Client(assemble(SERVER, configured, runtime or patient(approval="off"))) as client:
        yield ToolCaller(client)


@pytest.fixture
async def tools(prometheus: str) -> AsyncIterator[ToolCaller]:
    async with connect(prometheus_url=prometheus, prometheus_admin=True) as caller:
        yield caller


@pytest.fixture
async def scraped(tools: ToolCaller) -> ToolCaller:
    """The same, once Prometheus has what the exporter tells."""

    async def look() -> dict[str, Any]:
        return await tools.ok("prometheus_query_tool", query='{"shop.orders"}')

    await until(look, lambda seen: bool(seen["items"]), what="the exporter scraped")
    return tools
