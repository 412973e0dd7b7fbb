"""The chart, rendered by helm and met by the real API server."""

from pathlib import Path

import pytest

from kmcp_runtime.kube.api import KubeApi
from tests.chart.rendering import Chart
from tests.mcpservers import serve_mcpservers


@pytest.fixture
def chart(helm: Path) -> Chart:
    return Chart(helm)


@pytest.fixture
async def api(api: KubeApi) -> KubeApi:
    """The API server, with the kind MCPServer."""
    await serve_mcpservers(api)
    return api
