"""Texts in base64: which run of letters is one, and what it says.

The base64 of ASCII has only certain letters at three of four places, which names, digests and random values do not
keep to for long; so an automaton finds it, and little else is ever decoded.
"""

import base64
import codecs
import re
import zlib
from functools import cache
from typing import Any

from kmcp_runtime.redaction import shapes

_ASCII = r"(?:[CDI-Za-f][A-HQ-Xg-nw-z0-3][ABEFIJMNQRUVYZcdghklopstwx014589][A-Za-z0-9+/]){6,}"
_UTF_16 = r"(?:[CDI-Za-f][AQgw][AB][A-Za-z0-9+/]A[C-H][AEIMQUYcgkosw048]A){4,}"
"""As PowerShell takes commands."""
ENCODED = rf"(?-i:\b(?:{_ASCII}|{_UTF_16}|(?:eyJ|ew[ok]|W3si|H4sI)[A-Za-z0-9+/]{{37}}))"
"""What begins a text, a JSON document or something compressed."""
COARSE = re.compile(rb"[A-Za-z0-9+/]{24,}={0,2}")
"""What stands in for it where a text has too many of them."""
_CERTIFICATE = "-----BEGIN CERT"
_LONGEST_UNPACKED = 262_144


@cache
def expression() -> Any:
    return shapes.compiled(rf"{ENCODED}[A-Za-z0-9+/]*={{0,2}}")


def plain(raw: bytes) -> str | None:
    """What a run says, where that is a text to look into, also one that was cut; None for anything else."""
    letters = raw.rstrip(b"=")
    if len(letters) % 4 == 1:
        letters = letters[:-1]  # of a byte that is cut off
    try:
        data = base64.b64decode(letters + b"=" * (-len(letters) % 4), validate=True)
        if data[:2] == b"\x1f\x8b":
            data = zlib.decompressobj(wbits=31).decompress(data, _LONGEST_UNPACKED)
        # It may end in the midst of a sign, which such a decoder waits for.
        decoder = codecs.getincrementaldecoder("utf-16-le" if data[1:8:2] == b"\0\0\0\0" else "utf-8")
        text = decoder().decode(data)
    except (ValueError, zlib.error):
        return None
    return None if text.startswith(_CERTIFICATE) else text
