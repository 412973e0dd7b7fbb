"""What others leave behind: process 1 of a container becomes its parent, and has to collect it when it ends."""

import asyncio
import contextlib
import ctypes
import os
import sys
from pathlib import Path

_SECONDS = 2.0
_PR_GET_CHILD_SUBREAPER = 37

started = set[int]()
"""Children whose end somebody awaits; these are no orphans."""


async def collect() -> None:
    """Until cancelled; at once where orphans go to another process."""
    seen = set[int]()
    while _inherits():
        ended = _ended_children() - started
        # A child that has just begun may not be known yet; its own waiter collects it before the second look.
        for pid in ended & seen:
            with contextlib.suppress(ChildProcessError):  # its waiter was faster
                os.waitpid(pid, os.WNOHANG)  # noqa: ASYNC222  # it has ended, so nothing waits
        seen = ended - seen
        await asyncio.sleep(_SECONDS)


def _inherits() -> bool:
    if sys.platform != "linux":
        return False
    subreaper = ctypes.c_int(0)
    ctypes.CDLL(None).prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(subreaper))
    return os.getpid() == 1 or bool(subreaper.value)


def _ended_children() -> set[int]:
    own, found = os.getpid(), set[int]()
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # it has gone meanwhile
                state, parent = Path(entry.path, "stat").read_text().rpartition(") ")[2].split()[:2]
                if state == "Z" and int(parent) == own:
                    found.add(int(entry.name))
    return found
