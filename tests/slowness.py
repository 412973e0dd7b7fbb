"""How slow this machine is just now, and deadlines that grow with it.

Every deadline of a test is written in seconds of a quiet machine. A machine that also does other work, or an old one,
needs more of them for the same: `scaled` gives the seconds for a limit that is set once, and `Deadline` one that is
looked at again and again. Neither makes a test pass later than it must: what is waited for ends the waiting.
"""

import os
import time

REFERENCE_SECONDS = 0.006
"""Time of the loop of `_work` on a quiet machine: what 2020's server processors need, with Python 3.11."""
LARGEST = 15.0
"""Beyond this a program that hangs would hold up a run for hours."""
FRESH_SECONDS = 2.0
"""So long one measurement serves, or a wait that looks ten times a second would itself be a load."""

_last: tuple[float, float] | None = None


def factor() -> float:
    """How many times longer the same work takes now than on a quiet machine: 1 to `LARGEST`."""
    global _last  # noqa: PLW0603  # one machine, one measurement
    now = time.monotonic()
    if _last is None or now - _last[0] > FRESH_SECONDS:
        _last = (now, min(LARGEST, max(1.0, _stretch(), _crowd())))
    return _last[1]


def scaled(seconds: float) -> float:
    """As long as `seconds` of a quiet machine are on this one, now."""
    return seconds * factor()


def whole(seconds: int, most: int = 600) -> int:
    """`scaled` for the tool argument `timeout_seconds`, which takes whole seconds up to a maximum."""
    return min(most, round(scaled(seconds)))


class Deadline:
    """`seconds` of a quiet machine from now; it moves away when the machine turns out to be slower."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._factor, self._began = seconds, factor(), time.monotonic()

    def left(self) -> float:
        """Seconds until it has passed; zero or less afterwards."""
        self._factor = max(self._factor, factor())
        return self._seconds * self._factor - (time.monotonic() - self._began)

    def postpone(self, seconds: float) -> None:
        """By what did not count: real seconds, since they have passed already."""
        self._began += seconds

    def passed(self) -> bool:
        return self.left() <= 0


def _stretch() -> float:
    """By a piece of work of known size: it shows a slow processor at once, and one that others take turns on."""
    began = time.perf_counter()
    _work()
    return (time.perf_counter() - began) / REFERENCE_SECONDS


def _work() -> int:
    total = 0
    # Plain bytecode: a hash or a sort would measure instructions that only some processors have.
    for number in range(100_000):
        total += number
    return total


def _crowd() -> float:
    """Runnable processes for each core, by the kernel's average of a minute: it knows of what waits for a disk too.

    The kernel favours a process that has just slept, so a short piece of work alone sees too little of a crowd.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return os.getloadavg()[0] / cores
