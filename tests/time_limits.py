"""pytest side of `tests.slowness`: the limits of pytest-timeout are seconds of a quiet machine too."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import pytest_timeout

from tests.slowness import Deadline, factor, scaled

_running: Deadline | None = None
"""The limit of the test that this process runs."""


@contextmanager
def uncounted() -> Iterator[None]:
    """What the run needs once (a build, its cluster) does not count for the test that needed it first."""
    if _running is None:
        yield
        return
    signal.setitimer(signal.ITIMER_REAL, 0)
    began = time.monotonic()
    try:
        yield
    finally:
        _running.postpone(time.monotonic() - began)
        signal.setitimer(signal.ITIMER_REAL, max(0.1, _running.left()))


def pytest_report_header() -> str:
    return f"slowness: {factor():.1f} (deadlines are that many times longer than on a quiet machine, and grow with it)"


@pytest.hookimpl(tryfirst=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: pytest_timeout.Settings) -> bool:
    """In place of pytest-timeout's own timer, which cannot learn that the machine became slower meanwhile."""
    if settings.method != "signal" or threading.current_thread() is not threading.main_thread():
        longer: bool = pytest_timeout.pytest_timeout_set_timer(
            item, settings._replace(timeout=scaled(settings.timeout))
        )
        return longer
    global _running  # noqa: PLW0603  # a process has one timer of this kind
    deadline = _running = Deadline(settings.timeout)

    def ring(*_: object) -> None:
        __tracebackhide__ = True
        if (left := deadline.left()) > 0:
            signal.setitimer(signal.ITIMER_REAL, left)
        else:
            # The message names the limit as it is written in the test.
            pytest_timeout.timeout_sigalrm(item, settings)

    def cancel() -> None:
        global _running  # noqa: PLW0603
        _running = None
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)

    # The attribute is pytest-timeout's: its own hook ends the timer by it.
    item.cancel_timeout = cancel  # type: ignore[attr-defined]
    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, deadline.left())
    return True
