"""The Helm server against the real cluster, beside the helm binary itself."""

import json
import os
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client

from kmcp_helm.server import SERVER
from kmcp_runtime.engine.assembly import assemble
from kmcp_runtime.helm.settings import HelmSettings
from tests.cluster.model import Cluster
from tests.mcp import ToolCaller
from tests.patience import patient
from tests.slowness import scaled

CHARTS = Path(__file__).parent / "charts"


@dataclass(frozen=True)
class Cli:
    """The binary as a person uses it, in a home of its own: what the tools are compared with."""

    program: Path
    home: Path
    kubeconfig: Path | None = None

    def __call__(self, *arguments: str) -> str:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.home)}
        if self.kubeconfig:
            environment["KUBECONFIG"] = str(self.kubeconfig)
        ended = subprocess.run(
            [self.program, *arguments], env=environment, cwd=self.home, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--output=json"))


@pytest.fixture
def cli(cluster: Cluster, helm: Path, tmp_path: Path) -> Cli:
    return Cli(helm, tmp_path, cluster.kubeconfig)


@pytest.fixture
def settings(cluster: Cluster, helm: Path) -> HelmSettings:
    return HelmSettings(
        kubeconfig=str(cluster.kubeconfig), kube_timeout=scaled(30), helm=str(helm), chart_directory=str(CHARTS)
    )


@pytest.fixture
async def tools(settings: HelmSettings) -> AsyncIterator[ToolCaller]:
    """The server as the cluster's administrator; destruction needs no approval here."""
    async with Client(assemble(SERVER, settings, patient(approval="off"))) as client:
        yield ToolCaller(client)


@pytest.fixture
async def charts_alone(helm: Path) -> AsyncIterator[ToolCaller]:
    """The server without a cluster: for charts alone."""
    settings = HelmSettings(helm=str(helm), kubeconfig="/no/cluster", chart_directory=str(CHARTS))
    async with Client(assemble(SERVER, settings)) as client:
        yield ToolCaller(client)
