"""One process at a time, across all that use a file: two that build the same take twice as long."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def one_at_a_time(file: Path, waiting: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Hold the file's lock; `waiting` is called once when another process holds it. The kernel frees it at a crash."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
