"""Reading logs that hold lines of the audit: files, what they were rotated to, compressed ones, standard input."""

import fcntl
import gzip
import os
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import IO

from kmcp_runtime.audit.audit_file import rotated
from kmcp_runtime.audit.chain import read_link

_LONGEST = 1 << 20
_LOOKED_AT = 1 << 16
_TRIES = 100
_GZIP = b"\x1f\x8b"


class UnreadableError(Exception):
    """A file that cannot be read; the text names it."""


class AbsentError(UnreadableError):
    """A file that is not there."""


@dataclass
class Log:
    """An opened log; `length` is how much of it was there then, None for what has no length."""

    name: str
    stream: IO[bytes]
    length: int | None = None
    first: tuple[str, int] | None = None
    """Chain and number of its first line."""


def opened(names: Sequence[str], stack: ExitStack) -> list[Log]:
    """The logs of these names and what they were rotated to, in the order of their lines. Errors: `UnreadableError`.

    `-` is standard input. Files are opened under the lock of their writer, so that no rotation comes in between.
    """
    found: list[Log] = []
    seen: set[tuple[int, int]] = set()
    for name in names:
        if name == "-":
            found.append(Log("standard input", sys.stdin.buffer))
            continue
        for log in _with_rotated(Path(name), stack):
            about = os.fstat(log.stream.fileno())
            if (about.st_dev, about.st_ino) not in seen:
                seen.add((about.st_dev, about.st_ino))
                found.append(log)
    for log in found:
        log.first = _first(log)
    chains = [log.first[0] if log.first else "" for log in found]
    # Whatever order a shell has put them in: those of one chain by their numbers, where the first of them stands.
    order = sorted(range(len(found)), key=lambda at: (chains.index(chains[at]), (found[at].first or ("", 0))[1], at))
    return [found[at] for at in order]


def _with_rotated(path: Path, stack: ExitStack) -> list[Log]:
    for _ in range(_TRIES):
        try:
            live = _open(path, stack)
        except AbsentError:
            if rotated(path):
                continue  # between two files
            raise
        with suppress(OSError):
            # A log that nobody writes any more may lie where locks do not work.
            fcntl.flock(live.fileno(), fcntl.LOCK_SH)
        try:
            if _is_at(live, path):
                return [*_whole(rotated(path), stack), _log(live)]
        finally:
            with suppress(OSError):
                fcntl.flock(live.fileno(), fcntl.LOCK_UN)
    return _whole(rotated(path), stack)


def _is_at(file: IO[bytes], path: Path) -> bool:
    """Whether the file still has this name."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def _whole(paths: Sequence[Path], stack: ExitStack) -> list[Log]:
    """Full files; one that rotation has just removed is no longer among them."""
    return [_log(_open(each, stack)) for each in paths if each.exists()]


def _log(file: IO[bytes]) -> Log:
    return Log(file.name, file, os.fstat(file.fileno()).st_size)


def _open(path: Path, stack: ExitStack) -> IO[bytes]:
    try:
        if path.is_dir():
            raise UnreadableError(f"{path} is a directory; name the files in it")
        return stack.enter_context(open(path, "rb"))
    except FileNotFoundError as error:
        raise AbsentError(f"{path}: {error.strerror}") from None
    except OSError as error:
        raise UnreadableError(f"{path}: {error.strerror}") from None


def lines(log: Log) -> Iterator[tuple[int, bytes, bool]]:
    """Number, content without its end, and whether it has one. What is too long to be a line of ours is left out.

    Errors: `UnreadableError` for a compressed file that cannot be unpacked.
    """
    stream = _unpacked(log)
    left = log.length if stream is log.stream else None
    number = 0
    try:
        for number in count(1):
            line = stream.readline(_LONGEST if left is None else min(_LONGEST, left))
            if not line:
                return
            left = None if left is None else left - len(line)
            yield number, line.removesuffix(b"\n"), line.endswith(b"\n") or len(line) == _LONGEST
    except (EOFError, zlib.error, gzip.BadGzipFile, OSError) as error:
        raise UnreadableError(f"{log.name} cannot be unpacked after line {number - 1}: {error}") from None


def _unpacked(log: Log) -> IO[bytes] | gzip.GzipFile:
    if log.length is None:
        return log.stream
    packed = log.stream.read(len(_GZIP)) == _GZIP
    log.stream.seek(0)
    return gzip.GzipFile(fileobj=log.stream) if packed else log.stream


def _first(log: Log) -> tuple[str, int] | None:
    if log.length is None:
        return None
    try:
        begin = _unpacked(log).read(_LOOKED_AT)
    except (EOFError, zlib.error, OSError):
        begin = b""
    log.stream.seek(0)
    links = (read_link(line.rstrip(b"\r")) for line in begin.split(b"\n")[:-1])
    link = next((each for each in links if each), None)
    return (link.chain, link.seq) if link else None
