"""Each argument of every tool with far more than anybody sends, and with as much as is taken: no stall (N1 to N4)."""

from collections.abc import Iterator
from typing import Any

import pytest

from kmcp_runtime import ToolSpec
from kmcp_runtime.argument_sizes import USUAL
from tests.fuzz.calls import usual_arguments
from tests.fuzz.hostile_answers import mood_of
from tests.fuzz.test_every_tool import each_tool
from tests.fuzz.worlds import LONGEST_STALL, World
from tests.slowness import scaled
from tests.trust import Trust

GOOD = next(seed for seed in range(100) if mood_of(seed) == "valid")
HUGE: tuple[Any, ...] = ("a=b," * 500_000, ["up"] * 50_000, {f"k{number}": "v" for number in range(50_000)})
FULL: tuple[Any, ...] = (
    'a="b",' * (USUAL.characters // 6),
    "(" * USUAL.characters,
    ".a" * (USUAL.characters // 2),
)
"""Texts as long as an argument without a bound of its own takes."""


def _calls(declared: ToolSpec) -> Iterator[tuple[str, dict[str, Any]]]:
    """The code that each call must have, empty for any but `internal`; and its arguments."""
    usual = usual_arguments(declared)
    yield "bad_argument", {**usual, **{f"a{number}": 1 for number in range(100_000)}}
    yield "too_large", {**usual, "z" * 2_000_000: 1}
    for number, name in enumerate(declared.input_schema()["properties"]):
        # In turns: the bound is the same code for all, what a tool does within it is its own.
        yield "", {**usual, name: HUGE[number % len(HUGE)]}
        text, values = FULL[number % len(FULL)], ["up"] * USUAL.values
        yield "", {**usual, name: values if "array" in str(declared.input_schema()["properties"][name]) else text}


@pytest.mark.parametrize(("server", "declared"), each_tool())
async def test_large_arguments_stop_nothing(
    worlds: dict[str, World], server: str, declared: ToolSpec, trust: Trust
) -> None:
    found, longest = worlds[server], 0.0
    for code, arguments in _calls(declared):
        answered = ""

        async def call(arguments: dict[str, Any] = arguments) -> None:
            nonlocal answered
            answered = await found.call(declared.name, arguments, GOOD)

        stall = await found.shortest_stall(call)
        # `unavailable`: the tool exists under another configuration, and no argument is looked at.
        if (code not in ("", answered) and answered != "unavailable") or stall >= scaled(LONGEST_STALL):
            pytest.fail(f"{declared.name} {str(arguments)[:200]}: {answered}, stall {stall:.2f} s")
        longest = max(longest, stall)
    trust.count("stalls", "large arguments", longest_stall_in_s=longest)
