"""Bytes that should be a message of JSON-RPC and cannot be read as one: why, and whose request they are."""

import contextlib
import json
from typing import Any

import pydantic_core

from kmcp_runtime.instant import messages

PARSE_ERROR = -32700
_DEEP = "it is nested too deeply"


class UnreadableError(ValueError):
    """`found` is what could be read all the same, such as the id of a request; None where nothing could."""

    def __init__(self, reason: str, found: Any = None) -> None:
        super().__init__(reason)
        self.found = found


def read(message: bytes) -> Any:
    """The JSON value, as the parser of the protocol's library reads it. Errors: `UnreadableError`."""
    try:
        return pydantic_core.from_json(message)
    except ValueError:
        raise _reason(message) from None


def _reason(message: bytes) -> UnreadableError:
    """What Python's parser takes and the other one refuses is JSON, so the sender's id is known."""
    try:
        found = json.loads(message.decode(errors="replace"))
    except RecursionError:
        return UnreadableError(_DEEP)
    except json.JSONDecodeError:
        return UnreadableError("it is not valid JSON")
    except ValueError:
        return UnreadableError("a number in it has too many digits")
    try:
        message.decode()
    except UnicodeDecodeError:
        return UnreadableError("it is not UTF-8", found)
    with contextlib.suppress(RecursionError):
        if not messages.is_whole(found, message):
            return UnreadableError("a text in it has half a character (a lone surrogate): send whole ones", found)
    return UnreadableError(_DEEP, found)
