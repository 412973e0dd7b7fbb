"""What Helm 3 and 4 store of a release revision: JSON, gzip, Helm's base64, and the Secret's base64 around it."""

import base64
import binascii
import json
import zlib
from typing import Any

LARGEST_PAYLOAD = 64 * 1024 * 1024
"""Bytes that a payload may unpack to; it is stored in at most 1 MiB."""
_GZIP = b"\x1f\x8b\x08"
# zlib's 15 bits of window, plus 16 for a gzip header.
_GZIP_WINDOW = 31


class Undecodable(ValueError):
    """Stored data that is not a release; the message says at which layer decoding failed."""


def of_secret(data: str) -> dict[str, Any]:
    """The release in `data.release` of a Secret."""
    return of_configmap(_unpacked_base64(data, "the Secret's data").decode("ascii", errors="replace"))


def of_configmap(data: str) -> dict[str, Any]:
    """The release in `data.release` of a ConfigMap."""
    raw = _unpacked_base64(data, "the release")
    if raw.startswith(_GZIP):
        raw = _unzipped(raw)  # Early versions of Helm stored releases uncompressed.
    try:
        found = json.loads(raw)
    except ValueError as error:
        raise Undecodable(f"the release is not JSON: {error}") from None
    if not isinstance(found, dict) or not isinstance(found.get("name"), str):
        raise Undecodable("the release is not an object with a name")
    return found


def _unpacked_base64(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Undecodable(f"{what} is not base64: {error}") from None


def _unzipped(raw: bytes) -> bytes:
    unpacking = zlib.decompressobj(_GZIP_WINDOW)
    try:
        # Bounded: a megabyte of gzip can unpack to a gigabyte.
        found = unpacking.decompress(raw, LARGEST_PAYLOAD)
    except zlib.error as error:
        raise Undecodable(f"the release is not gzip: {error}") from None
    if unpacking.unconsumed_tail:
        raise Undecodable(f"the release unpacks to more than {LARGEST_PAYLOAD >> 20} MiB")
    if not unpacking.eof:
        raise Undecodable("the release is cut short")
    return found
