"""What stands in place of a secret, and how to see that one came back.

`[hidden]` says that there is something. `[hidden:3f9c]` stands where a reader must see whether a value changed: a keyed
digest of the place (an object and a path in it) and the value, never of the value alone, so nothing that a caller
chooses elsewhere can be compared with it. The key follows KMCP_STATE_KEY, so replicas agree; without it the key is
the process's own.
"""

import hmac
import os
import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "[hidden]"
TOO_DEEP = "[hidden: nested too deep to look into]"
_INCOMING = re.compile(
    r"(?:\[|%5B)hidden(?:(?::|%3A)[0-9a-f]{4}|: nested too deep to look into)?(?:\]|%5D)", re.IGNORECASE
)
"""A mark as it may come back: a caller may have put it into a URL."""
MARK = re.compile(r"\[hidden(?::[0-9a-f]{4})?\]")
_DIGITS = 4
_STEP = 64 << 10
_LONGEST_MARK = 64
"""Characters of what `_INCOMING` matches, and a few more."""


class _Key:
    """The key of the process's marks."""

    def __init__(self) -> None:
        self.bytes = os.urandom(32)


_key = _Key()


def use_key(state_key: str | None) -> None:
    """Derive the key of marks from KMCP_STATE_KEY, so that all replicas mark one value at one place alike."""
    if state_key:
        from kmcp_runtime import keys  # its library is large, and programs that only hide have no state key

        _key.bytes = keys.derive(state_key, "marks/v1")


def mark(place: str, value: str) -> str:
    """The mark of a value; `place` is empty where nobody needs to see whether it changed."""
    if not place:
        return HIDDEN
    told = place.encode(errors="surrogatepass") + b"\0" + value.encode(errors="surrogatepass")
    return f"[hidden:{hmac.digest(_key.bytes, told, 'sha256').hex()[:_DIGITS]}]"


def fingerprint(value: str) -> str:
    """A keyed digest for lines that only operators read (the audit log): no answer ever holds one."""
    return (
        "sha256:"
        + hmac.new(_key.bytes, b"fingerprint\0" + value.encode(errors="surrogatepass"), "sha256").hexdigest()[:12]
    )


def is_mark(value: str) -> bool:
    return MARK.fullmatch(value) is not None


def find_mark(node: Any, path: str = "") -> str | None:
    """Where something that a caller sends holds a mark, whole or inside a longer text, in keys too; None if nowhere."""
    if isinstance(node, str):
        begin = _incoming(node)
        if begin is None:
            return None
        line = node.count("\n", 0, begin)
        return (path or "it") + (f" (line {line + 1})" if "\n" in node else "")
    if isinstance(node, Mapping):
        for key, item in node.items():
            below = f"{path}.{key}" if path else str(key)
            if isinstance(key, str) and _incoming(key) is not None:
                return below
            if found := find_mark(item, below):
                return found
    elif isinstance(node, list | tuple):
        for number, item in enumerate(node):
            if found := find_mark(item, f"{path}.{number}" if path else str(number)):
                return found
    return None


def _incoming(text: str) -> int | None:
    """Where the first mark begins; searched in steps, since no other thread runs within one."""
    for start in range(0, len(text), _STEP):
        if match := _INCOMING.search(text, start, start + _STEP + _LONGEST_MARK):
            return match.start()
    return None
