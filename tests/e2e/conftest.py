"""Images of the suite on the node of the test cluster, and the kind MCPServer."""

import sys
from pathlib import Path

import pytest

from kmcp_runtime.kube.api import KubeApi
from tests.cluster import suite_images
from tests.cluster.images import import_image
from tests.cluster.model import Cluster
from tests.mcpservers import serve_mcpservers


@pytest.fixture(scope="session")
def image(cluster: Cluster) -> str:
    """The image of the Kubernetes server, present on the node."""
    why_not = suite_images.why_no_images() or (None if cluster.ctr else f"no way into the node of {cluster.kind}")
    if why_not:
        pytest.skip(f"images of the suite: {why_not}")

    def say(text: str) -> None:
        print(f"[images] {text}", file=sys.stderr, flush=True)

    tar: Path = suite_images.suite_image("kubernetes", say)
    import_image(cluster, tar)
    return suite_images.reference("kubernetes")


@pytest.fixture
async def definition(api: KubeApi) -> None:
    await serve_mcpservers(api)
