"""Ports of this machine: taken before anything starts, so that a fault is told at once."""

import socket


class PortInUseError(Exception):
    """Says which port, and what to change."""


def listen(host: str, port: int, option: str) -> socket.socket:
    """A bound socket, or PortInUseError in one sentence."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # By its protocol: asyncio takes the delay of small writes (40 ms an answer) from connections that say they are TCP.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    # Without this a port stays taken for a minute after the last run (TIME_WAIT).
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(128)
    except OSError as error:
        bound.close()
        raise PortInUseError(
            f"port {port} on {host} cannot be used ({(error.strerror or str(error)).lower()}): "
            f"stop the program that listens there, or choose another port with {option}"
        ) from error
    return bound


def free_port(host: str) -> int:
    with listen(host, 0, "--host") as bound:
        return int(bound.getsockname()[1])
