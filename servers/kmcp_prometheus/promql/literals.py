"""Numbers, durations and strings as they stand in expressions, with the limits that Prometheus sets."""

import math
import re

from kmcp_runtime.durations import SECONDS

_PART = re.compile(r"(\d+)(ms|[smhdwy])", re.ASCII)
_UNITS = {unit: round(SECONDS[unit] * 1000) for unit in ("y", "w", "d", "h", "m", "s", "ms")}
"""Milliseconds, in the only order in which a compound duration may name them."""
_LONGEST_MILLISECONDS = 2**63 // 1_000_000
"""Prometheus holds durations as nanoseconds in 64 bits."""
_DIGITS = r"\d(?:_?\d)*"
_NUMBER = re.compile(rf"(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][+-]?{_DIGITS})?", re.ASCII)
_HEXADECIMAL = re.compile(r"0[xX]_?[0-9a-fA-F](?:_?[0-9a-fA-F])*")
_OCTAL = re.compile(r"0(?:_?[0-7])+")
_ESCAPE = re.compile(
    r"""\\(?:x(?P<byte>[0-9a-fA-F]{2})|u(?P<short>[0-9a-fA-F]{4})|U(?P<long>[0-9a-fA-F]{8})
    |(?P<octal>[0-7]{3})|(?P<letter>[abfnrtv\\"']))""",
    re.VERBOSE,
)
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_LAST_CHARACTER = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


def number(text: str) -> float:
    """The value of a literal: `1.50`, `0x10`, `1_000`, `017` (octal, as in Go), `5m` (300), `Inf`, `NaN`."""
    lowered = text.lower()
    if lowered in ("inf", "nan"):
        return float(lowered)
    if is_duration(text):
        return duration(text) / 1000
    if _HEXADECIMAL.fullmatch(text):
        value = int(text, 16)
        if value >= 2**63:  # Go reads hexadecimal integers into 64 bits, and no others.
            raise ValueError(f"error parsing number: {text} is out of range")
        return float(value)
    if _OCTAL.fullmatch(text):
        return float(int(text.replace("_", ""), 8))
    if not _NUMBER.fullmatch(text):
        raise ValueError(f'bad number or duration syntax: "{text[:50]}"')
    found = float(text)
    if math.isinf(found):
        raise ValueError(f"error parsing number: {text[:50]} is out of range")
    return found


def duration(text: str) -> int:
    """Milliseconds of `5m`, `1h30m`, `1d`: whole numbers, units from the largest to the smallest, each once."""
    parts = _PART.findall(text)
    units = [unit for _, unit in parts]
    if "".join(count + unit for count, unit in parts) != text or units != [unit for unit in _UNITS if unit in units]:
        raise ValueError(f'not a valid duration string: "{text[:50]}"')
    # A count of more digits than this cannot be in range; Python would take long to convert one of thousands.
    counts = [int(count) if len(count.lstrip("0")) < 20 else _LONGEST_MILLISECONDS + 1 for count, _ in parts]
    total = sum(count * _UNITS[unit] for count, unit in zip(counts, units, strict=True))
    if total > _LONGEST_MILLISECONDS:
        raise ValueError("duration out of range")
    return total


def is_duration(text: str) -> bool:
    """Whether a literal names units: `5m`, not `300`, nor `0x1d`, whose last letter is a digit."""
    return text[-1] in "smhdwy" and text[:2].lower() != "0x"


def milliseconds(seconds: float) -> int:
    """Of a duration or timestamp in seconds; halves away from zero, as Go rounds."""
    return int(math.copysign(math.floor(abs(seconds) * 1000 + 0.5), seconds))


def is_out_of_range(seconds: float) -> bool:
    return math.isnan(seconds) or abs(seconds) > 2**63 / 1e9


def plain(value: float) -> str:
    """A number without exponent and without a needless fraction, as Go's format `f` writes it."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    digits, _, exponent = repr(value).partition("e")
    if not exponent:
        return digits.removesuffix(".0")
    sign = "-" if digits.startswith("-") else ""
    whole, _, fraction = digits.lstrip("-").partition(".")
    shift = int(exponent)
    if shift < 0:
        return f"{sign}0.{'0' * (-shift - 1)}{whole}{fraction}"
    return sign + whole + fraction.ljust(shift, "0")


def written_duration(count: int) -> str:
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


def unquoted(text: str) -> str:
    """The value of a string literal; `ValueError` where an escape is not valid."""
    quote, inner = text[0], text[1:-1]
    if "\ufffd" in inner or any(ord(character) in _SURROGATES for character in inner):
        raise ValueError("invalid UTF-8 rune")  # Go reads what is not UTF-8 as U+FFFD, and refuses that in strings.
    if quote == "`" or "\\" not in inner:
        return inner
    found, at = bytearray(), 0
    while (escape := inner.find("\\", at)) >= 0:
        match = _ESCAPE.match(inner, escape)
        if match is None or match["letter"] == ("'" if quote == '"' else '"'):
            raise ValueError(f"unknown escape sequence {inner[escape : escape + 2]!r}")
        found += inner[at:escape].encode() + _unescaped(match)
        at = match.end()
    found += inner[at:].encode()
    return found.decode(errors="replace")


def _unescaped(match: re.Match[str]) -> bytes:
    """The bytes of an escape: `\\x` and octal ones are single bytes, which together may be one character."""
    if match["byte"]:
        return bytes([int(match["byte"], 16)])
    if match["octal"]:
        value = int(match["octal"], 8)
        if value > 0xFF:
            raise ValueError("escape sequence is an invalid Unicode code point")
        return bytes([value])
    if match["letter"]:
        return _LETTERS.get(match["letter"], match["letter"]).encode()
    value = int(match["short"] or match["long"], 16)
    if value > _LAST_CHARACTER or value in _SURROGATES:
        raise ValueError("escape sequence is an invalid Unicode code point")
    return chr(value).encode()


def quoted(text: str) -> str:
    """A string literal of that value."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'
