"""pytest side of the real agent: the fixture `agent`, shared by all workers of a run and ended with it."""

from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest

from tests.cilium import agent as real
from tests.cilium import turns
from tests.cilium.agent import Agent
from tests.cilium.turns import Holder
from tests.cluster.model import Cluster
from tests.cluster.plugin import absent, say
from tests.cluster.run import is_worker, run_of


@pytest.hookimpl(tryfirst=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Before the cluster ends: its Cilium agent, in the process that controls the run."""
    if not is_worker(config):
        turns.release(run_of(config).name)


@pytest.fixture(scope="session")
async def agent(
    request: pytest.FixtureRequest, cluster: Cluster, backend: Callable[[str], Mapping[str, Path]]
) -> AsyncIterator[Agent]:
    """A real, furnished agent; skips with the reason where none can run."""
    reason = real.why_not(cluster)
    if reason:
        absent(f"a Cilium agent cannot run: {reason}")
    programs = backend("cilium")
    run = run_of(request.config)
    holder = Holder(run.name, run.pid, str(cluster.kubeconfig))
    async with turns.connected(holder.kubeconfig) as api:
        yield await turns.obtain(
            holder, api, lambda: real.start(cluster, api, programs, lambda text: say(request.config, text))
        )
