"""The programs of a test cluster as the supervisor sees them: started through the launcher, watched, ended as one."""

import contextlib
import json
import os
import select
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from tests.cluster.model import ClusterUnavailable
from tests.cluster.system import find, search_path
from tests.slowness import Deadline, scaled

CHECKOUT = Path(__file__).parents[2]
TAIL = 20


class Processes:
    """Everything of one cluster. `pid` is the launcher's, by which its namespaces are entered."""

    def __init__(self, directory: Path, namespaces: bool) -> None:
        self.directory = directory
        self.ended = threading.Event()
        self._failure = ""
        launcher = [sys.executable, "-m", "tests.cluster.launcher", "--node" if namespaces else "--plain"]
        # With the death of unshare its child is killed, and with that, the first process of the namespace, all in it.
        unshare = ["unshare", "--mount", "--net", "--pid", "--ipc", "--fork", "--kill-child=KILL", "--"]
        (directory / "logs").mkdir()
        (directory / "tmp").mkdir()
        with self.log("launcher").open("wb") as log:
            self._process = subprocess.Popen(
                [*(unshare if namespaces else []), *launcher, str(directory)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=CHECKOUT,
                text=True,
            )
        self.pid = self._read_pid()
        threading.Thread(target=self._watch, daemon=True).start()

    def log(self, name: str) -> Path:
        return self.directory / "logs" / f"{name}.log"

    def start(self, name: str, argv: list[str]) -> None:
        environment = {"PATH": search_path(), "HOME": str(self.directory), "TMPDIR": str(self.directory / "tmp")}
        command = {"name": name, "argv": argv, "log": str(self.log(name)), "environment": environment}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()

    def wait(self, what: str, ready: Callable[[], bool], log: str, seconds: float) -> None:
        """Wait for a condition; the named log explains why it did not come."""
        deadline = Deadline(seconds)
        while not ready():
            self.check()
            if deadline.passed():
                raise ClusterUnavailable(f"no {what} within {seconds:.0f} s of a quiet machine\n{self.tail(log)}")
            self.ended.wait(0.1)

    def check(self) -> None:
        if self.ended.is_set():
            raise ClusterUnavailable(self._failure)

    def hold(self) -> None:
        """Return never; raise when a program ends."""
        self.ended.wait()
        self.check()

    def tail(self, name: str) -> str:
        lines = self.log(name).read_text(errors="replace").splitlines() if self.log(name).exists() else []
        return "\n".join([f"last lines of {name}:", *lines[-TAIL:]])

    def stop(self) -> None:
        """End everything: the launcher ends with its input, and what it holds ends with it."""
        assert self._process.stdin is not None
        # A launcher that has ended before has no use for what was not yet sent.
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(scaled(10))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _read_pid(self) -> int:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise ClusterUnavailable(f"the node's first process did not start\n{self.tail('launcher')}")
        return int(line)

    def _watch(self) -> None:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        name, _, status = line.strip().partition(" ")
        if name:
            self._failure = f"{name} ended with status {status}\n{self.tail(name)}"
        else:
            self._failure = f"the node's first process ended\n{self.tail('launcher')}"
        self.ended.set()


def entrance(pid: int) -> tuple[str, ...]:
    """Argument prefix that runs a command in the namespaces of process `pid`."""
    nsenter = find("nsenter")
    assert nsenter is not None
    return (str(nsenter), f"--target={pid}", "--mount", "--net", "--pid", "--ipc", "--")


def end_with(pid: int, ended: Callable[[], None]) -> None:
    """Call `ended`, in a thread, when process `pid` is gone."""
    try:
        # The process need not be a child of ours, so there is nothing to wait() for.
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        ended()
        return

    def watch() -> None:
        select.select([descriptor], [], [])
        ended()

    threading.Thread(target=watch, daemon=True).start()
