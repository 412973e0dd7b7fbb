"""How the scripts end. Light: every server's script passes here before its first answer."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, TextIO, cast

if TYPE_CHECKING:
    from collections.abc import Callable

INTERRUPTED = 130  # as a shell reports a program that SIGINT ended
_BROKEN_PIPE = 141  # as a shell reports a program that SIGPIPE ended


def ended_quietly(work: Callable[[], int]) -> int:
    """Its exit code; where whoever reads its output has seen enough, as `head` does, it ends without a complaint."""
    before = sys.stdout
    sys.stdout = cast("TextIO", _Watched(before))
    try:
        try:
            return work()
        finally:
            sys.stdout.flush()
    except _ReaderGone:
        # What is left to flush goes nowhere, or Python would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), before.fileno())
        return _BROKEN_PIPE
    finally:
        sys.stdout = before


class _ReaderGone(BaseException):
    """Nobody reads the output any more. Not an error: a command that reports its errors must not report this one."""


class _Watched:
    """An output that tells a reader who has gone from a file that fails."""

    def __init__(self, output: TextIO) -> None:
        self._output = output

    def __getattr__(self, name: str) -> Any:
        return getattr(self._output, name)

    def write(self, text: str) -> int:
        try:
            return self._output.write(text)
        except BrokenPipeError:
            raise _ReaderGone from None

    def flush(self) -> None:
        try:
            self._output.flush()
        except BrokenPipeError:
            raise _ReaderGone from None
