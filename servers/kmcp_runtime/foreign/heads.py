"""Headers of requests to foreign servers."""

from collections.abc import Mapping


def as_bytes(head: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """As they were read: a value may have bytes above ASCII, which the client's own encoding refuses."""
    return [(name.encode("ascii"), value.encode("latin-1")) for name, value in head.items()]
