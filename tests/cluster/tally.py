"""Counts for the terminal summary: what the tests of a session ran against, taken from their reports."""

from collections.abc import Callable

import pytest

NEEDS = "needs"
"""Property of a test that needs a cluster: `api` or `pods`."""
TITLE = "cluster"
"""Property of a test that got a cluster: which one."""
ABSENT = "no real cluster: "
"""How the reason of a skip for want of a cluster begins."""

left_out: list[Callable[[], str | None]] = []
"""Parts that a run may do without: each says what was left out and how to include it, or None."""


class Tally:
    """A plugin of the process that controls the run, which sees the reports of every worker."""

    def __init__(self) -> None:
        self.title = ""
        self.api = self.pods = self.skipped = 0
        self.reasons: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        properties = dict(report.user_properties)
        needs = properties.get(NEEDS)
        if needs is None:
            return
        self.title = str(properties.get(TITLE, self.title))
        if report.when == "call" and not report.skipped:
            self.api += 1
            self.pods += needs == "pods"
        elif report.skipped and isinstance(report.longrepr, tuple) and ABSENT in report.longrepr[2]:
            self.skipped += 1
            self.reasons.add(report.longrepr[2].partition(ABSENT)[2])

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for line in self.lines():
            terminalreporter.line(line)

    def lines(self) -> list[str]:
        if not (self.api or self.skipped):
            return []
        counts = f"{self.api} tests; real pods: {self.pods} tests; skipped for want of it: {self.skipped}"
        parts = [text for part in left_out if (text := part())]
        return [
            f"real API server ({self.title or 'none'}): {counts}",
            *(f"skipped because: {reason}" for reason in sorted(self.reasons)),
            *([f"left out: {'; '.join(parts)}"] if parts else []),
        ]
