"""A part of the protocol's own suite in every run of the tests; `make conformance` runs all of it."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.conformance.__main__ import SETS, SkippedError, installed, run, serving

PARTS = [
    ("bridge", "2025-11-25", ("server-initialize", "tools-call-elicitation", "tools-call-sampling")),
    ("direct", "2026-07-28", ("server-stateless", "input-required-result-basic-elicitation")),
]


@pytest.mark.parametrize(("way", "revision", "part"), PARTS, ids=["bridge", "direct"])
def test_a_part_of_the_suite_passes(way: str, revision: str, part: Sequence[str], tmp_path: Path) -> None:
    """B5: through the bridge, too, what a process asks of its client in the middle of a call."""
    each = next(each for each in SETS if each.revision == revision)
    try:
        folder = installed()
    except SkippedError as reason:
        pytest.skip(str(reason))
    with serving(way, tmp_path / "server.log", each.isolation) as url:
        code, output = run(folder, url, each, part)
    assert code == 0, output[-3000:]
    assert "0 failed" in output
