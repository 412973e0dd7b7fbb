"""One real agent for all processes of a run: the first that needs it starts it, the one that controls the run ends it.

What is running stands in a file beside the test clusters, changed under a lock. Runs that share a cluster take turns:
the agent acts as the agent of the cluster's only node.
"""

import asyncio
import fcntl
import hashlib
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.config import load_contexts
from tests.cilium import agent
from tests.cilium.agent import Agent
from tests.cluster import lifetime
from tests.patience import limits
from tests.slowness import Deadline

_PREFIX = "cilium-agent-"
TURN_SECONDS = 1_200
"""For the turn: as long as another run's tests of Cilium may take."""


class NoTurn(Exception):
    """Another run did not give the cluster back in time."""


@dataclass(frozen=True)
class Holder:
    """The run whose agent runs, the process that it ends with, and the cluster that it is in."""

    run: str
    pid: int
    kubeconfig: str

    @property
    def alive(self) -> bool:
        return Path(f"/proc/{self.pid}").is_dir()


@asynccontextmanager
async def connected(kubeconfig: str) -> AsyncIterator[KubeApi]:
    contexts = load_contexts(kubeconfig)
    api = KubeApi(contexts, contexts.named(None), limits())
    try:
        yield api
    finally:
        await api.close()


async def obtain(mine: Holder, api: KubeApi, start: Callable[[], Awaitable[Agent]]) -> Agent:
    """The agent of this run, started when it is not running."""
    deadline = Deadline(TURN_SECONDS)
    file = _file(mine.kubeconfig)
    while True:
        async with _locked(file):
            holder = _holder(file)
            running = await agent.attach(api) if holder == mine else None
            if running is not None:
                return running
            if holder is None or holder == mine or not holder.alive:
                await agent.stop(api)
                found = await start()
                file.write_text(json.dumps(asdict(mine)))
                return found
        if deadline.passed():
            raise NoTurn(f"run {holder.run} (process {holder.pid}) holds the Cilium agent of this cluster")
        await asyncio.sleep(1)


def release(run: str) -> None:
    """End the agent of a run; nothing where it has none."""
    for file in lifetime.home().glob(f"{_PREFIX}*.json"):
        holder = _holder(file)
        if holder is not None and holder.run == run:
            file.unlink()
            if Path(holder.kubeconfig).is_file():  # Else the cluster is gone, and all that was in it.
                asyncio.run(_stop(holder.kubeconfig))
            if lifetime.home() / run in Path(holder.kubeconfig).parents:  # A given cluster has other runs too.
                file.with_suffix(".lock").unlink()


async def _stop(kubeconfig: str) -> None:
    async with connected(kubeconfig) as api:
        await agent.stop(api)


def _file(kubeconfig: str) -> Path:
    return lifetime.home() / f"{_PREFIX}{hashlib.sha256(kubeconfig.encode()).hexdigest()[:12]}.json"


def _holder(file: Path) -> Holder | None:
    return Holder(**json.loads(file.read_text())) if file.is_file() else None


@asynccontextmanager
async def _locked(file: Path) -> AsyncIterator[None]:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        await asyncio.to_thread(fcntl.flock, descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
