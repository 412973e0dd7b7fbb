"""JSON inside a text: behind a timestamp and a pod's name in a line of a log, or quoted in another format.

Only what parses is read so; what is cut off, and what is behind the limit, is read as text alone.
"""

import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

MOST_READ = 400_000
"""Characters of one text that are parsed, and what stands for the time that documents take beside their length."""
_ATTEMPT = 256
"""What each costs: that of a short one is spent on the walk, that of a vain attempt on its error."""
_CHANGED = 512
_ESCAPED = 1_024
_DEEP = 8_192
"""What an attempt costs that ends for its depth."""
_BEGIN = re.compile(r'[{\[][\s{\[]{0,16}(\\{0,15})"')
"""A mapping or a list that begins with a text; behind backslashes it stands in a text itself."""
_QUOTED = re.compile(r'(?:[^"\\\n]|\\.)*')
_DECODER = json.JSONDecoder()
_STYLES = ((", ", ": "), (",", ":"))
_INDENTED = ((",", ": "),)

Replace = Callable[[Any], Any]
"""The same data, with what is secret in it replaced."""
Read = Callable[[str], str]


def may_begin(text: str) -> bool:
    return ("{" in text or "[" in text) and _BEGIN.search(text) is not None


def hide_in_json(text: str, replace: Replace, read: Read) -> str:
    """The text with each JSON document in it replaced; `read` looks at what is unescaped once more."""
    if not may_begin(text):
        return text
    out: list[str] = []
    position = 0
    for start, stop, shown in _changed(text, replace, read):
        out += (text[position:start], shown)
        position = stop
    return "".join([*out, text[position:]]) if out else text


def _changed(text: str, replace: Replace, read: Read) -> Iterator[tuple[int, int, str]]:
    """Where a document stands that holds a secret, and what stands there instead."""
    at, left = 0, MOST_READ
    while left > 0 and (match := _BEGIN.search(text, at)):
        start = match.start()
        stop, shown, cost = _quoted(text, start, read) if match[1] else _plain(text, start, start + left, replace)
        left -= cost + _ATTEMPT
        if shown is not None and shown != text[start:stop]:
            yield start, stop, shown
        at = max(stop, start + 1)


def _plain(text: str, start: int, limit: int, replace: Replace) -> tuple[int, str | None, int]:
    # A part of the text, since an error counts the lines before it.
    part = text[start:limit]
    try:
        found, length = _DECODER.raw_decode(part)
    except json.JSONDecodeError as failure:
        return start, None, failure.pos
    except (ValueError, RecursionError):
        return start, None, _DEEP
    hidden = replace(found)
    if hidden == found:
        return start + length, None, length
    return start + length, _written(hidden, found, part[:length]), length + _CHANGED


def _quoted(text: str, start: int, read: Read) -> tuple[int, str | None, int]:
    """To the end of the text in quotes in which the document stands."""
    match = _QUOTED.match(text, start, start + MOST_READ)
    stop = match.end() if match else start
    try:
        inner = json.loads(f'"{text[start:stop]}"')
    except (ValueError, RecursionError):
        return stop, None, stop - start
    shown = read(inner)
    return stop, None if shown == inner else json.dumps(shown, ensure_ascii=False)[1:-1], stop - start + _ESCAPED


def _written(hidden: Any, found: Any, text: str) -> str:
    """As it was written, where that is one of the usual ways."""
    second = text.partition("\n")[2]
    indent = len(second) - len(second.lstrip(" ")) or None
    for separators in _INDENTED if indent else _STYLES:
        for ascii_only in (False, True):
            write = partial(json.dumps, ensure_ascii=ascii_only, separators=separators, indent=indent)
            if write(found) == text:
                return write(hidden)
    return json.dumps(hidden, ensure_ascii=False, indent=indent)
