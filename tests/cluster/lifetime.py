"""Clusters of this user by state directory: obtain one (started once, shared by processes), ask for it, stop it.

State directories stand below `$XDG_STATE_HOME/kmcp-suite` (default `~/.local/state`). The supervisor of a cluster
holds a lock on its directory, so a directory without one is what a crash left, and the next start removes it.
"""

import atexit
import fcntl
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster import cgroups
from tests.cluster.model import FAILED, READY, Cluster, ClusterUnavailable
from tests.cluster.processes import CHECKOUT, TAIL
from tests.slowness import scaled

OUTPUT = "supervisor.log"
PID = "supervisor.pid"
FAILURE = "failed.txt"
POLL = 0.1
STOP_SECONDS = 60

_supervisors: dict[int, subprocess.Popen[bytes]] = {}
"""Those that this process started, kept so that it can collect them when they have ended."""


@atexit.register
def _let_go() -> None:
    """A supervisor outlives the worker that started it; Python would complain of that."""
    for supervisor in _supervisors.values():
        supervisor.returncode = 0


def home() -> Path:
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "kmcp-suite"


def obtain(name: str, while_pid: int | None, say: Callable[[str], None]) -> Cluster:
    """The cluster of that name, started when it is not running; it ends with process `while_pid`, or at `stop`."""
    directory = home() / name
    directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(directory.parent):
        if cluster := running(name):
            return cluster
        if (directory / FAILURE).is_file():
            raise ClusterUnavailable((directory / FAILURE).read_text())
        # Under the lock of all: no cluster can be starting here.
        _sweep()
        try:
            return _start(directory, while_pid, say)
        except ClusterUnavailable as error:
            if while_pid is not None:
                # The other workers of the run need not try again.
                directory.mkdir()
                (directory / FAILURE).write_text(str(error))
            raise


def running(name: str) -> Cluster | None:
    ready = home() / name / READY
    return Cluster.from_json(ready.read_text()) if ready.is_file() and _held(ready.parent) else None


def stop(name: str) -> bool:
    """End the cluster of that name and wait until nothing of it is left; False when there was none."""
    directory = home() / name
    if not directory.is_dir():
        return False
    if not _held(directory):
        _remove(directory)
        return True
    # A descriptor means this process even when it ends and another gets its number.
    pid = int((directory / PID).read_text())
    descriptor, seconds = os.pidfd_open(pid), scaled(STOP_SECONDS)
    try:
        signal.pidfd_send_signal(descriptor, signal.SIGTERM)
        if not select.select([descriptor], [], [], seconds)[0]:
            raise TimeoutError(f"the supervisor (process {pid}) has not ended within {seconds:.0f} s")
    finally:
        os.close(descriptor)
    if pid in _supervisors:
        _supervisors.pop(pid).wait()
    return True


def _start(directory: Path, while_pid: int | None, say: Callable[[str], None]) -> Cluster:
    directory.mkdir(mode=0o700)
    # The lock belongs to the open file, which the supervisor inherits: it ends with the supervisor, however that
    # ends, and not with this process.
    lock = os.open(directory, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    command = [sys.executable, "-m", "tests.cluster.supervisor", "--state", str(directory)]
    command += [] if while_pid is None else ["--while-pid", str(while_pid)]
    output = directory / OUTPUT
    with output.open("wb") as log:
        # A session of its own: Ctrl-C in the terminal is not for it.
        supervisor = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=CHECKOUT,
            pass_fds=(lock,),
            start_new_session=True,
        )
    os.close(lock)
    _supervisors[supervisor.pid] = supervisor
    (directory / PID).write_text(str(supervisor.pid))
    with output.open(encoding="utf-8", errors="replace") as progress:
        return _follow(supervisor, progress.readline, directory / READY, say)


def _follow(
    supervisor: subprocess.Popen[bytes], readline: Callable[[], str], ready: Path, say: Callable[[str], None]
) -> Cluster:
    """Pass the supervisor's progress on until the cluster is ready or the supervisor has ended."""
    lines: list[str] = []
    while not ready.is_file():
        try:
            ended = supervisor.wait(POLL) is not None
        except subprocess.TimeoutExpired:
            ended = False
        for line in iter(readline, ""):
            lines.append(line.rstrip("\n"))
            if FAILED not in lines:
                say(lines[-1])
        if ended:
            raise ClusterUnavailable(_reason(lines))
    return Cluster.from_json(ready.read_text())


def _reason(lines: list[str]) -> str:
    return "\n".join(lines[lines.index(FAILED) + 1 :] if FAILED in lines else lines[-TAIL:])


def _sweep() -> None:
    """Remove what clusters left whose supervisor was killed."""
    for directory in home().iterdir():
        if directory.is_dir() and not _held(directory):
            _remove(directory)


def _remove(directory: Path) -> None:
    cgroup = directory / "cgroup"
    if cgroup.is_file():
        cgroups.remove(cgroup.read_text())
    shutil.rmtree(directory)


def _held(directory: Path) -> bool:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
