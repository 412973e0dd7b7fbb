"""Moments as Grafana's users write them: seconds or milliseconds, RFC 3339, and its date math (`now-1d/d`).

Every time argument of this server is read here, so that all take the same.
"""

import calendar
import math
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from kmcp_runtime import moment_of

FIRST_MILLISECONDS = 1e11
"""Seconds until the year 5138: a larger number counts milliseconds, as Grafana's own API does."""
_LAST_MILLISECONDS = 253_402_300_799_999
"""The end of the year 9999."""
_NUMBER = re.compile(r"\s*\d+(?:\.\d+)?\s*", re.ASCII)
# `public/app`'s date math: steps of whole numbers, and at last a unit to whose beginning or end is rounded.
_MATH = re.compile(r"now((?:[+-]\d{1,9}[yMwdhmsQ])*)(?:/([yMwdhmsQ]))?", re.ASCII)
_STEP = re.compile(r"([+-]\d+)([yMwdhmsQ])", re.ASCII)
_PARTS = re.compile(r"(\d+)(ms|[ywdhms])", re.ASCII)
_DAYS = {"d": 1, "w": 7}
_SECONDS = {"h": 3600, "m": 60, "s": 1}
_MONTHS = {"M": 1, "Q": 3, "y": 12}
_HINT = "Grafana's own are now, now-1h, now/d, now-1d/d, now-1M"


def start_of(value: Any) -> Any:
    """Seconds since 1970 of the beginning of a range: `now/d` is when the day began, in UTC."""
    return _read(value, round_up=False)


def end_of(value: Any) -> Any:
    """Seconds since 1970 of the end of a range: `now/d` is when the day ends, in UTC."""
    return _read(value, round_up=True)


def link_time_of(value: Any) -> str | None:
    """A time as Grafana's pages take it in an address: relative ones stay relative, all others are milliseconds."""
    if value is None:
        return None
    text = value.strip() if isinstance(value, str) else value
    if isinstance(text, str) and _MATH.fullmatch(text):
        start_of(text)
        return text
    seconds = start_of(text)
    if isinstance(text, str) and text.startswith(("now", "+", "-")):
        return _steps(text) or f"now{seconds - time.time():+.0f}s"
    return str(round(seconds * 1000))


def _steps(text: str) -> str | None:
    """`-1h30m` in steps of one unit each, which are all that Grafana reads: `now-1h-30m`."""
    offset = text.removeprefix("now").replace(" ", "")
    if not offset:
        return "now"
    parts = _PARTS.findall(offset[1:])
    if not parts or any(unit == "ms" for _, unit in parts) or "".join(map("".join, parts)) != offset[1:]:
        return None
    return "now" + "".join(f"{offset[0]}{number}{unit}" for number, unit in parts)


def _read(value: Any, *, round_up: bool) -> Any:
    if isinstance(value, str) and (math_text := _MATH.fullmatch(value.strip())):
        return _calculated(math_text, round_up=round_up)
    number = float(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value
    if isinstance(number, int | float) and not isinstance(number, bool) and number >= FIRST_MILLISECONDS:
        if not number <= _LAST_MILLISECONDS:
            raise ValueError(f"{number:.0f} is beyond the year 9999, in seconds and in milliseconds")
        return number / 1000
    try:
        return moment_of(value)
    except ValueError as error:
        raise ValueError(f"{error}; {_HINT}" if isinstance(value, str) and "now" in value else str(error)) from None


def _calculated(found: re.Match[str], *, round_up: bool) -> float:
    try:
        moment = datetime.now(UTC)
        for number, unit in _STEP.findall(found[1]):
            moment = _moved(moment, int(number), unit)
        if not found[2]:
            return round(moment.timestamp(), 3)
        begin = _BEGINNINGS[found[2]](moment)
        return (_moved(begin, 1, found[2]).timestamp() - 0.001) if round_up else begin.timestamp()
    except (OverflowError, ValueError):
        raise ValueError(f"{found[0]!r} is not between the years 1 and 9999") from None


def _moved(moment: datetime, count: int, unit: str) -> datetime:
    if unit in _MONTHS:
        months = moment.year * 12 + moment.month - 1 + count * _MONTHS[unit]
        year, month = divmod(months, 12)
        # A month before the 31st is the last day that the month has.
        day = min(moment.day, calendar.monthrange(year, month + 1)[1])
        return moment.replace(year=year, month=month + 1, day=day)
    seconds = _SECONDS.get(unit, 0) + _DAYS.get(unit, 0) * 86400
    return moment + timedelta(seconds=count * seconds)


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


_BEGINNINGS: dict[str, Callable[[datetime], datetime]] = {
    "s": lambda moment: moment.replace(microsecond=0),
    "m": lambda moment: moment.replace(second=0, microsecond=0),
    "h": lambda moment: moment.replace(minute=0, second=0, microsecond=0),
    "d": _midnight,
    "w": lambda moment: _midnight(moment) - timedelta(days=(moment.weekday() + 1) % 7),
    "M": lambda moment: _midnight(moment).replace(day=1),
    "Q": lambda moment: _midnight(moment).replace(month=math.floor((moment.month - 1) / 3) * 3 + 1, day=1),
    "y": lambda moment: _midnight(moment).replace(month=1, day=1),
}
