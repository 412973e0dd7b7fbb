"""The audit as a file: appended under a lock, so that several processes may share it, and rotated by size.

One chain runs through the file and those that it was rotated to, whoever writes. Each writer looks at the end of the
file when it is not where the writer left it, and goes on from there. What is wrong with the end is kept as it is, and
told in a line.
"""

import errno
import fcntl
import hashlib
import os
import re
import secrets
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kmcp_runtime.audit.chain import LONGEST, Chain, Link, read_link
from kmcp_runtime.audit.record import FileEvent
from kmcp_runtime.settings import SettingsError

_TRIES, _PAUSE_SECONDS = 20, 0.002
"""How long another writer is waited for, on the event loop; who writes holds the lock for microseconds."""
_TAIL = 8 * LONGEST
_TURNS = 50
_ROTATED = re.compile(r"\.\d{12}(?:-[0-9a-f]{6})?")
_WHERE = "--audit-file / KMCP_AUDIT_FILE"
Told = Mapping[str, Any]
Describe = Callable[[FileEvent], Told]
"""Makes the body of a line about the file itself, of whoever knows the time and the process."""


@dataclass
class Tail:
    """The end of a file: its last whole line, and what stands after it without an end."""

    link: Link | None
    torn: bytes


class AuditFile:
    """One writer of the file; `append` returns when the kernel has the line."""

    name = "file"
    fault = ""

    def __init__(self, path: Path, key: bytes | None, largest: int, most: int) -> None:
        """`largest`: bytes of one file; `most`: files in all. Errors: `SettingsError` for what is no place for one."""
        self.path = path
        self._key, self._largest, self._most = key, largest, most
        self._chain = Chain(key=key)
        self._lock = threading.Lock()
        self._size = -1
        self._full = ""
        """What has to be told of a rotation."""
        try:
            self._descriptor = _open(path)
        except OSError as error:
            raise SettingsError(f"{_WHERE}: {path} cannot be written: {error.strerror}") from None

    @property
    def head(self) -> tuple[str, int, str]:
        """Name of the chain, number and hash of the last line that is known here."""
        return self._chain.place

    def append(self, body: Told, describe: Describe) -> None:
        """Write a line. Errors: OSError; then nothing of the line is written, and it may be tried again."""
        with self._lock:
            for _ in range(_TURNS):
                with self._alone():
                    if self._added(body, describe):
                        return
            raise OSError(errno.EBUSY, "it is full again and again")

    def _added(self, body: Told, describe: Describe) -> bool:
        """Write the line, or make room for it: then false, since the new file may be another writer's by now."""
        try:
            self._go_on(describe)
            if self._size and self._size + LONGEST > self._largest:
                self._full = self._rotate()
                return False
            if self._full:
                self._put(describe(FileEvent(what="rotated", removed_to=self._removed_to(), detail=self._full)))
                self._full = ""
            self._put(body)
        except BaseException:
            self._size = -1  # Where the end is now has to be looked up.
            raise
        return True

    def sync(self) -> None:
        """Return when the disk has what was appended. Errors: OSError."""
        # Of a copy: this may take long, and the file may be rotated meanwhile.
        with self._lock:
            copy = os.dup(self._descriptor)
        try:
            os.fdatasync(copy)
        finally:
            os.close(copy)

    def close(self) -> None:
        with suppress(OSError):
            self.sync()
        with self._lock:
            os.close(self._descriptor)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the lock of the file that has the name now: another writer may have rotated it meanwhile."""
        for _ in range(_TURNS):
            _wait_for_lock(self._descriptor)
            try:
                if self._has_the_name():
                    break
                self._reopen()
            except OSError:
                # Other writers, whose file it may be still, would wait for as long as this process lives.
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
                raise
        else:
            raise OSError(errno.EBUSY, "it is replaced again and again")
        try:
            yield
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def _has_the_name(self) -> bool:
        own = os.fstat(self._descriptor)
        try:
            there = os.stat(self.path, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return os.path.samestat(own, there)

    def _reopen(self) -> None:
        # The new one first: where that fails, the old one can be tried again.
        new = _open(self.path)
        os.close(self._descriptor)
        self._descriptor, self._size = new, -1

    def _go_on(self, describe: Describe) -> None:
        """Take up the end of the file as it is, and tell in lines what is to be told about it."""
        size = os.fstat(self._descriptor).st_size
        if size == self._size:
            return
        self._size = size
        tail = _tail(self._descriptor, size) if size else self._rotated_tail()
        link, known = tail.link, self._chain.seq
        shorter = known and (link is None or (link.chain == self._chain.name and link.seq < known))
        if link is not None and not shorter:
            self._chain = Chain(link.chain, self._key, link.seq, link.hash)
        if tail.torn:
            torn = hashlib.sha256(tail.torn).hexdigest()
            # In one piece with the end of what is left: without this line nobody could tell it from tampering.
            self._put(describe(FileEvent(what="torn", torn_bytes=len(tail.torn), torn_sha256=torn)), b"\n")
        if shorter:
            self._put(describe(FileEvent(what="shorter", expected=known, detail="the chain goes on from there")))

    def _rotated_tail(self) -> Tail:
        """Of the file that was full last: who rotated it may have been killed before the new one had a line."""
        if not (older := rotated(self.path)):
            return Tail(None, b"")
        with open(older[-1], "rb") as file:
            return Tail(_tail(file.fileno(), os.fstat(file.fileno()).st_size).link, b"")

    def _rotate(self) -> str:
        """Give the full file its last name, which is answered; whoever comes next makes the new one."""
        os.fdatasync(self._descriptor)
        full = Path(f"{self.path}.{self._chain.seq:012}")
        if full.exists():
            full = Path(f"{full}-{secrets.token_hex(3)}")
        os.rename(self.path, full)
        older = rotated(self.path)
        for path in older[: max(0, len(older) - self._most + 1)]:
            path.unlink(missing_ok=True)
        return f"from {full.name}"

    def _removed_to(self) -> int | None:
        oldest = next(iter(rotated(self.path)), None)
        if oldest is None:
            return self._chain.seq
        with open(oldest, "rb") as file:
            link = read_link(file.readline(2 * LONGEST).rstrip(b"\n"))
        return link.seq - 1 if link and link.chain == self._chain.name and link.seq > 1 else None

    def _put(self, body: Told, before: bytes = b"") -> None:
        sealed = self._chain.seal(body)
        self._write(before + sealed.line)
        self._chain.add(sealed)

    def _write(self, line: bytes) -> None:
        written = os.write(self._descriptor, line)
        if written < len(line):
            # Half a line is none: the next one must not stand behind it.
            os.ftruncate(self._descriptor, self._size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._size += written


def rotated(path: Path) -> list[Path]:
    """What `path` became when it was full, oldest first: by the numbers in the names, since clocks may be set back."""
    return sorted(each for each in path.parent.iterdir() if _is_rotated(path, each)) if path.parent.is_dir() else []


def _is_rotated(path: Path, other: Path) -> bool:
    rest = other.name.removeprefix(path.name)
    return rest != other.name and _ROTATED.fullmatch(rest) is not None


def _open(path: Path) -> int:
    """The file, for appending alone; only this user may read it. Errors: OSError in words for the operator."""
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(
                errno.ELOOP, "it is a symbolic link, which could lead anywhere; name the file itself"
            ) from None
        raise
    found = os.fstat(descriptor)
    fault = ""
    if not stat.S_ISREG(found.st_mode):
        fault = "it is not a regular file; lines on stderr are KMCP_AUDIT_SINKS=stderr"
    elif found.st_nlink != 1:
        fault = "it has a second name (a hard link), which could be anybody's file"
    elif found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        fault = "others than its owner may write it; chmod 600 it"
    if fault:
        os.close(descriptor)
        raise OSError(errno.EINVAL, fault)
    return descriptor


def _wait_for_lock(descriptor: int) -> None:
    for _ in range(_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_PAUSE_SECONDS)
        else:
            return
    raise OSError(errno.EAGAIN, "another process holds its lock")


def _tail(descriptor: int, size: int) -> Tail:
    begin = max(0, size - _TAIL)
    lines = os.pread(descriptor, size - begin, begin).split(b"\n")
    torn = lines.pop()
    links = (read_link(line) for line in reversed(lines))
    return Tail(next((link for link in links if link), None), torn)
