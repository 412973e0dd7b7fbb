"""Ports for programs under test."""

import socket
from collections.abc import Sequence


def free_ports(count: int) -> list[int]:
    """Different ones, free a moment ago."""
    # All open at once, or the kernel might give the same port twice.
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def suite_flags(ports: Sequence[int]) -> list[str]:
    """The flags of `kmcp-suite up` and `run` for these three ports."""
    flags = zip(("--port", "--management-port", "--catalog-port"), map(str, ports), strict=True)
    return [word for pair in flags for word in pair]
