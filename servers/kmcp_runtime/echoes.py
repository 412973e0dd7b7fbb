"""What an error repeats of a caller's arguments: a short excerpt, whoever repeats it.

A backend repeats what it refuses (a name, a selector, a whole manifest). Of each such passage only the beginning stays,
so that no call can have many guesses of a secret repeated at once, and no error becomes as long as what was sent.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

LONGEST = 60
"""Characters of an argument that may be repeated whole."""
_KEPT = 40
_STEP = 20
"""A passage that is longer than LONGEST holds one of these, wherever it begins."""
_CUT = "…"
MOST_OF_A_MESSAGE = 8_000
MOST_CHARACTERS = 256 * 1024


def shortened(message: str, arguments: Any) -> str:
    """The message with each passage that it repeats of an argument cut to its beginning."""
    if len(message) <= LONGEST:
        return message
    message = message if len(message) <= MOST_OF_A_MESSAGE else message[:MOST_OF_A_MESSAGE] + _CUT
    # The longest first: a passage is then found in the text that it is the largest part of.
    sent = "\0".join(sorted(set(texts(arguments)), key=len, reverse=True))[:MOST_CHARACTERS]
    if len(sent) <= LONGEST:
        return message
    out: list[str] = []
    position = at = 0
    while at + _STEP <= len(message):
        passage = _passage(message, sent, at, position) if message[at : at + _STEP] in sent else None
        if passage is not None:
            start, stop = passage
            out += (message[position : start + _KEPT], _CUT)
            position = stop
            at = max(at, stop - _STEP)
        at += _STEP
    return "".join([*out, message[position:]])


def _passage(message: str, sent: str, at: int, floor: int) -> tuple[int, int] | None:
    """The first passage around this place that is too long, as far as it goes on in what was sent; None if none is."""
    for start in range(max(floor, at + _STEP - LONGEST - 1), at + 1):
        stop = start + LONGEST + 1
        found = sent.find(message[start:stop]) if stop <= len(message) else -1
        if found >= 0:
            offset = found - start
            while stop < len(message) and stop + offset < len(sent) and message[stop] == sent[stop + offset] != "\0":
                stop += 1
            return start, stop
    return None


def texts(node: Any) -> Iterator[str]:
    """Every text of a caller's arguments, keys included, also as errors quote it."""
    if isinstance(node, str):
        yield node
        if '"' in node or "\\" in node or not node.isprintable():
            yield json.dumps(node, ensure_ascii=False)[1:-1]
    elif isinstance(node, Mapping):
        for key, item in node.items():
            yield from texts(key)
            yield from texts(item)
    elif isinstance(node, list | tuple):
        for item in node:
            yield from texts(item)
