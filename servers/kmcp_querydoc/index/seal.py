"""The seal of a finished index: a checksum of the whole file, kept in a number of its header that SQLite leaves to us.

SQLite notices a torn page, not a flipped bit; an index that was cut short or altered would go on answering, wrongly. So
a server compares the seal before it opens a file, and writing it is the last act of a build.
"""

import os
import zlib
from pathlib import Path

from kmcp_querydoc.index.layout import APPLICATION

# Offsets of `user_version` and `application_id` in the header: sqlite.org/fileformat.html, section 1.3.
_USER_VERSION = slice(60, 64)
_APPLICATION = slice(68, 72)
_HEADER = 100
_PART = 1 << 20


def seal(path: Path) -> None:
    """Write the seal into a file that nobody has open, and flush it to the disk."""
    with path.open("r+b") as file:
        file.seek(_USER_VERSION.start)
        file.write(_checksum(path).to_bytes(4, "big"))
        file.flush()
        os.fsync(file.fileno())


def fault(path: Path) -> str | None:
    """What is wrong with the file, or None when it is as the build left it."""
    with path.open("rb") as file:
        header = file.read(_HEADER)
    if len(header) < _HEADER or not header.startswith(b"SQLite format 3\0"):
        return "it is not an SQLite file"
    if int.from_bytes(header[_APPLICATION], "big") != APPLICATION:
        return "it is not an index of documentation"
    sealed = int.from_bytes(header[_USER_VERSION], "big")
    if not sealed:
        return "its build did not finish"
    return None if sealed == _checksum(path) else "its checksum is wrong: it was cut short or altered"


def _checksum(path: Path) -> int:
    """Of every byte but those of the seal itself; never 0, which means unsealed."""
    with path.open("rb") as file:
        header = file.read(_HEADER)
        value = zlib.crc32(header[: _USER_VERSION.start] + header[_USER_VERSION.stop :])
        while part := file.read(_PART):
            value = zlib.crc32(part, value)
    return value or 1
