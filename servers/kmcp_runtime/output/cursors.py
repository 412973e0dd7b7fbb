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
from kmcp_runtime.errors import bad_argument

_LARGEST = 16_384
"""Bytes that a cursor may unpack to."""


def encode(position: Mapping[str, Any], arguments: Mapping[str, Any]) -> str:
    """A cursor for a position in the answer to these arguments."""
    body = json.dumps({**position, "h": _fingerprint(arguments)}, separators=(",", ":"))
    # Compressed: shorter, and no longer the `eyJ` that tells a token from a text.
    return base64.urlsafe_b64encode(zlib.compress(body.encode(), 9)).decode().rstrip("=")


def decode(cursor: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    try:
        packed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        body = json_text.read(zlib.decompressobj().decompress(packed, _LARGEST))
        fingerprint = body.pop("h")
    except (binascii.Error, zlib.error, ValueError, KeyError, AttributeError, TypeError):
        raise bad_argument("cursor: this tool did not issue it", "start again without cursor") from None
    if fingerprint != _fingerprint(arguments):
        other = " or to another caller" if identities.current_key() else ""
        raise bad_argument(
            f"cursor: it was issued for different arguments{other}",
            "repeat the call with the arguments of the first one, or without cursor",
        )
    position: dict[str, Any] = body
    return position


def _fingerprint(arguments: Mapping[str, Any]) -> str:
    text = json.dumps(arguments, sort_keys=True, default=str) + identities.current_key()
    return hashlib.sha256(text.encode()).hexdigest()[:10]
