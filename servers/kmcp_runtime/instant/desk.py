"""The desk at which a client over stdio is answered until the engine takes the session over.

One thread reads the pipe from the first line to the last. Until the engine is there it answers what it can and keeps
the rest; then it hands every line on. The engine gets what opened the session once more, so that it knows the client,
and its answer to that goes nowhere, as the client has one.
"""

from __future__ import annotations

import codecs
import os
import sys
import threading
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

from kmcp_runtime.instant import messages
from kmcp_runtime.instant.messages import Answers

LONGEST_LINE = 16 * 2**20
"""Bytes of a message, about; a longer one is refused as malformed."""
_MOST_KEPT = 16 * 2**20  # bytes of messages that wait for the engine; the client waits with the next
_CHUNK = 1 << 16
_QUIET_SECONDS = 0.05  # after the list: what a client sends with it is answered before an import is in the way
_IDLE_SECONDS = 1.0
Deliver = Callable[[bytes | None], None]
"""Takes a line, or None at the end of the input; returns when the next may come."""


class Desk:
    """One client at the standard streams of this process. Open it once, before anything else reads or prints."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        # Only what is meant for the client may reach it: whatever is printed goes to the log instead.
        self._input, self.output = os.dup(0), os.dup(1)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
        self._changed = threading.Condition()
        self._era = ""
        self._opening: list[bytes] = []
        self.opening_id: Any = None
        self._kept: list[bytes] = []
        self._kept_bytes = 0
        self._listed = False
        self._last = monotonic()
        self._deliver: Deliver | None = None
        self._refusal = ""
        self._thread = threading.Thread(target=self._read, name="stdin", daemon=True)
        self._thread.start()

    @property
    def has_opened(self) -> bool:
        """Whether the client has had an answer, so that the engine has to learn what its session began with."""
        return bool(self._opening)

    @property
    def is_taken_over(self) -> bool:
        return self._deliver is not None

    def wait(self) -> None:
        """Return when the engine is wanted: by a message that only it can answer, or because the client is quiet."""
        with self._changed:
            while not self._kept:
                # Where the list is the engine's, it is wanted as soon as the client has been greeted.
                greeted = self.has_opened and not self._answers.has_lists
                quiet = _QUIET_SECONDS if self._listed or greeted else _IDLE_SECONDS
                left = self._last + quiet - monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
        # Answers that are asked for meanwhile come from the thread, which an import would let run too seldom.
        sys.setswitchinterval(0.001)

    def take_over(self, deliver: Deliver) -> list[bytes]:
        """The lines that the engine has to have first; every later one is delivered."""
        sys.setswitchinterval(0.005)
        with self._changed:
            lines = [*self._opening, *self._kept]
            self._deliver = deliver
            self._kept = []
            self._changed.notify_all()
        return lines

    def refuse(self, why: str) -> None:
        """There will be no engine: answer every request with the reason until the client goes."""
        with self._changed:
            self._refusal = why
            for line in self._kept:
                self._refuse(line)
            self._kept = []
            self._changed.notify_all()
        self._thread.join()

    def _read(self) -> None:
        line = bytearray()
        while chunk := self._chunk():
            *ends, beginning = chunk.split(b"\n")
            for end in ends:
                self._take(_whole(line, end))
                line.clear()
            # Beyond the limit nothing is added, and the line counts as malformed.
            if len(line) <= LONGEST_LINE:
                line += beginning
        self._end(_whole(line, b""))

    def _chunk(self) -> bytes:
        try:
            return os.read(self._input, _CHUNK)
        except OSError:  # a socket that was reset
            return b""

    def _take(self, line: bytes) -> None:
        line = line.removeprefix(codecs.BOM_UTF8)  # shells of Windows begin what they pipe with it
        with self._changed:
            if self._deliver is None and not self._answered(line):
                self._kept.append(line + b"\n")
                self._kept_bytes += len(line)
                self._changed.notify_all()
                # Held back here, the client's next messages wait in its pipe.
                self._changed.wait_for(lambda: self._deliver or self._refusal or self._kept_bytes < _MOST_KEPT)
                return
            deliver = self._deliver
        if deliver:
            deliver(line + b"\n")

    def _answered(self, line: bytes) -> bool:
        """Whether the line needs no engine; answers keep the order of their questions."""
        if self._refusal:
            self._refuse(line)
            return True
        message = None if self._kept else messages.read(line)
        if message is None:
            return False
        if "id" not in message:
            return self._noted(message, line)
        result = self._answers.of(message, self._era)
        if result is None:
            return False
        if not self._era:
            self._era = "handshake" if message["method"] == "initialize" else "modern"
            self._opening, self.opening_id = [line + b"\n"], message["id"]
        self._write(messages.answer(message, result))
        self._listed = self._listed or message["method"] == "tools/list"
        self._last = monotonic()
        self._changed.notify_all()
        return True

    def _noted(self, message: Mapping[str, Any], line: bytes) -> bool:
        """That the client is ready is all that can be noted before it has asked for anything."""
        known = message["method"] == "notifications/initialized" and self._era == "handshake"
        if known:
            self._opening.append(line + b"\n")
        return known

    def _refuse(self, line: bytes) -> None:
        message = messages.read(line)
        if message is not None and "id" in message:
            result = self._answers.of(message, self._era)
            refused = messages.refused(message, self._refusal)
            self._write(refused if result is None else messages.answer(message, result))

    def _write(self, data: bytes) -> None:
        try:
            write_whole(self.output, data)
        except OSError:  # the client has gone, which the end of its input tells, too
            self._leave()

    def _end(self, rest: bytes) -> None:
        """The client has gone: nobody waits for anything, unless messages of it do."""
        if rest:
            self._take(rest)
        with self._changed:
            if self._deliver is None and not self._kept and not self._refusal:
                self._leave()
            self._changed.wait_for(lambda: self._deliver or self._refusal)
            deliver = self._deliver
        if deliver:
            deliver(None)

    def _leave(self) -> None:
        # At once, in the midst of an import: nothing is open yet, and the interpreter would finish what it does first.
        os._exit(2 if self._refusal else 0)


def write_whole(descriptor: int, data: bytes) -> None:
    """Return when the pipe has taken all of it. Errors: OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _whole(line: bytearray, end: bytes) -> bytes:
    """The line with its end; of one that is too long, something that no parser takes for a message."""
    return bytes(line + end) if len(line) <= LONGEST_LINE else b"{"
