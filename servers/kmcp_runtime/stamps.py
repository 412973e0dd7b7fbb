"""What changes with a file, so that it is read again only then."""

import os
from pathlib import Path

Stamp = tuple[int, int, int]


def stamp_of(path: Path) -> Stamp | None:
    """None where the file cannot be looked at."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    # The inode too: a mounted ConfigMap or Secret is replaced as a whole, possibly by one of the same size and second.
    return found.st_mtime_ns, found.st_size, found.st_ino
