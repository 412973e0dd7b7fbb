"""The directory of this process for files with credentials, which programs and TLS read from a path only.

It is locked while the process lives. One without a lock is what a killed process left; the next process removes it.
"""

import atexit
import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

_PREFIX = "kmcp-private-"


@cache
def folder() -> Path:
    """Only this user can enter it; it goes when the process ends."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):  # another user's, of a process that lives, or gone by now
            _remove_unlocked(path)
    path = _locked()
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def write(path: Path, text: str) -> Path:
    """A new file that only this user can read."""
    return write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> Path:
    """The same for what is not a text."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    return path


def _remove_unlocked(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_uid == os.geteuid():
            shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(descriptor)


def _locked() -> Path:
    """A new one. Until it is locked another process can take it for a dead one's and remove it: then another."""
    while True:
        path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        with suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_RDONLY)  # open until the process ends: it holds the lock
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if path.is_dir():
                return path
            os.close(descriptor)
