"""Where a BGP route leads: its path attributes are given in the protocol's own bytes (RFC 4271, RFC 4760)."""

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address
from typing import Any

_EXTENDED_LENGTH = 0x10
_NEXT_HOP = 3
_MP_REACH = 14
_ADDRESS_LENGTHS = (4, 16)


def next_hops(attributes: Iterable[Mapping[str, Any]]) -> list[str]:
    """The next hops among path attributes `{"base64": …}`; unreadable ones are left out."""
    return [hop for each in attributes for hop in _hops(each.get("base64") or "")]


def _hops(text: str) -> Iterator[str]:
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error:
        return
    if len(raw) < 4:
        return
    value = raw[4:] if raw[0] & _EXTENDED_LENGTH else raw[3:]
    if raw[1] == _NEXT_HOP:
        yield from _addresses(value)
    elif raw[1] == _MP_REACH and len(value) > 4:
        yield from _addresses(value[4 : 4 + value[3]])


def _addresses(value: bytes) -> Iterator[str]:
    """One address; an IPv6 next hop may carry its link-local address after it, which nobody routes to."""
    for length in reversed(_ADDRESS_LENGTHS):
        if len(value) >= length:
            yield str(ip_address(value[:length]))
            return
