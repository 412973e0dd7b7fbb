"""What a process writes its audit to: one or several sinks, each with a chain of its own.

A sink that fails loses nothing at first: lines wait for it, and go in order when it works again; what is beyond that is
counted, and told in a line. A call never fails by it, but under KMCP_AUDIT=required a change does not begin.
"""

import logging
import os
import secrets
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Protocol

from kmcp_runtime.audit.audit_metrics import AuditMetrics
from kmcp_runtime.audit.record import FileEvent, Record, body
from kmcp_runtime.version import VERSION

log = logging.getLogger("kmcp.audit")
WAITING = 1000
"""Lines that wait for a sink that fails; a few hundred kilobytes."""
ANCHOR_LINES, ANCHOR_SECONDS = 1000, 60.0
_AGAIN_SECONDS = 60.0
Told = Mapping[str, Any]


class Sink(Protocol):
    """Where lines go."""

    name: str

    @property
    def head(self) -> tuple[str, int, str]:
        """Name of the chain, number and hash of its last line."""
        ...

    def append(self, body: Told, describe: Callable[[FileEvent], Told]) -> None:
        """Write a line. Errors: OSError; then it may be tried again."""
        ...

    @property
    def fault(self) -> str:
        """What is wrong though lines are taken: they are on their way only, and do not arrive; empty for nothing."""
        ...

    def sync(self) -> None:
        """Return when the lines are where they stay. Errors: OSError."""
        ...

    def close(self) -> None: ...


class Trail:
    """The audit of one process. No method raises for a sink that fails."""

    def __init__(
        self,
        sinks: Sequence[Sink],
        metrics: AuditMetrics,
        required: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.required = required
        self._clock = clock
        self.metrics = metrics
        self._instance = secrets.token_hex(4)
        self._places = [_Place(sink, metrics, self._describe) for sink in sinks]

    def write(self, record: Record) -> None:
        """Write a record to every sink, in the order of the calls."""
        if self._places:
            told = self._body(record)
            for place in self._places:
                place.take(told)

    def sync(self) -> None:
        """Return when disks have what was written; to be called in a thread."""
        for place in self._places:
            place.sync()

    def faults(self) -> dict[str, str]:
        """The sinks that fail, each with the reason."""
        found = {place.sink.name: place.fault or place.sink.fault for place in self._places}
        return {name: fault for name, fault in found.items() if fault}

    def unwritten(self) -> dict[str, str]:
        """Those of them that could not even take the last line."""
        return {place.sink.name: place.fault for place in self._places if place.fault}

    def close(self) -> None:
        for place in self._places:
            place.close()

    def _body(self, record: Record) -> Told:
        return body(
            record, self._instance, datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="milliseconds")
        )

    def _describe(self, event: FileEvent) -> Told:
        if event.what == "start":
            event = replace(event, process=os.getpid(), host=socket.gethostname(), version=VERSION)
        return self._body(event)


class _Place:
    """A sink, and what waits for it."""

    def __init__(self, sink: Sink, metrics: AuditMetrics, describe: Callable[[FileEvent], Told]) -> None:
        self.sink = sink
        self.fault = ""
        self._metrics, self._describe = metrics, describe
        self._waiting: deque[Told] = deque()
        self._lost = 0
        self._told_at = float("-inf")
        self._anchored = 0, time.monotonic()
        # Lines come from the event loop and, before a change under KMCP_AUDIT=required, from threads.
        self._lock = threading.Lock()
        metrics.failing.labels(sink.name).set(0)
        metrics.lost.labels(sink.name)  # there from the start: what is counted from nothing has no increase
        if sink.name == "file":
            self.take(describe(FileEvent(what="start")))

    def take(self, told: Told) -> None:
        with self._lock:
            self._take(told)

    def _take(self, told: Told) -> None:
        if len(self._waiting) < WAITING:
            self._waiting.append(told)
        else:
            self._lost += 1
            self._metrics.lost.labels(self.sink.name).inc()
        try:
            self._write_waiting()
        except OSError as error:
            self._fail(error)
        else:
            self._recover()
            self._anchor()

    def sync(self) -> None:
        try:
            self.sink.sync()
        except OSError as error:
            self._fail(error)

    def close(self) -> None:
        if self.sink.name == "file":
            self.take(self._describe(FileEvent(what="stop")))
            self._anchor(last=True)
        if self._waiting or self._lost:
            log.error("the audit ends with %d lines that the %s did not take", self._missing(), self.sink.name)
        self.sink.close()

    def _write_waiting(self) -> None:
        while self._waiting:
            self.sink.append(self._waiting[0], self._describe)
            self._waiting.popleft()
            self._metrics.lines.labels(self.sink.name).inc()
        if self._lost:
            self.sink.append(self._describe(FileEvent(what="lost", count=self._lost)), self._describe)
            self._lost = 0
        self._metrics.head.labels(self.sink.name).set(self.sink.head[1])

    def _fail(self, error: OSError) -> None:
        self.fault = error.strerror or str(error)
        self._metrics.failing.labels(self.sink.name).set(1)
        now = time.monotonic()
        if now - self._told_at >= _AGAIN_SECONDS:
            self._told_at = now
            log.error(
                "the audit cannot be written to the %s: %s; %d lines wait", self.sink.name, self.fault, self._missing()
            )

    def _recover(self) -> None:
        if self.fault:
            self.fault, self._told_at = "", float("-inf")
            self._metrics.failing.labels(self.sink.name).set(0)
            log.warning("the audit is written to the %s again", self.sink.name)

    def _missing(self) -> int:
        return len(self._waiting) + self._lost

    def _anchor(self, last: bool = False) -> None:
        """Now and then the head of a file's chain, in another place: who cuts the file's end cannot cut it there."""
        chain, seq, head = self.sink.head
        lines, at = self._anchored
        due = seq - lines >= ANCHOR_LINES or time.monotonic() - at >= ANCHOR_SECONDS
        if self.sink.name == "file" and seq > lines and (due or last):
            self._anchored = seq, time.monotonic()
            log.info("audit head of chain %s: %d:%s", chain, seq, head)
