"""Moments: relative to now, RFC 3339, or epoch; inside this server always seconds since 1970."""

import re
import time
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from kmcp_runtime.arguments import Word, seconds_of

_RELATIVE = re.compile(r"(?:now)?\s*(?:([+-])\s*(\S+))?")
_MILLIS_FROM = 1e11
"""An epoch from here on is in milliseconds: in seconds it would be the year 5138."""
_WANTED = "write now-1h, 2026-01-31T12:00:00Z or seconds since 1970"


def moment(value: Any) -> Any:
    """Seconds since 1970 of `now-1h`, `-15m`, an RFC 3339 text or an epoch in seconds or milliseconds."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{value!r} is no moment: {_WANTED}")
    if not isinstance(value, str):
        return _epoch(float(value))
    text = value.strip()
    if re.fullmatch(r"\d+(?:\.\d+)?", text):
        return _epoch(float(text))
    relative = _RELATIVE.fullmatch(text)
    if text and relative:
        return _relative(relative, value)
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{value!r} is no moment: {_WANTED}") from None
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


def millis(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def _epoch(number: float) -> float:
    return number / 1000 if number >= _MILLIS_FROM else number


def _relative(match: re.Match[str], value: str) -> float:
    sign, amount = match.groups()
    if amount is None:
        return time.time()
    try:
        seconds = float(seconds_of(amount))
    except ValueError:
        raise ValueError(f"{value!r} is no moment: {_WANTED}") from None
    return time.time() + (seconds if sign == "+" else -seconds)


_SCHEMA = WithJsonSchema({"type": "string"})
Start = Annotated[float | None, BeforeValidator(lambda value: value if value is None else moment(value)), _SCHEMA,
                  Word("From, e.g. now-1h")]  # fmt: skip
End = Annotated[float | None, BeforeValidator(lambda value: value if value is None else moment(value)), _SCHEMA,
                Word("Until")]  # fmt: skip
