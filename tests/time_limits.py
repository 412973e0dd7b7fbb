"""pytest side of `tests.slowness`: the limits of pytest-timeout are seconds of a quiet machine too."""

import signal
import threading

import pytest
import pytest_timeout

from tests.slowness import Deadline, factor, scaled


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
    deadline = Deadline(settings.timeout)

    def ring(*_: object) -> None:
        __tracebackhide__ = True
        if (left := deadline.left()) > 0:
            signal.setitimer(signal.ITIMER_REAL, left)
        else:
            pytest_timeout.timeout_sigalrm(item, settings)

    def cancel() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)

    # The attribute is pytest-timeout's: its own hook ends the timer by it.
    item.cancel_timeout = cancel  # type: ignore[attr-defined]
    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, deadline.left())
    return True
