"""Ports for programs under test."""

import fcntl
import itertools
import os
import random
import socket
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

_RANGE = range(20_000, 30_000)
"""Below those that systems give to connections that go out, and to Services of type NodePort."""
_KEPT = 400
_FOLDER = Path(tempfile.gettempdir()) / f"kmcp-suite-test-ports-{os.getuid()}"


class _Ports:
    """Each is held by this process until it has taken many others: nobody else gets it before its program listens."""

    def __init__(self) -> None:
        start = random.randrange(len(_RANGE))
        self._next: Iterator[int] = itertools.cycle([*_RANGE[start:], *_RANGE[:start]])
        self._held: deque[BinaryIO] = deque()
        _FOLDER.mkdir(mode=0o700, exist_ok=True)

    def take(self) -> int:
        while len(self._held) >= _KEPT:
            self._held.popleft().close()
        return next(port for port in self._next if self._hold(port) and _is_free(port))

    def _hold(self, port: int) -> bool:
        file = (_FOLDER / str(port)).open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        self._held.append(file)
        return True


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


_ports = _Ports()


def free_ports(count: int) -> list[int]:
    """Different ones, which no other test of this machine is given meanwhile."""
    return [_ports.take() for _ in range(count)]


def suite_flags(ports: Sequence[int]) -> list[str]:
    """The flags of `kmcp-suite up` and `run` for these three ports."""
    flags = zip(("--port", "--management-port", "--catalog-port"), map(str, ports), strict=True)
    return [word for pair in flags for word in pair]
