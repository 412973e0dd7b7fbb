"""Numbers and durations as they stand in expressions."""

import re

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w|y)")
_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000, "y": 31_536_000_000}


def number(text: str) -> str:
    """A literal in Prometheus' spelling: `1.50` is 1.5, `0x10` 16, `5m` 300, `inf` +Inf."""
    lowered = text.lower().replace("_", "")
    if lowered in ("inf", "nan"):
        return "+Inf" if lowered == "inf" else "NaN"
    if lowered.startswith("0x"):
        return str(int(lowered, 16))
    value = milliseconds(lowered) / 1000 if _PART.match(lowered) else float(lowered)
    return plain(value)


def plain(value: float) -> str:
    """A float without exponent and without a needless fraction."""
    return str(int(value)) if value == int(value) else f"{value:.20f}".rstrip("0") if abs(value) < 1e-4 else repr(value)


def milliseconds(text: str) -> int:
    """Of `5m`, `1h30m`, `-90s`; a bare number is seconds."""
    sign, text = (-1, text[1:]) if text.startswith("-") else (1, text)
    parts = _PART.findall(text)
    if not parts:
        return sign * round(float(text) * 1000)
    return sign * round(sum(float(count) * _UNITS[unit] for count, unit in parts))


def duration(count: int) -> str:
    """Milliseconds in Prometheus' spelling: `1h30m`."""
    if count == 0:
        return "0s"
    sign, rest = ("-", -count) if count < 0 else ("", count)
    for unit in ("y", "w", "d"):  # Only where it is the whole: 8d is clearer than 1w1d.
        if rest % _UNITS[unit] == 0:
            return f"{sign}{rest // _UNITS[unit]}{unit}"
    found = ""
    for unit in ("d", "h", "m", "s", "ms"):
        whole, rest = divmod(rest, _UNITS[unit])
        found += f"{whole}{unit}" if whole else ""
    return sign + found
