"""What time it is."""

import math
from typing import Annotated

from pydantic import Field

from kmcp_clock.client import Clock
from kmcp_runtime import Effect, Result, SignedDuration, tool


class Moment(Result):
    """A moment, and how a clock in the zone shows it."""

    own = True
    iso8601: str = Field(description="Local time with its offset from UTC")
    unix: int = Field(description="Seconds since 1970-01-01 UTC")
    timezone: str
    utc_offset: str = Field(description="As +02:00")
    weekday: str


@tool(Effect.READ, open_world=False)
async def datetime_get_current_time(
    clock: Clock,
    timezone: Annotated[str, "IANA name"] = "UTC",
    offset: SignedDuration | None = None,
    months: Annotated[int, "Calendar months", Field(ge=-120_000, le=120_000)] = 0,
    time: Annotated[str | float | None, "Instead of now"] = None,
    from_timezone: Annotated[str | None, "Of a time without offset"] = None,
) -> Moment:
    """Show the time now, or before or after now, in a time zone; use it before writing any date or time range."""
    zone = clock.zone(timezone)
    at = None if time is None else clock.moment(time, clock.zone(from_timezone) if from_timezone else zone)
    moment = clock.now(zone, offset or 0, months, at)
    text = moment.isoformat(timespec="seconds")
    return Moment(
        iso8601=text,
        unix=math.floor(moment.timestamp()),
        timezone=zone.key,
        utc_offset=text[len("1970-01-01T00:00:00") :],
        weekday=moment.strftime("%A"),
    )
