"""Fixtures of the whole suite; the cluster comes from `tests/cluster`."""

import logging
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from xdist.scheduler import LoadFileScheduling

from kmcp_runtime.kube.api import KubeApi
from tests.applying import connected
from tests.cluster.dns import serve_dns, serves_dns
from tests.cluster.model import Cluster
from tests.cluster.run import run_of

# On a machine with other work an example now and then takes longer; what an input may cost has tests of its own.
hypothesis.settings.register_profile("shared", deadline=None)
hypothesis.settings.load_profile("shared")

# What a shell starts in the background ignores Ctrl-C, and so would every program that a test starts and ends by it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["tests.trust", "tests.time_limits", "tests.cluster.plugin", "tests.cilium.plugin"]
LONG = ("e2e", "controller", "cilium", "argo", "istio", "bridge", "helm")
"""Folders whose tests wait for pods and processes, the longest first."""
FOLDERS = {"rollouts": "argo", "prometheus": "prometheus", "istio": "istio", "proxy": "istio", "cilium": "cilium"}
"""By backend: whose tests wait for its build."""
TOGETHER = ("e2e", "cilium")
"""Folders whose files share what takes long to make, and what one test changes under another: a release, an agent."""


class Scheduling(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """The tests of a file, or of a whole folder that belongs together, run in one worker."""

    def _split_scope(self, nodeid: str) -> str:
        folder = nodeid.removeprefix("tests/").partition("/")[0]
        return folder if folder in TOGETHER else str(super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    return Scheduling(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Half as many again as there are cores: about a third of a run waits for pods, watches and deadlines."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores + (cores + 1) // 2


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What waits for pods goes first, or one worker would end alone with it; what waits for a build goes last."""
    rank = {folder: number for number, folder in enumerate(LONG)}
    rank |= {FOLDERS[name]: len(LONG) + 1 for name in run_of(config).missing_backends if name in FOLDERS}
    here = Path(__file__).parent
    items.sort(key=lambda item: rank.get(item.path.relative_to(here).parts[0], len(LONG)))


class _Unbound(logging.Handler):
    """Collects plans of destruction that bound no object."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(record.getMessage())


@pytest.fixture(autouse=True)
def every_destruction_is_bound() -> Iterator[None]:
    """A4: whichever tool a test has destroy something, its plan named what it found, in its state."""
    unbound = _Unbound()
    logger = logging.getLogger("kmcp.approval")
    logger.addHandler(unbound)
    yield
    logger.removeHandler(unbound)
    assert [message for message in unbound.found if "bound nothing" in message] == []


@pytest.fixture
async def api(cluster: Cluster) -> AsyncIterator[KubeApi]:
    """The API server itself, for making and checking what is acted on."""
    async with connected(cluster) as found:
        yield found


@pytest.fixture(scope="session")
async def dns(cluster: Cluster, backend: Callable[[str], Mapping[str, Path]]) -> None:
    """Names of Services resolve in pods."""
    async with connected(cluster) as api:
        if not await serves_dns(api):
            await serve_dns(api, cluster, backend("coredns")["coredns"])
