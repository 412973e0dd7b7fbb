"""Lines of a log of `cilium-dbg`: `key=value` with values that Go quotes, from logrus (up to 1.17) and slog (later)."""

import re
import sys

_FIELD = re.compile(r'\b(\w+)=("(?:[^"\\]|\\.)*"|\S*)')
_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(.))")
_SHORT = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def log_fields(line: str) -> dict[str, str]:
    """The fields of a line, in its order."""
    return {key: _unquoted(value) for key, value in _FIELD.findall(line)}


def _unquoted(value: str) -> str:
    """A value of the log, which Go quotes: its escapes are more than those of JSON."""
    if not value.startswith('"'):
        return value

    def character(escape: re.Match[str]) -> str:
        code = escape[1] or escape[2] or escape[3]
        return chr(min(int(code, 16), sys.maxunicode)) if code else _SHORT.get(escape[4], escape[4])

    return _ESCAPE.sub(character, value[1:-1])
