"""The five fields of a cron expression as Kubernetes reads them (robfig/cron, `ParseStandard`)."""

import re
from dataclasses import dataclass

from kmcp_runtime import go_seconds

DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MACROS = frozenset({"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"})
_EVERY = "@every "
_SEVEN = re.compile(r"([1-6])-(?:7|sun)|7(?:-7)?")


@dataclass(frozen=True)
class _Field:
    name: str
    least: int
    most: int
    words: tuple[str, ...] = ()
    """What stands for numbers, from the least on."""


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, MONTHS),
    _Field("day of the week", 0, 6, DAYS),
)


def fault(expression: str) -> str | None:
    """Why Kubernetes refuses this expression, in lower case; None when it takes it."""
    if expression.startswith(_EVERY):
        try:
            go_seconds(expression.removeprefix(_EVERY))
        except ValueError as error:
            return str(error)
        return None
    if expression in MACROS:
        return None
    written = expression.split()
    if len(written) != len(_FIELDS):
        return f"{expression!r} has {len(written)} fields, not five"
    parts = ((field, part) for field, text in zip(_FIELDS, written, strict=True) for part in text.split(",") if part)
    return next((f"{field.name} {part!r}: {why}" for field, part in parts if (why := _why(field, part))), None)


def with_sunday(expression: str) -> str:
    """The expression with 0 for Sunday where it is 7 in the last field, as other crons take it: `5-7` is `5-6,0`."""
    if expression.startswith("@"):
        return expression
    *before, days = expression.split(" ")
    parts = []
    for part in days.split(","):
        seven = _SEVEN.fullmatch(part)
        parts.append(part if seven is None else f"{seven[1]}-6,0" if seven[1] else "0")
    return " ".join([*before, ",".join(parts)])


def _why(field: _Field, part: str) -> str | None:
    span, slash, step = part.partition("/")
    low, dash, high = span.partition("-")
    if slash and not (step.isdecimal() and int(step)):
        return "a step is a whole number from 1 on"
    if low in ("*", "?"):
        return None
    first = _number(field, low)
    last = _number(field, high) if dash else field.most if slash else first
    if first is None or last is None:
        return "not a number" + (" or a name" if field.words else "")
    if first < field.least or last > field.most:
        return f"from {field.least} to {field.most}"
    return "the range ends before it begins" if first > last else None


def _number(field: _Field, text: str) -> int | None:
    if text in field.words:
        return field.least + field.words.index(text)
    return int(text) if text.isascii() and text.isdecimal() else None
