"""Images of the suite on the node of the test cluster, and a release of the chart that tests share."""

import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.applying import connected
from tests.cluster import suite_images
from tests.cluster.images import import_image, present
from tests.cluster.model import Cluster
from tests.e2e.release import Release
from tests.mcpservers import serve_mcpservers

Images = Callable[[str], str]


@pytest.fixture(scope="session")
def images(cluster: Cluster) -> Images:
    """`images("kubernetes")`: the image of a server or of the `controller`, present on the node."""
    why_not = suite_images.why_no_images() or (None if cluster.ctr else f"no way into the node of {cluster.kind}")
    if why_not:
        pytest.skip(f"images of the suite: {why_not}")

    def say(text: str) -> None:
        print(f"[images] {text}", file=sys.stderr, flush=True)

    def image(server: str) -> str:
        found = suite_images.reference(server)
        if not present(cluster, found):
            import_image(cluster, suite_images.suite_image(server, say))
        return found

    return image


@pytest.fixture(scope="session")
async def shared(
    cluster: Cluster, helm: Path, images: Images, dns: None, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Release]:
    """The release; installed by the first test that needs it, and gone after the last."""
    for each in ("controller", "kubernetes"):
        images(each)
    async with connected(cluster) as api:
        await serve_mcpservers(api)
        found = Release(api, cluster, helm, tmp_path_factory.mktemp("release"))
        yield found
        await found.end()


@pytest.fixture
async def release(shared: Release) -> AsyncIterator[Release]:
    """The chart as a release with two running controllers and the Kubernetes server."""
    await shared.installed()
    yield shared
    await shared.tidied()
