"""The processes behind the endpoint: one for everybody, and with isolation one more for each session."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from .child import Child

log = logging.getLogger("kmcp.bridge")
# How late an idle session may end; a shorter idle time is checked as often as itself.
_SWEEP_SECONDS = 10.0


@dataclass
class _Session:
    child: Child
    task: "asyncio.Task[None]"
    used: float = field(default_factory=time.monotonic)
    calls: int = 0


class Children:
    """`shared` answers who names no session, and the probes. Open it with `async with`."""

    def __init__(self, make: Callable[[], Child], isolated: bool, most: int, idle: float) -> None:
        self.shared, self.isolated = make(), isolated
        self._make, self._most, self._idle = make, most, idle
        self._sessions: dict[str, _Session] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Children":
        self._start(self.shared.run())
        if self.isolated:
            self._start(self._sweep())
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def of(self, session: str | None) -> Child:
        """The process of a session; one that is not known, or not known any more, gets a new one."""
        if not self.isolated or session is None:
            return self.shared
        known = self._sessions.get(session)
        if known is None:
            if len(self._sessions) >= self._most:
                # A new client must not be locked out by sessions that nobody closed: few clients send DELETE.
                self.end(min(self._sessions, key=self._claim))
            child = self._make()
            known = self._sessions[session] = _Session(child, self._start(child.run()))
        known.used = time.monotonic()
        return known.child

    def _claim(self, name: str) -> tuple[bool, float]:
        session = self._sessions[name]
        # False sorts first: a session with calls in progress ends only if all have some.
        return session.calls > 0, session.used

    def count(self, session: str | None, change: int) -> None:
        """A session with calls under way is not idle."""
        known = self._sessions.get(session or "")
        if known is not None:
            known.calls += change
            known.used = time.monotonic()

    def end(self, session: str) -> None:
        known = self._sessions.pop(session, None)
        if known is not None:
            known.task.cancel()

    def all(self) -> list[Child]:
        return [self.shared, *(session.child for session in self._sessions.values())]

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(min(_SWEEP_SECONDS, self._idle))
            now = time.monotonic()
            for name in [n for n, each in self._sessions.items() if not each.calls and now - each.used > self._idle]:
                self.end(name)

    def _start(self, work: "asyncio._CoroutineLike[None]") -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("a process is no longer supervised: %s", error, exc_info=error)
