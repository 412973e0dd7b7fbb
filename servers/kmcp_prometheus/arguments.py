"""Arguments that several tools of this server take."""

import time
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from kmcp_prometheus.promql.dotted import repaired
from kmcp_runtime import Duration, OptionalTime, Time, bad_argument, moment

_CLOCK_SKEW_SECONDS = 60.0
"""How far the clocks of two machines may differ: only a time further ahead is in the future."""


# Models often send one selector as a string where a list is declared.
def _one_is_a_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _repaired(match: list[str] | None) -> list[str] | None:
    return match and [repaired(one) for one in match]


Query = Annotated[str, AfterValidator(repaired), "PromQL"]
Match = Annotated[list[str], BeforeValidator(_one_is_a_list), AfterValidator(_repaired), "Selectors, any may match"]
OptionalMatch = Annotated[
    list[str] | None, BeforeValidator(_one_is_a_list), AfterValidator(_repaired), "Selectors, any may match"
]
# Defaults such as now-1h are text: validation turns them into a time anew for each call.
Start = Annotated[Time, "Start", Field(validate_default=True)]
End = Annotated[Time, "End", Field(validate_default=True)]
OptionalStart = Annotated[OptionalTime, "Start"]
OptionalEnd = Annotated[OptionalTime, "End"]
Timeout = Annotated[Duration | None, "Deadline"]
NOW = moment("now")
HOUR_AGO = moment("now-1h")


def check_past(at: float | None, argument: str) -> None:
    """Refuse a time in the future."""
    ahead = 0 if at is None else at - time.time()
    if ahead > _CLOCK_SKEW_SECONDS:
        raise bad_argument(f"{argument}: it is {ahead:.0f} s in the future", "give now or earlier")


def check_span(start: float | None, end: float | None) -> None:
    """Refuse a range that ends before it begins, or that begins in the future; one that ends there is read so far."""
    check_past(start, "start")
    if start is not None and end is not None and start > end:
        raise bad_argument(
            f"start: it is {start - end:.0f} s after end", "swap them; relative times count back: now-1h"
        )
