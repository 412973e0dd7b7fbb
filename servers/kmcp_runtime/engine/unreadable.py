"""Bytes that should be a message of JSON-RPC and cannot be read as one: why, and whose request they are."""

import json
import re
from typing import Any

import pydantic_core

PARSE_ERROR = -32700
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")
"""Escapes of the halves of a character; only a pair of them is one."""


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
    text = message.decode(errors="replace")
    try:
        found = json.loads(text)
    except RecursionError:
        return UnreadableError("it is nested too deeply")
    except ValueError:
        return UnreadableError("it is not valid JSON")
    if "\ufffd" in text and "\ufffd".encode() not in message:
        return UnreadableError("it is not UTF-8", found)
    if _HALF.search(message):
        return UnreadableError("a text in it has half a character (a lone surrogate): send whole ones", found)
    return UnreadableError("it is nested too deeply", found)
