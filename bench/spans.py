"""`python -m bench.spans`: the CPU time that spans cost a call, and a request to a backend, in this process.

Sending is part of it: the thread that sends counts, too. The collector is another process.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from fastmcp import Client

from bench.goal import cpu_milliseconds
from kmcp_runtime import RuntimeSettings
from kmcp_runtime.engine.assembly import compose
from kmcp_runtime.engine.configured import ConfiguredServer, Process
from kmcp_runtime.tracing import backend_requests, export
from tests.runtime import shelf

CALLS, REQUESTS, ROUNDS = 300, 5_000, 5
NAMED = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
TARGET = backend_requests.Target("kubernetes", "/api/v1/namespaces/{namespace}/pods")
_COLLECTOR = (
    "from tests.tracing.collector import collecting\nwith collecting() as it: print(it.url, flush=True); input()"
)


def main() -> int:
    rows = {"a call": asyncio.run(_calls()), "a request to a backend": _requests()}
    with collecting() as url:
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = url
        with export.exporting("bench", os.environ):
            with_spans = {"a call": asyncio.run(_calls()), "a request to a backend": _requests()}
    for name, without in rows.items():
        cost = with_spans[name] - without
        print(f"{name:24} {without:7.3f} ms of CPU, with a span {with_spans[name]:7.3f} ms, the span {cost:7.3f} ms")
    return 0


async def _calls() -> float:
    process = Process.of(RuntimeSettings(audit=False))
    instance = ConfiguredServer(shelf.SERVER, shelf.ShelfSettings(), process)
    async with Client(compose("shelf", [instance], None)) as client:
        await client.call_tool("shelf_list", {})
        taken = []
        for _ in range(ROUNDS):
            began = time.process_time()
            for _ in range(CALLS):
                await client.call_tool("shelf_list", {}, meta=NAMED)
            taken.append((time.process_time() - began) / CALLS * 1000)
    return min(taken)


def _requests() -> float:
    def one() -> None:
        with backend_requests.request(TARGET, "GET", "127.0.0.1", 6443) as exchange:
            exchange.answered(200)

    return cpu_milliseconds(one, ROUNDS, REQUESTS)


@contextmanager
def collecting() -> Iterator[str]:
    """The URL of a collector in a process of its own, as OTEL_EXPORTER_OTLP_ENDPOINT takes it."""
    argv = [sys.executable, "-c", _COLLECTOR]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate("\n")


if __name__ == "__main__":
    sys.exit(main())
