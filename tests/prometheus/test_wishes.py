"""Building expressions from words (P6): a real Prometheus judges what comes first for each wish."""

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.prometheus.conftest import Binaries
from tests.prometheus.wishes import run, world

SHARE = 0.8
SURE_SHARE = 0.95


@pytest.fixture(scope="module", params=world.SETS)
def site(request: pytest.FixtureRequest, binaries: Binaries) -> Iterator[tuple[str, str]]:
    """The URL of a Prometheus with a set of metrics, and the name of the set."""
    with run.serving(binaries, request.param) as url:
        yield url, request.param


@pytest.mark.parametrize("half", run.HALVES)
async def test_the_first_candidate_is_right_or_a_question_is_asked(site: tuple[str, str], half: str) -> None:
    url, name = site
    found = await run.judged(url, name, half)
    counts = Counter(one.outcome for one in found)
    report = "\n".join(f"{one.outcome}: {one.wish} -> {one.first}" for one in found if one.outcome != "right")
    least = SURE_SHARE if half == "tuned" else SHARE
    assert counts["right"] >= least * len(found), report
    assert counts["wrong"] <= (1 - SHARE) * len(found), report


async def test_there_are_enough_wishes() -> None:
    assert sum(len(world.read(name)[half]) for name in world.SETS for half in run.HALVES) >= 60
