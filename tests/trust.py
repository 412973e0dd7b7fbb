"""The figures of trust, collected from the tests that measure them, and the one table of a run that shows them.

A test asks for the fixture `trust` and says what it counted; workers of xdist send theirs to the process that prints.
The gates are in the tests themselves: a figure beyond its limit fails there.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

Figures = dict[str, dict[str, dict[str, float]]]
"""By promise and by kind: counts, which add up, and `longest…`, of which the largest stands."""
_LONGEST = "longest"
_figures = pytest.StashKey[Figures]()


class Trust:
    """Where a test says what it counted."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def count(self, promise: str, kind: str, **counts: float) -> None:
        """Add to the figures of a kind; a figure whose name begins with `longest` keeps the largest value."""
        _merge(self._figures, {promise: {kind: counts}})


@pytest.fixture
def trust(request: pytest.FixtureRequest) -> Trust:
    return Trust(request.config.stash[_figures])


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--trust-page", type=Path, help="write the table of trust to this page of the documentation")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_figures] = {}


def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["trust"] = session.config.stash[_figures]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """A worker of xdist has ended."""
    _merge(node.config.stash[_figures], getattr(node, "workeroutput", {}).get("trust", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    figures = config.stash[_figures]
    # A worker of xdist has figures too, but not those of the others, and reports them when it ends.
    if figures and not hasattr(config, "workerinput"):
        terminalreporter.section("trust")
        for line in table(figures):
            terminalreporter.write_line(line)
        page: Path | None = config.getoption("--trust-page")
        if page is not None and not terminalreporter.stats.get("failed"):
            page.write_text(_HEAD + "\n".join(table(figures)) + "\n```\n", encoding="utf-8")


_HEAD = """# Figures

Written by `make trust` of the last change to what it measures; do not edit. What each line counts is on the page
[How each promise is tested](tested.md). Seconds are those of the machine that ran it.

```text
"""


def table(figures: Figures) -> Iterator[str]:
    """One line for each kind, and one in all for each promise that has several kinds."""
    for promise, kinds in sorted(figures.items()):
        yield promise
        width = max(len(kind) for kind in [*kinds, "in all"])
        for kind, counts in sorted(kinds.items()):
            yield f"  {kind:<{width}}  {_written(counts)}"
        if len(kinds) > 1:
            whole: Figures = {}
            for counts in kinds.values():
                _merge(whole, {promise: {"in all": counts}})
            yield f"  {'in all':<{width}}  {_written(whole[promise]['in all'])}"


def _written(counts: dict[str, float]) -> str:
    return ", ".join(f"{value:g} {name.replace('_', ' ')}" for name, value in counts.items())


def _merge(into: Figures, more: Figures) -> None:
    for promise, kinds in more.items():
        for kind, counts in kinds.items():
            have = into.setdefault(promise, {}).setdefault(kind, {})
            for name, value in counts.items():
                before = have.get(name, 0)
                have[name] = max(before, round(value, 3)) if name.startswith(_LONGEST) else before + value
