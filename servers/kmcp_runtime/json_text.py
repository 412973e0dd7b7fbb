"""The one reader of JSON that others wrote: bounded in depth, so that no walk over it can exhaust Python's stack.

Its size is bounded where the bytes arrive (`kmcp_runtime.web`, the Kubernetes door, a command's output).
"""

import json
from typing import Any

from kmcp_runtime.yaml_text import DEEPEST

_LARGE = 1 << 20
"""Bytes that are read in one step of some milliseconds."""


class TooDeepError(ValueError):
    """A text that nests deeper than `DEEPEST` levels."""


def read(text: str | bytes | bytearray) -> Any:
    """The value of a JSON text. Errors: ValueError, of which `TooDeepError` is one; never RecursionError."""
    try:
        found = json.loads(text) if len(text) < _LARGE else json.loads(text, object_hook=_as_it_is)
    except RecursionError:
        raise _too_deep() from None
    if _may_be_deep(text) and _is_deep(found):
        raise _too_deep()
    return found


def _as_it_is(found: dict[str, Any]) -> dict[str, Any]:
    """For a reading without a long step: at the call of a function another thread may run."""
    return found


def holds_more(text: bytes, most: int) -> bool:
    """Whether a JSON text has more than `most` values, a list or an object that is one of another counted twice.

    A parser makes all values of a text in one step, in which no other thread runs; this says beforehand how many.
    """
    if _signs(text) <= most:  # Also those inside of texts: many times faster than to tell them apart.
        return False
    count = end = 0
    while end < len(text):
        begin = text.find(b'"', end)
        count += _signs(text[end : begin if begin >= 0 else len(text)])
        if count > most:
            return True
        end = _end_of_text(text, begin + 1) if begin >= 0 else len(text)
    return False


def _signs(part: bytes) -> int:
    """Of values: each follows a comma, or begins a list or an object."""
    return part.count(b",") + part.count(b"[") + part.count(b"{")


def _end_of_text(text: bytes, start: int) -> int:
    """Where the text that begins there ends, behind its quote."""
    while True:
        quote = text.find(b'"', start)
        if quote < 0:
            return len(text)
        part = text[start:quote]
        start = quote + 1
        if (len(part) - len(part.rstrip(b"\\"))) % 2 == 0:  # An odd one escapes the quote.
            return start


def _too_deep() -> TooDeepError:
    return TooDeepError(f"it is nested deeper than {DEEPEST} levels")


def _may_be_deep(text: str | bytes | bytearray) -> bool:
    # Counting bytes is a hundred times faster than a walk, and most texts have fewer brackets than this.
    if isinstance(text, str):
        return text.count("[") + text.count("{") > DEEPEST
    return text.count(b"[") + text.count(b"{") > DEEPEST or b"\0" in text  # UTF-16 and UTF-32 have NUL bytes


def _is_deep(found: Any) -> bool:
    level = [found] if isinstance(found, dict | list) else []
    for _ in range(DEEPEST):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True
