"""The bridge as a program of its own, before real stdio servers."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from tests.ports import free_ports
from tests.slowness import scaled
from tests.waiting import until

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(__file__).parent / "programs"


@dataclass
class Bridge:
    process: subprocess.Popen[bytes]
    port: int
    management_port: int
    log_file: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    @property
    def management(self) -> str:
        return f"http://127.0.0.1:{self.management_port}"

    def log(self) -> str:
        return self.log_file.read_text()

    async def health(self) -> int:
        assert self.process.poll() is None, self.log()
        async with httpx2.AsyncClient(trust_env=False) as http:
            try:
                return (await http.get(f"{self.management}/healthz")).status_code
            except httpx2.TransportError:
                return 0

    async def ready(self) -> "Bridge":
        await until(self.health, lambda code: code == 200, what=f"/healthz\n{self.log()}")
        return self

    async def metric(self, name: str) -> float:
        async with httpx2.AsyncClient(trust_env=False) as http:
            text = (await http.get(f"{self.management}/metrics")).text
        return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))


# Orphans go to the program that follows, as they go to process 1 of a container (36: PR_SET_CHILD_SUBREAPER).
_AS_SUBREAPER = "import ctypes, os, sys; ctypes.CDLL(None).prctl(36, 1, 0, 0, 0); os.execv(sys.argv[1], sys.argv[1:])"
Start = Callable[..., Bridge]


@contextmanager
def _running(folder: Path, command: tuple[str, ...], env: dict[str, str]) -> Iterator[Bridge]:
    ports = free_ports(2)
    log_file = folder / f"{ports[0]}.log"
    argv = [sys.executable, "-m", "kmcp_bridge.program", "--port", str(ports[0]), "--", *command]
    if "KMCP_TEST_INHERITS" in env:
        argv = [sys.executable, "-c", _AS_SUBREAPER, *argv]
    given = {**os.environ, "PYTHONPATH": str(ROOT / "servers"), "TMPDIR": str(folder), **env}
    with log_file.open("wb") as log:
        process = subprocess.Popen(argv, env=given | {"KMCP_MANAGEMENT_PORT": str(ports[1])}, stdout=log, stderr=log)
    try:
        yield Bridge(process, ports[0], ports[1], log_file)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(timeout=scaled(30))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """`start(command…, NAME=value…)`: a bridge before that command, ended with the test."""
    with ExitStack() as stack:
        yield lambda *command, **env: stack.enter_context(_running(tmp_path, command, env))


@pytest.fixture(scope="module")
def kept_running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    """One bridge before a modern server, for all tests of a file that leave it as it was."""
    with _running(tmp_path_factory.mktemp("bridge"), program("modern"), {}) as bridge:
        yield bridge


def program(name: str, *arguments: str) -> tuple[str, ...]:
    return sys.executable, str(PROGRAMS / f"{name}.py"), *arguments
