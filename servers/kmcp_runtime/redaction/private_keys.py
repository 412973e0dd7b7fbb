"""Private keys in PEM inside a text: whole, or cut off at either end, as the last lines of a log are."""

import re
from collections.abc import Callable

from kmcp_runtime.redaction import shapes

_BEGIN = shapes.compiled(r"-----BEGIN [A-Z0-9 ]{0,40}(?:PRIVATE KEY(?: BLOCK)?|NKEY SEED)-----|PuTTY-User-Key-File-\d")
_END = b"-----END "
_END_OF_KEY = shapes.compiled(r"-----END [A-Z0-9 ]{0,40}(?:PRIVATE KEY(?: BLOCK)?|NKEY SEED)-----")
ENDS = (_BEGIN, _END_OF_KEY)
_WORDS = ("PRIVATE KEY", "PuTTY-User-Key-File", "NKEY SEED")
_BODY = re.compile(rb"[A-Za-z0-9+/]{32,}={0,2}[^A-Za-z0-9+/=\n]{0,3}$")
_LAST = re.compile(rb"(?:^|[^A-Za-z0-9+/])[A-Za-z0-9+/]{2,}={0,2}[^A-Za-z0-9+/=\n]{0,3}$")
_MOST_LINES = 120
"""A key of 8192 bits has as many."""
_LONGEST_LINE = 400
MOST_KEYS = 2_000
"""Private keys of one text that are hidden each for itself."""

Hide = Callable[[bytes], bytes]


def without_private_keys(text: str, hide: Hide) -> str:
    """The text with private keys replaced; also where line ends are written as `\\n`."""
    if not any(word in text for word in _WORDS):
        return text
    data = _without_tail(text.encode(errors="surrogatepass"), hide)
    out: list[bytes] = []
    position = 0
    while (begin := _BEGIN.search(data, position)) is not None:
        start, after = begin.span()
        # After many of them: all that is left is one.
        end = data.find(_END, after) if len(out) < MOST_KEYS else data.rfind(_END, after)
        stop = len(data) if end < 0 else end
        if end >= 0:
            closing = data.find(b"-----", end + len(_END))
            stop = closing + 5 if 0 <= closing <= end + 80 else end
        out += (data[position:start], hide(data[start:stop]))
        position = stop
    return b"".join([*out, data[position:]]).decode(errors="surrogatepass")


def _without_tail(data: bytes, hide: Hide) -> bytes:
    """The text without the end of a key whose beginning stands above it: only the first key can be cut so."""
    end = _END_OF_KEY.search(data)
    begin = _BEGIN.search(data)
    if end is None or (begin is not None and begin.start() < end.start()):
        return data
    start = data.rfind(b"\n", 0, end.start()) + 1
    for number in range(_MOST_LINES):
        above = data.rfind(b"\n", max(0, start - _LONGEST_LINE), max(0, start - 1)) + 1
        line = data[above : max(0, start - 1)]
        if not (_BODY.search(line) or (number == 0 and _LAST.search(line))):
            break
        start = above
    return data[:start] + hide(data[start : end.end()]) + data[end.end() :]
