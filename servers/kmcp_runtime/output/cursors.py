"""Cursors: opaque to callers, complete in themselves so that any replica takes them, refused with other arguments.

Where calls reach the backend as their callers, a cursor is good for the one alone whom it was made for.
"""

import base64
import binascii
import hashlib
import json
import zlib
from collections.abc import Mapping
from typing import Any

from kmcp_runtime import identities, json_text
from kmcp_runtime.errors import ToolFailure, bad_argument

_LARGEST = 16_384
"""Bytes that a cursor may unpack to."""
COUNT = range(1 << 53)
"""What a part of a position may be: how many were shown, the number of the next; all that every JSON reader keeps."""
SIZE = range(1, 10_001)
"""The items of a page."""
Part = range | type[str]


def encode(position: Mapping[str, Any], arguments: Mapping[str, Any]) -> str:
    """A cursor for a position in the answer to these arguments."""
    body = json.dumps({**position, "h": _fingerprint(arguments)}, separators=(",", ":"))
    # Compressed: shorter, and no longer the `eyJ` that tells a token from a text.
    return base64.urlsafe_b64encode(zlib.compress(body.encode(), 9)).decode().rstrip("=")


def decode(cursor: str, arguments: Mapping[str, Any], **parts: Part) -> dict[str, Any]:
    """The position; its `parts` are whole numbers in a range, or texts, and each may be missing.

    A caller can write a cursor, with the fingerprint of another, so what is in it is checked as an argument is.
    Without `parts` every one may be a `COUNT` or a text. Errors: `bad_argument`.
    """
    try:
        packed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        body = json_text.read(zlib.decompressobj().decompress(packed, _LARGEST))
        fingerprint = body.pop("h")
    except (binascii.Error, zlib.error, ValueError, KeyError, AttributeError, TypeError):
        raise _foreign() from None
    if fingerprint != _fingerprint(arguments):
        other = " or to another caller" if identities.current_key() else ""
        raise bad_argument(
            f"cursor: it was issued for different arguments{other}",
            "repeat the call with the arguments of the first one, or without cursor",
        )
    if not all(_is_right(value, parts.get(name) if parts else None) for name, value in body.items()) or (
        parts and not body.keys() <= parts.keys()
    ):
        raise _foreign()
    position: dict[str, Any] = body
    return position


def _is_right(value: Any, part: Part | None) -> bool:
    if isinstance(value, str):
        # What is not printable, such as half of a surrogate pair, no request could hold.
        return not isinstance(part, range) and value.isprintable()
    within = COUNT if part is None else part
    return isinstance(within, range) and type(value) is int and value in within


def _foreign() -> ToolFailure:
    return bad_argument("cursor: this tool did not issue it", "start again without cursor")


def _fingerprint(arguments: Mapping[str, Any]) -> str:
    text = json.dumps(arguments, sort_keys=True, default=str) + identities.current_key()
    return hashlib.sha256(text.encode()).hexdigest()[:10]
