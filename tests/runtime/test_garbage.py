"""Full collections of garbage wait until no call is under way: one stops every thread for as long as it takes."""

import gc
from collections.abc import Iterator
from typing import Any

import pytest

from kmcp_runtime import RuntimeSettings, garbage
from kmcp_runtime.engine.configured import Process
from tests.waiting import until


@pytest.fixture
def full() -> Iterator[list[int]]:
    """One element for each full collection."""
    found: list[int] = []

    def note(phase: str, info: dict[str, Any]) -> None:
        if phase == "stop" and info["generation"] == 2:
            found.append(info["collected"])

    gc.callbacks.append(note)
    yield found
    gc.callbacks.remove(note)


def _cycles(count: int) -> list[list[Any]]:
    """Objects that live, each with a part that is garbage only a collection finds."""
    made: list[list[Any]] = []
    for _ in range(count):
        lost: list[Any] = []
        lost.append(lost)
        made.append([[]])
    return made


async def test_a_full_collection_waits_until_nothing_is_under_way(full: list[int]) -> None:
    metrics = Process.of(RuntimeSettings()).metrics
    before = gc.get_threshold()
    async with metrics.watchdog.watching():
        gc.collect()
        full.clear()
        with metrics.under_way("shelf", "shelf_read"):
            kept = _cycles(300_000)
            assert gc.get_count()[2] > 10, "Python's own threshold would have brought one"
            garbage.collect(busy=True)
            assert full == []
        await until(lambda: _of(full), bool, what="a full collection once the call has ended")
    assert kept
    assert gc.get_threshold() == before


async def _of(found: list[int]) -> list[int]:
    return [*found]


def test_one_that_is_long_overdue_comes_all_the_same(full: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "_OVERDUE", 5)
    with garbage.held_back():
        gc.collect()
        full.clear()
        kept = _cycles(100_000)
        assert full == []
        garbage.collect(busy=True)
        assert len(full) == 1
    assert kept


def test_what_was_there_at_the_start_is_not_looked_at_again() -> None:
    there = len(gc.get_objects())
    with garbage.held_back():
        assert gc.get_freeze_count() >= there - 100
        assert len(gc.get_objects()) < there / 10
    assert gc.get_freeze_count() == 0
