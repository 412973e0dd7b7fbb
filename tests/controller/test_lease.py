"""Who holds the Lease, while the API server neither answers nor refuses."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from kmcp_controller.cluster import lease
from kmcp_controller.cluster.client import Cluster
from kmcp_controller.cluster.lease import Lease
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.config import load_contexts
from tests.cluster.model import Cluster as Given
from tests.controller.away import wire
from tests.patience import limits
from tests.slowness import scaled


@pytest.mark.cluster
async def test_it_is_given_up_before_another_may_take_it(
    cluster: Given, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However slow an attempt to renew it is: two that write at once would undo each other's work."""
    second = scaled(1)
    monkeypatch.setattr(lease, "_RENEW", second)
    monkeypatch.setattr(lease, "_GIVE_UP", 2 * second)
    monkeypatch.setattr(lease, "_LOOK", 0.1 * second)
    loop, told = asyncio.get_running_loop(), asyncio.Queue[tuple[bool, float]]()
    async with wire(cluster.kubeconfig, tmp_path) as way:
        contexts = load_contexts(str(way.kubeconfig))
        api = KubeApi(contexts, contexts.named(None), limits())
        held = Lease(Cluster(api), namespace, "one", "", lambda mine: told.put_nowait((mine, loop.time())))
        running = asyncio.create_task(held.run())
        try:
            async with asyncio.timeout(scaled(60)):
                assert (await told.get())[0]
                way.flowing.clear()
                stalled = loop.time()
                mine, when = await told.get()
        finally:
            way.flowing.set()
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
            await api.close()
    assert not mine
    # The last renewal was before; half a second more is the machine's own.
    assert when - stalled <= 2.5 * second
