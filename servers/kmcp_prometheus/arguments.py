"""Words of arguments that several tools of this server take."""

import time
from typing import Annotated, Any

from pydantic import BeforeValidator

from kmcp_runtime import Duration, OptionalTime, Time, Word, bad_argument, moment

_CLOCK_SKEW_SECONDS = 60.0
"""Clocks of machines differ; later than that is the future."""


def _one_is_a_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Query = Annotated[str, Word("PromQL")]
Match = Annotated[list[str], BeforeValidator(_one_is_a_list), Word("Selectors, any may match")]
OptionalMatch = Annotated[list[str] | None, BeforeValidator(_one_is_a_list), Word("Selectors, any may match")]
Start = Annotated[Time, Word("Start", validate_default=True)]
End = Annotated[Time, Word("End", validate_default=True)]
OptionalStart = Annotated[OptionalTime, Word("Start")]
OptionalEnd = Annotated[OptionalTime, Word("End")]
Timeout = Annotated[Duration | None, Word("Deadline")]
NOW = moment("now")
HOUR_AGO = moment("now-1h")


def check_past(at: float | None, argument: str) -> None:
    """Refuse a time that has not come."""
    ahead = 0 if at is None else at - time.time()
    if ahead > _CLOCK_SKEW_SECONDS:
        raise bad_argument(f"{argument}: it is {ahead:.0f} s in the future", "give now or earlier")


def check_span(start: float | None, end: float | None) -> None:
    """Refuse a range that ends before it begins, or that has not come."""
    check_past(start, "start")
    check_past(end, "end")
    if start is not None and end is not None and start > end:
        raise bad_argument(
            f"start: it is {start - end:.0f} s after end", "exchange them; relative times count back: now-1h"
        )
