"""Keys that await a pass: one entry each, debounced, urgent ones first, never two passes of one key at a time."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from enum import IntEnum
from heapq import heappop, heappush

from .store import Key

DEBOUNCE = 0.2
_FIRST_BACKOFF, _LONGEST_BACKOFF = 1.0, 300.0


class Urgency(IntEnum):
    SPEC = 0
    DRIFT = 1
    RESYNC = 2


class Queue:
    """Times are seconds of the loop's clock. `work` answers after how many seconds to look again, or None."""

    def __init__(
        self,
        work: Callable[[Key], Awaitable[float | None]],
        failed: Callable[[Key, Exception], None],
        waited: Callable[[float], object] = lambda seconds: None,
    ) -> None:
        self._work, self._failed, self._waited = work, failed, waited
        self._due: dict[Key, tuple[Urgency, float]] = {}
        self._timers: list[tuple[float, Key]] = []  # heaps; entries that are not as in `_due` any more are void
        self._ripe: list[tuple[Urgency, float, Key]] = []
        self._running: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._changed = asyncio.Event()
        self._open = asyncio.Event()

    def __len__(self) -> int:
        return len(self._due)

    def add(self, key: Key, urgency: Urgency, delay: float = DEBOUNCE) -> None:
        """Ask for a pass; the earlier time and the higher urgency of two requests count."""
        at = asyncio.get_running_loop().time() + delay
        known = self._due.get(key, (urgency, at))
        self._schedule(key, min(known[0], urgency), min(known[1], at))
        if urgency is Urgency.SPEC:  # somebody has changed the manifest: earlier failures say nothing about it
            self._failures.pop(key, None)

    def _schedule(self, key: Key, urgency: Urgency, at: float) -> None:
        self._due[key] = urgency, at
        heappush(self._timers, (at, key))
        self._changed.set()

    def allow(self, working: bool) -> None:
        """Passes start only while this is so; requests are kept meanwhile."""
        (self._open.set if working else self._open.clear)()

    async def run(self, workers: int) -> None:
        """Until cancelled."""
        slots = asyncio.Semaphore(workers)
        async with asyncio.TaskGroup() as group:
            while True:
                await slots.acquire()
                group.create_task(self._work_on(await self._wait_for_next(), slots))

    async def _work_on(self, key: Key, slots: asyncio.Semaphore) -> None:
        try:
            requeue_after = await self._work(key)
        except Exception as error:
            self._failed(key, error)
            requeue_after = self._backoff(key)
        else:
            self._failures.pop(key, None)
        self._running.discard(key)
        if requeue_after is not None:
            self.add(key, Urgency.RESYNC, requeue_after)
        if key in self._due:  # what became due meanwhile was passed over
            self._schedule(key, *self._due[key])
        slots.release()

    async def _wait_for_next(self) -> Key:
        while True:
            await self._open.wait()
            now = asyncio.get_running_loop().time()
            key = self._take(now)
            if key:
                return key
            self._changed.clear()
            soonest = self._timers[0][0] if self._timers else now + 60
            try:
                async with asyncio.timeout(max(soonest - now, 0.01)):
                    await self._changed.wait()
            except TimeoutError:
                continue  # the soonest entry is due

    def _take(self, now: float) -> Key | None:
        """The most urgent key that is due, and of those the one that has waited longest."""
        while self._timers and self._timers[0][0] <= now:
            at, key = heappop(self._timers)
            urgency, due = self._due.get(key, (Urgency.RESYNC, -1.0))
            if due == at and key not in self._running:
                heappush(self._ripe, (urgency, at, key))
        while self._ripe:
            urgency, at, key = heappop(self._ripe)
            if self._due.get(key) == (urgency, at) and key not in self._running:
                del self._due[key]
                self._running.add(key)
                self._waited(now - at)
                return key
        return None

    def _backoff(self, key: Key) -> float:
        count = self._failures[key] = self._failures.get(key, 0) + 1
        pause = min(_FIRST_BACKOFF * 2.0 ** min(count - 1, 10), _LONGEST_BACKOFF)
        return pause * random.uniform(0.8, 1.2)  # noqa: S311 - spread over time
