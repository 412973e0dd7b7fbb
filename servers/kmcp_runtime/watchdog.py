"""Measures how long a process's event loop stood still: for so long nothing was answered, `/healthz` neither.

It also knows when nothing is under way, and has garbage collected then (`kmcp_runtime.garbage`).
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge

from kmcp_runtime import garbage

log = logging.getLogger("kmcp.watchdog")
_TICK_SECONDS = 0.1
STALL_SECONDS = 0.25
"""So long a stand-still is counted and logged; a busy machine alone causes shorter ones."""


class Watchdog:
    """`kmcp_event_loop_stall_seconds` (the longest since the start) and `kmcp_event_loop_stalls_total`.

    `under_way` answers what ran at some time since it was asked last, for the line in the log. Without it nobody knows
    when to collect garbage, so that is left to Python.
    """

    def __init__(self, registry: CollectorRegistry, under_way: Callable[[], Iterable[str]] | None = None) -> None:
        about = "Longest time since the start that the event loop stood still"
        self._longest = Gauge("kmcp_event_loop_stall_seconds", about, registry=registry)
        counted = f"Times that the event loop stood still for {STALL_SECONDS:g} s or longer"
        self._stalls = Counter("kmcp_event_loop_stalls_total", counted, registry=registry)
        self._under_way = under_way
        self.longest = 0.0

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._watch())
        with garbage.held_back() if self._under_way else contextlib.nullcontext():
            try:
                yield
            finally:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    async def _watch(self) -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(_TICK_SECONDS)
            late, ran = time.monotonic() - began - _TICK_SECONDS, sorted(self._under_way()) if self._under_way else []
            self._heard(late, ran)
            if self._under_way:
                garbage.collect(busy=bool(ran))

    def _heard(self, late: float, under_way: Iterable[str]) -> None:
        self.longest = max(self.longest, late)
        self._longest.set(self.longest)
        if late >= STALL_SECONDS:
            self._stalls.inc()
            log.warning("the event loop stood still for %.2f s; under way: %s", late, ", ".join(under_way) or "nothing")
