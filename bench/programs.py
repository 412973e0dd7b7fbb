"""Server processes under measurement: started on a free port, waited for, their CPU time read from the kernel."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.slowness import Deadline

_TICKS = os.sysconf("SC_CLK_TCK")
_START_SECONDS = 30
SHELF = [
    *(sys.executable, "-c", "from tests.runtime import shelf; shelf.SERVER.main()"),
    *("--port", "{port}", "--management-port", "0"),
]
"""A server whose tools need no backend, as `running` starts it."""


class Program:
    """A running server."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int) -> None:
        self.process = process
        self.url = f"http://127.0.0.1:{port}/mcp"

    def cpu_seconds(self) -> float:
        """User and system time of the process so far."""
        # The name of a program may hold spaces and brackets: what follows the last bracket is regular (proc(5)).
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def memory_mib(self) -> float:
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)

    def peak_mib(self) -> float:
        """The most memory that it has had."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


@contextmanager
def running(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Program]:
    """Start `command` with `{port}` filled in and wait until it listens."""
    port = free_port()
    argv = [word.replace("{port}", str(port)) for word in command]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(argv, env={**os.environ, **environment}, stdout=quiet, stderr=quiet, stdin=quiet) as process:
        try:
            _wait_for_listener(port, process)
            yield Program(process, port)
        finally:
            process.terminate()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for_listener(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = Deadline(_START_SECONDS)
    while not deadline.passed():
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode} before it listened")
        with socket.socket() as probe:
            probe.settimeout(0.2)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} did not listen within {_START_SECONDS} s of a quiet machine")
