"""Servers with real backends, for clients that show views."""

from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from mcp.client.extension import advertise
from playwright.async_api import expect

from kmcp_prometheus.server import SERVER as PROMETHEUS
from kmcp_prometheus.settings import PrometheusSettings
from kmcp_runtime import apps
from kmcp_runtime.engine.assembly import assemble
from tests.apps import mesh_metrics
from tests.browser.conftest import axe as axe
from tests.browser.conftest import browser as browser
from tests.patience import patient
from tests.prometheus import program
from tests.prometheus.conftest import binaries as binaries
from tests.slowness import scaled


@pytest.fixture(autouse=True)
def patience() -> None:
    expect.set_options(timeout=scaled(10) * 1000)


@pytest.fixture(scope="session")
def mesh_prometheus(binaries: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Prometheus that holds the known data, metrics of a mesh, and labels that mean harm."""
    directory = tmp_path_factory.mktemp("apps")
    program.backfill(binaries, directory, mesh_metrics.openmetrics())
    with program.running(binaries, directory, program.EMPTY) as url:
        yield url


@pytest.fixture
async def metrics(mesh_prometheus: str) -> AsyncIterator[Client[Any]]:
    server = assemble(PROMETHEUS, PrometheusSettings(prometheus_url=mesh_prometheus), patient())
    async with Client(server, extensions=[advertise(apps.EXTENSION, {"mimeTypes": [apps.MIME_TYPE]})]) as client:
        yield client
