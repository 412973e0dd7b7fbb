"""Walking a list to its end with a limit that changes from page to page, as callers do who forget or vary it."""

from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.mcp import ToolCaller

_MOST_PAGES = 200


def changing_limits(largest: int, count: int = 8) -> list[list[int]]:
    """Limits that follow one another: falling, rising, and others, the same in every run."""
    found = [[largest, 1], [1, largest], [2, 1, 3]]

    @settings(max_examples=count, deadline=None, database=None, derandomize=True)
    @given(st.lists(st.integers(1, largest), min_size=2, max_size=4))
    def draw(limits: list[int]) -> None:
        found.append(limits)

    draw()
    return found


async def walk(tools: ToolCaller, tool: str, limits: Sequence[int], **arguments: Any) -> list[dict[str, Any]]:
    """Every answer, each asked for with the next of these limits, over and over, and the cursor of the one before."""
    answers: list[dict[str, Any]] = []
    cursor: str | None = None
    for limit in cycle(limits):
        answers.append(await tools.ok(tool, **arguments, limit=limit, cursor=cursor))
        cursor = answers[-1].get("cursor")
        assert answers[-1]["truncated"] is bool(cursor)
        if not cursor:
            return answers
        assert len(answers) < _MOST_PAGES, f"{tool} does not end"
    raise AssertionError("no limits")


async def brings_each_once(
    tools: ToolCaller, tool: str, largest: int, *, key: Callable[[Any], Any] = lambda item: item, **arguments: Any
) -> None:
    """The pages of changing limits are the whole list, and a total is that of the whole list.

    `key` is what of an item stays the same while the list is read again and again.
    """
    whole = await tools.ok(tool, **arguments, limit=500)
    assert not whole["truncated"]
    assert len(whole["items"]) > 1
    for limits in changing_limits(largest):
        answers = await walk(tools, tool, limits, **arguments)
        seen = [key(each) for answer in answers for each in answer["items"]]
        assert seen == list(map(key, whole["items"])), limits
        totals = {answer["total"] for answer in answers if "total" in answer}
        assert totals <= {len(whole["items"])}, limits
