"""What a foreign server says, made harmless to read: no control characters, no lone surrogates, bounded. Pure."""

import re
from typing import Any

LONGEST_TEXT = 16 * 2**10
DEEPEST = 64
_LARGEST_NUMBER = 2.0**1023  # about what a JSON number can be
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def clean(text: str, limit: int = LONGEST_TEXT) -> str:
    """Text without control characters, at most `limit` long."""
    return _CONTROL.sub("\ufffd", text)[:limit]


def scrub(value: Any, depth: int = 0, longest: int = LONGEST_TEXT) -> Any:
    """The value with every text cleaned, cut where it nests deeper than `DEEPEST`; a text has at most `longest`
    characters."""
    if isinstance(value, str):
        return clean(value, longest)
    if isinstance(value, int | float) and not -_LARGEST_NUMBER < value < _LARGEST_NUMBER:
        return None  # NaN, infinity, or too large for the number of JSON that hashes are made of
    if depth > DEEPEST:
        return None
    if isinstance(value, dict):
        return {clean(key): scrub(item, depth + 1, longest) for key, item in value.items()}
    return [scrub(item, depth + 1, longest) for item in value] if isinstance(value, list) else value
