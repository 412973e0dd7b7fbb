"""Requests to foreign servers as the bytes that go out."""

import json
from collections.abc import Mapping
from typing import Any

JSON = {"Content-Type": "application/json"}


def as_bytes(head: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Headers as they were read: a value may have bytes above ASCII, which the client's own encoding refuses."""
    return [(name.encode("ascii"), value.encode("latin-1")) for name, value in head.items()]


def as_json(message: Mapping[str, Any]) -> bytes:
    """A message; half of a character (a lone surrogate), which a server may want back, goes as the escape that it is.

    Errors: ValueError for a number that JSON does not have.
    """
    try:
        return json.dumps(message, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        return json.dumps(message, allow_nan=False).encode()
