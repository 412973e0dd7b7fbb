"""Canonical JSON (RFC 8785) and the hashes and sizes taken over it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from json.encoder import encode_basestring
from math import isfinite
from typing import Any

_EXACT = 2**53  # beyond it a JSON number is an IEEE double and loses digits


def canonical(value: Any) -> str:
    """JSON with sorted keys, no spaces and ECMAScript numbers; members whose value is null are left out.

    Texts and the plain types are asked for first: the controller hashes every object of every pass.
    """
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(canonical, value)) + "]"
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, (dict, Mapping)):
        keys = sorted(value, key=_utf16)
        members = [f"{encode_basestring(key)}:{canonical(value[key])}" for key in keys if value[key] is not None]
        return "{" + ",".join(members) + "}"
    if isinstance(value, Sequence):
        return canonical(list(value))
    return _number(value)


def digest(value: Any) -> str:
    """`sha256:<hex>` of the canonical form."""
    return "sha256:" + hashlib.sha256(canonical(value).encode()).hexdigest()


def compact(value: Any) -> str:
    """JSON without spaces, keys in the order given: what a client puts before its model."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be")


def _number(value: float) -> str:
    if isinstance(value, int) and abs(value) <= _EXACT:
        return str(value)
    number = float(value)
    if not isfinite(number):
        raise ValueError(f"{value} is not a JSON number")
    if number == 0:
        return "0"
    shortest = Decimal(repr(abs(number))).normalize()
    digits = "".join(map(str, shortest.as_tuple().digits))
    return ("-" if number < 0 else "") + _notation(digits, shortest.adjusted() + 1)


def _notation(digits: str, point: int) -> str:
    """ECMAScript's Number::toString for `0.digits` times ten to the power of `point`."""
    if len(digits) <= point <= 21:
        return digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return "0." + "0" * -point + digits
    mantissa = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
    return f"{mantissa}e{point - 1:+d}"
