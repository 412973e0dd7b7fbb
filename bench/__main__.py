"""`make bench`: this server, the raw API call, and another server, on the same cluster in the same run."""

import argparse
import asyncio
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from bench import controller, joint, peer
from bench.goal import Goal
from bench.population import PODS, populate
from bench.programs import SHELF, Program, running
from bench.session import Session
from kmcp_runtime.kube.api import KubeApi, Limits
from kmcp_runtime.kube.config import load_contexts
from tests.cluster import lifetime
from tests.cluster.environment import from_environment
from tests.cluster.model import Cluster

SMALL, LARGE = ("bench-small", 20), ("bench-large", 2000)
_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
_OURS = [sys.executable, "-m", "kmcp_kubernetes.server", "--port", "{port}", "--management-port", "0", "--no-audit"]

Measured = Callable[[], Awaitable[int]]


@dataclass
class Sample:
    seconds: float
    answer_bytes: int


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("part", nargs="?", choices=("servers", "controller"), default="servers", help="what to measure")
    parser.add_argument("--rounds", type=int, default=30, help="rounds of every comparison (default %(default)s)")
    parser.add_argument("--count", type=int, default=500, help="MCPServers for the controller (default %(default)s)")
    return asyncio.run(_bench(parser.parse_args()))


async def _bench(options: argparse.Namespace) -> int:
    # The cluster of make cluster: its pods stay from one run to the next, and making 2,000 takes a while.
    cluster = from_environment() or lifetime.obtain("cluster", None, say)
    contexts = load_contexts(str(cluster.kubeconfig))
    api = KubeApi(contexts, contexts.named(None), Limits())
    try:
        if options.part == "controller":
            goals = await controller.measure(api, cluster, options.count)
        else:
            goals = await _measure_servers(api, cluster, options.rounds)
    finally:
        await api.close()
    print(*(goal.line() for goal in goals), sep="\n")
    return 0


async def _measure_servers(api: KubeApi, cluster: Cluster, rounds: int) -> list[Goal]:
    say(f"{cluster.title}: {SMALL[1]} and {LARGE[1]} pods")
    await populate(api, *SMALL)
    await populate(api, *LARGE)
    environment = {"KUBECONFIG": str(cluster.kubeconfig)}
    flags = ["--port", "{port}", "--bind-address", "127.0.0.1", "--kubeconfig", str(cluster.kubeconfig)]
    with ExitStack() as stack:
        ours = stack.enter_context(running(_OURS, environment))
        theirs = stack.enter_context(running([str(peer.binary(say)), *flags], environment))
        shelf = stack.enter_context(running([*SHELF, "--no-audit"], environment))
        return await _compare(api, ours, theirs, shelf, rounds)


async def _compare(api: KubeApi, ours: Program, theirs: Program, shelf: Program, rounds: int) -> list[Goal]:
    one, two = await Session(ours.url).open(), await Session(theirs.url).open()
    # The raw call is compared where the answer is small: there what we add is most of the time.
    small = await _measure_in_turn(
        {"raw": _raw(api, SMALL[0]), "ours": _list(one, SMALL[0]), "peer": _peer(two, SMALL[0])}, rounds
    )
    large = await _measure_in_turn({"ours": _list(one, LARGE[0]), "peer": _peer(two, LARGE[0])}, max(rounds // 3, 3))
    whole = await _measure_in_turn({"ours": _walk(one, LARGE[0]), "peer": _peer(two, LARGE[0])}, max(rounds // 3, 3))
    cpu = await _measure_runtime_cpu(shelf, rounds * 20)
    together = await joint.measure(max(rounds // 3, 3))
    goals = [
        Goal("small namespace, time: ours / raw API call", _ratio(small, "ours", "raw"), 3),
        Goal("small namespace, time: ours / peer", _ratio(small, "ours", "peer"), 1 / 5),
        Goal("2,000 pods, default answer, time: ours / peer", _ratio(large, "ours", "peer"), 1 / 15),
        Goal("2,000 pods, default answer, bytes: ours / peer", _bytes(large, "ours") / _bytes(large, "peer"), 1 / 15),
        Goal("2,000 pods, all of them, time: ours / peer", _ratio(whole, "ours", "peer"), 1 / 5),
        Goal("runtime, CPU milliseconds a call of a tool without a backend", cpu, 2),
        joint.goal(together),
    ]
    for name, samples in {"small": small, "2,000 default": large, "2,000 whole": whole}.items():
        _describe(name, samples)
    print(f"revision: ours {one.protocol}, peer {two.protocol}")
    print(f"memory: ours {ours.memory_mib():.0f} MiB, peer {theirs.memory_mib():.0f} MiB\n")
    await one.close()
    await two.close()
    return goals


async def _measure_in_turn(measured: dict[str, Measured], rounds: int) -> dict[str, list[Sample]]:
    """Each in turn, so that a machine that slows down slows all of them; the first round warms up."""
    samples: dict[str, list[Sample]] = {name: [] for name in measured}
    for number in range(rounds + 1):
        for name, run in measured.items():
            started = time.perf_counter()
            answer_bytes = await run()
            if number:
                samples[name].append(Sample(time.perf_counter() - started, answer_bytes))
    return samples


def _raw(api: KubeApi, namespace: str) -> Measured:
    async def run() -> int:
        # What our tool asks for, so that both put the same load on the API server.
        query = (("limit", "100"), ("includeObject", "None"))
        return len(await api.raw("GET", PODS.format(namespace), query, accept=_TABLE))

    return run


def _list(session: Session, namespace: str) -> Measured:
    async def run() -> int:
        return (await session.call("k8s_get_resources", {"resource_type": "pods", "namespace": namespace}))[1]

    return run


def _walk(session: Session, namespace: str) -> Measured:
    async def run() -> int:
        arguments: dict[str, Any] = {"resource_type": "pods", "namespace": namespace, "limit": 500}
        seen = total = 0
        while True:
            result, size = await session.call("k8s_get_resources", arguments)
            content = result["structuredContent"]
            seen, total = seen + content["returned"], total + size
            if not content.get("cursor"):
                break
            arguments = {**arguments, "cursor": content["cursor"]}
        if seen != LARGE[1]:
            raise RuntimeError(f"the walk saw {seen} of {LARGE[1]} pods")
        return total

    return run


def _peer(session: Session, namespace: str) -> Measured:
    async def run() -> int:
        return (await session.call(peer.TOOL, {"namespace": namespace}))[1]

    return run


async def _measure_runtime_cpu(shelf: Program, calls: int) -> float:
    """CPU milliseconds that a call costs beyond the tool itself, which reads an empty dictionary."""
    session = await Session(shelf.url).open()
    for _ in range(50):
        await session.call("shelf_list", {"limit": 5})
    before = shelf.cpu_seconds()
    for _ in range(calls):
        await session.call("shelf_list", {"limit": 5})
    spent = shelf.cpu_seconds() - before
    await session.close()
    return spent / calls * 1000


def _ratio(samples: dict[str, list[Sample]], one: str, other: str) -> float:
    return _median(samples[one]) / _median(samples[other])


def _median(samples: list[Sample]) -> float:
    return statistics.median(sample.seconds for sample in samples)


def _bytes(samples: dict[str, list[Sample]], name: str) -> float:
    return statistics.median(sample.answer_bytes for sample in samples[name])


def _describe(what: str, samples: dict[str, list[Sample]]) -> None:
    for name, taken in samples.items():
        times = sorted(sample.seconds * 1000 for sample in taken)
        size = statistics.median(sample.answer_bytes for sample in taken)
        print(
            f"{what:14} {name:5} median {statistics.median(times):8.1f} ms  "
            f"min {times[0]:8.1f}  max {times[-1]:8.1f}  {size:8.0f} bytes"
        )


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(main())
