"""Rate limits: how many calls a caller may make, by tool and by effect, and what it is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmcp_runtime import Effect, SettingsError, ToolFailure
from kmcp_runtime.engine import rates
from kmcp_runtime.engine.rates import Rates
from tests.runtime.conftest import connected, shelved


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def made(
    limits: Rates, caller: str = "jane", tool: str = "k8s_get", effect: Effect = Effect.READ, most: int = 1000
) -> int:
    """How many calls are let through before the first refusal."""
    for number in range(most):
        try:
            limits.take(caller, tool, effect)
        except ToolFailure:
            return number
    return most


def test_each_caller_has_its_own_number_at_once_and_then_its_share() -> None:
    clock = Clock()
    limits = Rates("60/min", clock)
    assert made(limits) == 60
    assert made(limits, "bob") == 60
    with pytest.raises(ToolFailure) as caught:
        limits.take("jane", "k8s_get", Effect.READ)
    assert caught.value.code == "rate_limited"
    assert caught.value.details["retry_after_seconds"] == 1
    assert caught.value.hint == "wait 1 s before the next call"
    clock.now += 1
    assert made(limits) == 1
    clock.now += 3600
    assert made(limits) == 60


def test_the_seconds_that_are_told_are_enough() -> None:
    clock = Clock()
    limits = Rates("5/hour, k8s_*=2/min, destroy=1/hour", clock)
    for tool, effect in (("k8s_get", Effect.READ), ("helm_x", Effect.READ), ("helm_x", Effect.DESTROY)):
        made(limits, tool=tool, effect=effect)
        with pytest.raises(ToolFailure) as caught:
            limits.take("jane", tool, effect)
        clock.now += caught.value.details["retry_after_seconds"]
        limits.take("jane", tool, effect)


def test_limits_of_tools_and_effects_count_what_fits() -> None:
    limits = Rates("100/min, k8s_*=3/min, destroy=2/min", Clock())
    assert made(limits, tool="k8s_get") == 3
    assert made(limits, tool="helm_get") == 97
    others = Rates("k8s_*=3/min, destroy=2/min", Clock())
    assert made(others, tool="helm_get", most=500) == 500
    assert made(others, tool="helm_uninstall", effect=Effect.DESTROY) == 2
    assert made(others, tool="k8s_delete", effect=Effect.DESTROY) == 0
    assert made(others, tool="k8s_get") == 3, "what is refused counts for no limit"


@pytest.mark.parametrize("text", ["60", "60/day", "0/min", "-1/min", "x y=1/min", "60/min/s", "=3/min", "1.5/min"])
def test_what_is_not_a_limit_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="KMCP_RATE_LIMITS"):
        Rates(text)


def test_a_limit_that_fits_no_tool_is_refused_at_start() -> None:
    with pytest.raises(SettingsError, match="fits no tool"):
        shelved(rate_limits="shelv_*=1/min")


def test_memory_is_bounded_by_the_number_of_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "MOST_CALLERS", 100)
    clock = Clock()
    limits = Rates("10/min, k8s_*=1/min", clock)
    for number in range(1000):
        limits.take(f"caller-{number}", "k8s_get", Effect.READ)
    assert len(limits._free_at) <= 200
    clock.now += 3600
    limits.take("one", "k8s_get", Effect.READ)
    assert len(limits._free_at) == 2, "who has used up nothing is forgotten"


@given(st.lists(st.floats(0, 30), max_size=200), st.integers(1, 20))
def test_never_more_than_the_number_and_its_share(pauses: list[float], count: int) -> None:
    clock = Clock()
    limits = Rates(f"{count}/min", clock)
    passed = list[float]()
    for pause in pauses:
        clock.now += pause
        try:
            limits.take("jane", "t", Effect.READ)
        except ToolFailure:
            continue
        passed.append(clock.now)
    for first, start in enumerate(passed):
        for last in range(first, len(passed)):
            assert last - first + 1 <= count + (passed[last] - start) * count / 60 + 1e-6


async def test_a_client_is_told_the_seconds() -> None:
    async with connected(shelved(rate_limits="shelf_list=2/hour")) as caller:
        await caller.ok("shelf_list")
        await caller.ok("shelf_list")
        refused = await caller.fails("shelf_list")
        assert refused["code"] == "rate_limited"
        assert 1700 < refused["retry_after_seconds"] <= 1800
        assert "untrusted" not in refused
        await caller.ok("shelf_since")
