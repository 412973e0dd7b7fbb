"""The next hops of a BGP route, read from path attributes in the protocol's own bytes (RFC 4271, RFC 4760)."""

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
    """The next hops in path attributes `{"base64": …}`; attributes that cannot be read are skipped."""
    return [hop for each in attributes for hop in _hops(each.get("base64") or "")]


def _hops(text: str) -> Iterator[str]:
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error:
        return
    if len(raw) < 4:
        return
    # RFC 4271, 4.3: flags, type, then a length of one byte, or of two with the extended-length flag.
    value = raw[4:] if raw[0] & _EXTENDED_LENGTH else raw[3:]
    if raw[1] == _NEXT_HOP:
        yield from _addresses(value)
    elif raw[1] == _MP_REACH and len(value) > 4:
        # RFC 4760, 3: family (2 bytes), subfamily (1), length of the next hop (1), next hop.
        yield from _addresses(value[4 : 4 + value[3]])


def _addresses(value: bytes) -> Iterator[str]:
    """The address of a next hop; a link-local address after an IPv6 one is skipped."""
    for length in reversed(_ADDRESS_LENGTHS):
        if len(value) >= length:
            yield str(ip_address(value[:length]))
            return
