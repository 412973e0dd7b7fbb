"""Last lines of a run: what it ran against, and what it left out, counted by reason."""

from collections import Counter
from collections.abc import Generator

import pytest

NEEDS = "needs"
"""Property of a test that needs a cluster: `api` or `pods`."""
TITLE = "cluster"
"""Property of a test that got a cluster: which one."""
ABSENT = "no real cluster: "
"""How the reason of a skip for want of a cluster begins."""


class Summary:
    """A plugin of the process that controls the run, which sees the reports of every worker."""

    def __init__(self) -> None:
        self.title = "none"
        self.api = self.pods = 0
        self.skipped: Counter[str] = Counter()
        """Skipped tests by reason."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and isinstance(report.longrepr, tuple):
            self.skipped[report.longrepr[2].removeprefix("Skipped: ")] += 1
            return
        properties = dict(report.user_properties)
        self.title = str(properties.get(TITLE, self.title))
        if report.when == "call" and NEEDS in properties:
            self.api += 1
            self.pods += properties[NEEDS] == "pods"

    # The outermost wrapper: after pytest's own summary, or a long list of failures would push these lines away.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> Generator[None]:
        yield
        for line in self.lines():
            terminalreporter.line(line)

    def lines(self) -> list[str]:
        found = []
        if self.api:
            found.append(f"real API server ({self.title}): {self.api} tests, {self.pods} of them with real pods")
        if self.skipped:
            found.append(f"left out: {self.skipped.total()} tests")
        return found + [f"{count:6}  {reason}" for reason, count in self.skipped.most_common()]
