"""Addresses as they stand in URLs. Light: commands that serve nothing write them, too."""

import ipaddress
import re
from collections.abc import Collection
from urllib.parse import SplitResult, urlsplit

# What no host has and Go refuses; a `%` stands in the zone of an IPv6 address alone. A placeholder that was not filled
# in, as `{host}`, is met here.
_NO_HOST = re.compile(r"[\\^`{|}%]")


def split(text: str, schemes: Collection[str]) -> SplitResult:
    """The parts of an address that somebody has written: with one of these schemes, a host, and a port that can be one.

    Errors: ValueError with what is wrong in words, which shows nothing of the address: it may hold a password.
    """
    try:
        found = urlsplit(text)
        port = found.port  # a bad one is reported only when it is asked for
    except ValueError:
        raise ValueError("its host or its port is malformed") from None
    # What is no sign of an address is dropped by `urlsplit` from the rest of it, and not by whoever gets the text.
    if not text.isprintable() or any(map(str.isspace, found.netloc)):
        raise ValueError("it holds control characters, or a host with blanks")
    if found.scheme not in schemes:
        raise ValueError(f"it does not begin with {' or '.join(f'{each}://' for each in schemes)}")
    if not found.hostname:
        raise ValueError("it has no host")
    if ":" not in found.hostname and _NO_HOST.search(found.hostname):
        raise ValueError("its host holds a character that no host has")
    if port == 0:
        raise ValueError("its port is 0")
    return found


def is_loopback(host: str) -> bool:
    """Whether an address, or the name `localhost`, is of this machine alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def authority(host: str, port: int) -> str:
    """As in a URL: an address of IPv6 stands in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
