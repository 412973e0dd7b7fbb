"""The Cilium server: against real agents, and against stand-ins where no agent can show it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client

from kmcp_cilium.server import SERVER
from kmcp_cilium.settings import CiliumSettings
from kmcp_runtime.engine.assembly import assemble
from tests.cilium.agent import NAMESPACE, Agent
from tests.cluster.model import Cluster
from tests.mcp import ToolCaller
from tests.patience import patient
from tests.slowness import scaled


@pytest.fixture
async def tools(agent: Agent, cluster: Cluster) -> AsyncIterator[ToolCaller]:
    """The server on the cluster of the real agent."""
    async with calling(cluster.kubeconfig, NAMESPACE) as caller:
        yield caller


@asynccontextmanager
async def calling(kubeconfig: Path, namespace: str = "", **runtime: Any) -> AsyncIterator[ToolCaller]:
    """The server on a cluster; destruction needs no approval unless the caller says so."""
    settings = CiliumSettings(kubeconfig=str(kubeconfig), kube_timeout=scaled(30), cilium_namespace=namespace)
    async with Client(assemble(SERVER, settings, patient(**{"approval": "off", **runtime}))) as client:
        yield ToolCaller(client)
