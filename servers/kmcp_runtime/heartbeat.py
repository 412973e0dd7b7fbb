"""Signs of life of a command that waits: whoever watches must not think that it hangs."""

import time
from collections.abc import Callable

_EVERY = 5.0
_FIRST = 2.0


class Heartbeat:
    """Says what is waited for after two seconds, then every five; `say` prints a line."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say, self._began = say, time.monotonic()
        self._next = self._began + _FIRST

    def wait(self, what: str) -> None:
        """Called again and again while nothing happens."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _EVERY
            self._say(f"waiting for {what} ({now - self._began:.0f} s)")

    def happened(self) -> None:
        """Something was said: the next sign of life can wait."""
        self._next = time.monotonic() + _EVERY
