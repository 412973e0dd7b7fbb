"""Suites that run on this machine: where each keeps its state, and how another process finds and ends it.

A suite is known by the port of its tools. Its supervisor holds a lock as long as it lives, so that what a killed one
left is never taken for a living one. Not here: what a suite runs.
"""

import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from kmcp_runtime.urls import authority

_LOCK, _STATE, _LOG, _OLD_LOG, _OUTPUT = "lock", "state.json", "log", "log.1", "output"
LARGEST_LOG = 10 * 1024 * 1024
_PAUSE = 0.05
_ROOM = 1 << 16  # bytes: more than a start prints


class StateError(Exception):
    """Says why no state can be kept, and what to set."""


@dataclass(frozen=True)
class State:
    """What a running suite says of itself; `ready` once every server was asked, `metrics`: where theirs are."""

    pid: int
    version: str
    started: str
    host: str
    port: int
    catalog_port: int
    ready: bool = False
    metrics: tuple[str, ...] = ()

    @property
    def catalog(self) -> str:
        return f"http://{authority(self.host, self.catalog_port)}"


def data_folder() -> Path:
    """The user's data directory for this suite, as the platform has it; not made."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "kmcp-suite"
    # The standard says that a relative path is to be ignored.
    given = os.environ.get("XDG_DATA_HOME", "")
    return (Path(given) if given.startswith("/") else Path.home() / ".local" / "share") / "kmcp-suite"


def instances() -> Iterator["Instance"]:
    """Every suite that runs or left its state, by port."""
    folder = data_folder() / "up"
    with suppress(OSError):
        ports = sorted(int(each.name) for each in folder.iterdir() if each.name.isdigit())
        yield from map(Instance, ports)


class Instance:
    """One suite, by the port of its tools."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.folder = data_folder() / "up" / str(port)
        self._lock: int | None = None

    @property
    def log(self) -> Path:
        return self.folder / _LOG

    @property
    def output(self) -> Path:
        """What a supervisor in the background prints."""
        return self.folder / _OUTPUT

    def make_folder(self) -> None:
        """Errors: StateError."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except (OSError, RuntimeError) as error:
            raise _cannot_keep(self.folder, error) from error

    def acquire(self) -> bool:
        """Become its supervisor until `release`; False when another one lives. Errors: StateError."""
        self.make_folder()
        try:
            lock = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _cannot_keep(self.folder, error) from error
        if not _locked(lock):
            os.close(lock)
            return False
        self._lock = lock
        self.forget()
        return True

    def check_room(self) -> None:
        """In the background nobody would hear of a full disk: what is printed goes there. Errors: StateError."""
        probe = self.folder / f"{_STATE}.new"
        try:
            probe.write_bytes(bytes(_ROOM))
        except OSError as error:
            raise _cannot_keep(self.folder, error) from error
        finally:
            probe.unlink(missing_ok=True)

    def write(self, state: State) -> None:
        """Errors: StateError, for a full disk."""
        new = self.folder / f"{_STATE}.new"
        try:
            new.write_text(json.dumps(asdict(state)))
            new.replace(self.folder / _STATE)
        except OSError as error:
            raise _cannot_keep(self.folder, error) from error

    def release(self) -> None:
        self.forget()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def forget(self) -> None:
        """Remove the state, never the log: what it says is wanted most after an end that was not asked for."""
        with suppress(OSError):
            (self.folder / _STATE).unlink()

    def state(self) -> State | None:
        """What its supervisor wrote, whether it lives or not; None where nothing can be read."""
        try:
            return State(**json.loads((self.folder / _STATE).read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def is_running(self) -> bool:
        """Whether a supervisor lives: it alone can hold the lock."""
        try:
            lock = os.open(self.folder / _LOCK, os.O_RDONLY)
        except OSError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False

    def end(self, seconds: float, waiting: Callable[[], None] = lambda: None) -> bool:
        """Ask the supervisor to end and wait; after `seconds` kill it, whose children then die with it.

        `waiting` is called again and again meanwhile. Returns whether it had to be killed.
        """
        state, deadline = self.state(), time.monotonic() + seconds
        if state is None:
            return False
        _signal(state.pid, signal.SIGTERM)
        while self.is_running():
            if time.monotonic() > deadline:
                _signal(state.pid, signal.SIGKILL)
                self.forget()
                return True
            waiting()
            time.sleep(_PAUSE)
        return False


class Log:
    """The lines of a suite's servers, `server | line`, in a file of bounded size; a full disk loses lines alone."""

    def __init__(self, instance: Instance) -> None:
        self._path, self._old = instance.log, instance.folder / _OLD_LOG
        self._size, self._failed = 0, False
        with suppress(OSError):
            self._path.replace(self._old)

    def write(self, name: str, line: str) -> str | None:
        """What is wrong, the first time that nothing can be written."""
        text = f"{name} | {line}\n".encode(errors="replace")
        try:
            if self._size + len(text) > LARGEST_LOG:
                self._path.replace(self._old)
                self._size = 0
            with open(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as file:
                file.write(text)
            self._size += len(text)
            self._failed = False
        except OSError as error:
            first, self._failed = not self._failed, True
            return f"the log {self._path} cannot be written ({_reason(error)}); lines are lost" if first else None
        return None


def read_log(instance: Instance) -> list[str]:
    """The lines that are kept, oldest first."""
    lines: list[str] = []
    for path in (instance.folder / _OLD_LOG, instance.log):
        with suppress(FileNotFoundError):
            lines += path.read_text(errors="replace").splitlines()
    return lines


def _locked(lock: int) -> bool:
    """Who only looks whether it is free holds it for a moment; who lives keeps it."""
    for _ in range(10):
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(_PAUSE)
    return False


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # it ended by itself meanwhile
        os.kill(pid, number)


def _cannot_keep(folder: Path, error: Exception) -> StateError:
    return StateError(
        f"no state can be kept in {folder} ({_reason(error)}): make room or rights there, "
        "or set XDG_DATA_HOME to a folder of yours"
    )


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()
