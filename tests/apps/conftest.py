"""Servers with real backends, for clients that show views."""

import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client, FastMCP
from mcp.client.extension import advertise

from kmcp_argo.server import SERVER as ARGO
from kmcp_kubernetes.server import SERVER as KUBERNETES
from kmcp_prometheus.server import SERVER as PROMETHEUS
from kmcp_prometheus.settings import PrometheusSettings
from kmcp_runtime import apps
from kmcp_runtime.engine.assembly import assemble
from tests.apps import mesh_metrics
from tests.browser.conftest import axe as axe
from tests.browser.conftest import browser as browser
from tests.packages import npm_packages
from tests.patience import patient
from tests.prometheus import program
from tests.prometheus.conftest import binaries as binaries


@pytest.fixture(scope="session")
def mesh_prometheus(binaries: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Prometheus that holds the known data, metrics of a mesh, and labels that mean harm."""
    directory = tmp_path_factory.mktemp("apps")
    program.backfill(binaries, directory, mesh_metrics.openmetrics())
    with program.running(binaries, directory, program.EMPTY) as url:
        yield url


def showing(server: FastMCP[Any]) -> Client[Any]:
    """A client that shows views."""
    return Client(server, extensions=[advertise(apps.EXTENSION, {"mimeTypes": [apps.MIME_TYPE]})])


@pytest.fixture
async def metrics(mesh_prometheus: str) -> AsyncIterator[Client[Any]]:
    async with showing(assemble(PROMETHEUS, PrometheusSettings(prometheus_url=mesh_prometheus), patient())) as client:
        yield client


@pytest.fixture
async def argo() -> AsyncIterator[Client[Any]]:
    """Without a backend: results are recorded ones."""
    async with showing(assemble(ARGO)) as client:
        yield client


@pytest.fixture
async def kubernetes() -> AsyncIterator[Client[Any]]:
    """Without a backend: results are recorded ones."""
    async with showing(assemble(KUBERNETES)) as client:
        yield client


@pytest.fixture(scope="session")
def bridge() -> str:
    """The script of the host's side of the extension's own library, made of its package once."""
    modules = npm_packages(Path(__file__).parent / "bridge")
    made = modules.parent / "bridge.js"
    if not made.exists():
        entry = modules.parent / "entry.js"
        entry.write_text('export * from "@modelcontextprotocol/ext-apps/app-bridge";\n')
        command = [str(modules / ".bin" / "esbuild"), str(entry), "--bundle", "--format=iife", "--global-name=ExtApps"]
        text = subprocess.run(command, cwd=modules.parent, check=True, capture_output=True, text=True).stdout
        made.write_text(text)
    return made.read_text()
