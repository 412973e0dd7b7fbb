"""The processes behind the endpoint: one for everybody, and with isolation one more for each session."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from .child import Child, Introduction
from .framing import Json
from .session_client import SessionClient, Sink

log = logging.getLogger("kmcp.bridge")
# How late an idle session may end; a shorter idle time is checked as often as itself.
_SWEEP_SECONDS = 10.0
_MOST_ENDED = 10_000  # sessions that were ended by their clients, remembered so that they stay ended

Make = Callable[[Introduction | None, SessionClient | None], Child]


@dataclass
class _Session:
    child: Child
    client: SessionClient
    task: "asyncio.Task[None]"
    used: float = field(default_factory=time.monotonic)
    calls: int = 0


class Children:
    """`shared` answers who names no session, and the probes. Open it with `async with`."""

    def __init__(self, make: Make, isolated: bool, most: int, idle: float) -> None:
        self.shared, self.isolated = make(None, None), isolated
        self._make, self._most, self._idle = make, most, idle
        self._sessions: dict[str, _Session] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()
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
        known = self._known(session)
        return self.shared if known is None else known.child

    def client(self, session: str | None) -> SessionClient | None:
        """Who can be asked in a session; None where its process is shared, or there is none."""
        known = self._sessions.get(session or "")
        return None if known is None else known.client

    def introduce(self, session: str, params: Json) -> None:
        """A client opens a session: a process of its own is told what this client can do."""
        if self.isolated and session not in self._sessions:
            self._open(session, Introduction.of(params))

    @contextmanager
    def serving(self, session: str | None, sink: Sink) -> Iterator[Child]:
        """The process that answers a request, whose stream `sink` is; a session with calls under way is not idle."""
        known = self._known(session)
        if known is None:
            yield self.shared
            return
        known.calls += 1
        try:
            with known.client.answering(sink):
                yield known.child
        finally:
            known.calls -= 1
            known.used = time.monotonic()

    def end(self, session: str, by_client: bool = False) -> None:
        """`by_client`: for good, so that the id is not taken up again."""
        if by_client:
            self._ended[session] = None
            while len(self._ended) > _MOST_ENDED:
                self._ended.popitem(last=False)
        known = self._sessions.pop(session, None)
        if known is not None:
            known.client.end()
            known.task.cancel()

    def ended(self, session: str) -> bool:
        """Whether its client has ended it."""
        return session in self._ended

    def all(self) -> list[Child]:
        return [self.shared, *(session.child for session in self._sessions.values())]

    def _known(self, session: str | None) -> _Session | None:
        if not self.isolated or session is None:
            return None
        known = self._sessions.get(session) or self._open(session, None)
        known.used = time.monotonic()
        return known

    def _open(self, session: str, introduction: Introduction | None) -> _Session:
        if len(self._sessions) >= self._most:
            # A new client must not be locked out by sessions that nobody closed: few clients send DELETE.
            self.end(min(self._sessions, key=self._claim))
        client = SessionClient()
        child = self._make(introduction or Introduction(), client)
        opened = self._sessions[session] = _Session(child, client, self._start(child.run()))
        return opened

    def _claim(self, name: str) -> tuple[bool, float]:
        session = self._sessions[name]
        # False sorts first: a session with calls in progress ends only if all have some.
        return session.calls > 0, session.used

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
