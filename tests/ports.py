"""Ports for programs under test."""

import socket


def free_ports(count: int) -> list[int]:
    """Different ones, free a moment ago."""
    # All open at once, or the kernel might give the same port twice.
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
