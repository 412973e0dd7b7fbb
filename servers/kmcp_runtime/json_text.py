"""The one reader of JSON that others wrote: bounded in depth, so that no walk over it can exhaust Python's stack.

Its size is bounded where the bytes arrive (`kmcp_runtime.web`, the Kubernetes door, a command's output).
"""

import json
from typing import Any

from kmcp_runtime.yaml_text import DEEPEST


class TooDeepError(ValueError):
    """A text that nests deeper than `DEEPEST` levels."""


def read(text: str | bytes | bytearray) -> Any:
    """The value of a JSON text. Errors: ValueError, of which `TooDeepError` is one; never RecursionError."""
    try:
        found = json.loads(text)
    except RecursionError:
        raise _too_deep() from None
    if _may_be_deep(text) and _is_deep(found):
        raise _too_deep()
    return found


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
