"""Durations as text: one table of units, and the two grammars that differ in how far they go.

`parse` takes what people write and what Go and Prometheus print. `parse_go` takes what `time.ParseDuration` takes,
for fields that a Go program will read again: it has no unit above the hour, since a day is not always 24 hours.
PromQL is narrower than `parse` (each unit once, the largest first, no fraction); it has its own grammar in
`kmcp_prometheus`, and what we send to Prometheus is a number of seconds.
"""

import argparse
import math
import re

GO_SECONDS = {"ns": 1e-9, "us": 1e-6, "\u00b5s": 1e-6, "\u03bcs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3_600.0}
SECONDS = {**GO_SECONDS, "d": 86_400.0, "w": 604_800.0, "y": 31_536_000.0}
"""Seconds of each unit. As in Prometheus a day has 24 hours, a week 7 days and a year 365."""
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+")
# `ms` before `m`: the first alternative that fits is taken.
_PART = re.compile(rf"({_NUMBER.pattern})({'|'.join(sorted(SECONDS, key=len, reverse=True))})")


def parse(text: str) -> float:
    """Seconds of `30s`, `1h30m`, `1.5d`, `2w`; a bare number is seconds, an empty or signed text a ValueError."""
    if _NUMBER.fullmatch(text):
        return float(text)
    parts = _parts(text)
    if not parts:
        raise ValueError(f"{text!r} is not a valid duration: write 30s, 5m, 2h or 7d")
    return sum(float(number) * SECONDS[unit] for number, unit in parts)


def parse_signed(text: str) -> float:
    """The same with an optional sign: `-36h`, `+7d`."""
    seconds = parse(text[1:] if text[:1] in ("-", "+") else text)
    return -seconds if text[:1] == "-" else seconds


def parse_go(text: str) -> float:
    """Seconds of a duration that Go reads: `1h30m`, `1.5m`, `250ms`; a ValueError for anything else, `1d` included."""
    if text == "0":
        return 0.0
    parts = _parts(text)
    if not parts or any(unit not in GO_SECONDS for _, unit in parts):
        beyond = "; Go has no unit above the hour: write 1d as 24h" if parts else ""
        raise ValueError(f"{text!r} is not a duration that Go reads, such as 30s or 1h30m{beyond}")
    return sum(float(number) * GO_SECONDS[unit] for number, unit in parts)


_AGES: tuple[tuple[float, int, str, int, str], ...] = (
    (120, 1, "s", 0, ""),
    (10 * 60, 60, "m", 1, "s"),
    (3 * 3_600, 60, "m", 0, ""),
    (8 * 3_600, 3_600, "h", 60, "m"),
    (48 * 3_600, 3_600, "h", 0, ""),
    (8 * 86_400, 86_400, "d", 3_600, "h"),
    (2 * 31_536_000, 86_400, "d", 0, ""),
    (8 * 31_536_000, 31_536_000, "y", 86_400, "d"),
    (math.inf, 31_536_000, "y", 0, ""),
)
"""Below how many seconds an age is written in which unit, and in which smaller one for the rest."""


def age(seconds: float) -> str:
    """`90s`, `5m30s`, `3h20m`, `4d2h`, `2y170d`, as kubectl writes it (HumanDuration); `0s` for what lies ahead."""
    whole = max(int(seconds), 0)
    _, size, unit, smaller, part = next(row for row in _AGES if whole < row[0])
    rest = whole % size // smaller if smaller else 0
    return f"{whole // size}{unit}" + (f"{rest}{part}" if rest else "")


def time_limit(text: str) -> float:
    """Seconds of an option of a command line, more than 0 and finite; argparse shows the error of any other."""
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time limit; write seconds, more than 0")
    return found


def _parts(text: str) -> list[tuple[str, str]]:
    """The parts of the whole text; none when anything is left over."""
    parts = _PART.findall(text)
    return parts if "".join(number + unit for number, unit in parts) == text else []
