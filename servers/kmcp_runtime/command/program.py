"""A program run to its end: what it is given, what it answered, and how long it may take."""

import asyncio
import contextlib
import shutil
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio

from kmcp_runtime.command.process import Running, start
from kmcp_runtime.errors import ToolFailure, bad_argument, timed_out, unavailable
from kmcp_runtime.tracing import backend_requests

LARGEST_OUTPUT = 16 * 1024 * 1024
_MOST_ERROR_LINES = 1_000
_GRACE_SECONDS = 8.0
_DRAIN_SECONDS = 5.0


@dataclass(frozen=True)
class Ended:
    """A program that has ended, whatever its exit code; a code below zero is the signal that killed it."""

    code: int
    stdout: str
    stderr: str
    """The end of it: what was written last is what explains the exit code."""
    truncated: bool
    """True when the program wrote more to stdout than was kept."""


async def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    seconds: float,
    stdin: bytes = b"",
    largest_bytes: int = LARGEST_OUTPUT,
    line: Callable[[str], None] | None = None,
    missing: str | None = None,
    directory: str | None = None,
) -> Ended:
    """Run `argv` to its end; the environment is `env` and nothing else.

    It works in `directory`. `line` sees each line of stderr as it comes. At the deadline, and when the caller is
    cancelled, the process and its group get SIGTERM, and SIGKILL some seconds later. Errors: `unavailable` when there
    is no such program (`missing` is the hint: what to install or set) or it cannot be started, `timed_out` at the
    deadline. An exit code is no error here: what it means, the program's own door knows.
    """
    output, errors = _Output(largest_bytes), _Errors(line)
    with backend_requests.program(Path(argv[0]).name) as traced:
        running = await _start(argv, env, errors, missing, directory)
        traced.started(running.pid)
        reading = asyncio.create_task(output.read(running.stdout))
        with anyio.move_on_after(seconds) as deadline:
            try:
                await _feed(running, stdin)
                await running.wait()
                # A descendant that left the group may hold the pipe open for ever.
                await asyncio.wait([reading], timeout=_DRAIN_SECONDS)
            finally:
                with anyio.CancelScope(shield=True):
                    code = await running.stop(grace=_GRACE_SECONDS)
                    reading.cancel()
                    traced.ended(code)
        if deadline.cancelled_caught:
            raise _late(argv[0], seconds, errors)
        return Ended(code, output.text(), errors.text(), output.truncated)


class _Output:
    """The beginning of a stream; the rest is read and dropped, so that the program is not held up."""

    def __init__(self, most: int) -> None:
        self._most, self._kept = most, bytearray()
        self.truncated = False

    async def read(self, stream: asyncio.StreamReader) -> None:
        while chunk := await stream.read(65536):
            room = self._most - len(self._kept)
            self._kept += chunk[:room]
            self.truncated |= len(chunk) > room

    def text(self) -> str:
        return self._kept.decode(errors="replace")


class _Errors:
    """The last lines of stderr, each shown to whoever follows."""

    def __init__(self, follow: Callable[[str], None] | None) -> None:
        self._follow = follow
        self._lines: deque[str] = deque(maxlen=_MOST_ERROR_LINES)

    def __call__(self, line: str) -> None:
        self._lines.append(line)
        if self._follow is not None:
            self._follow(line)

    def text(self) -> str:
        return "\n".join(self._lines)

    def last(self) -> str:
        return next((line for line in reversed(self._lines) if line.strip()), "")


async def _start(
    argv: Sequence[str],
    env: Mapping[str, str],
    errors: Callable[[str], None],
    missing: str | None,
    directory: str | None,
) -> Running:
    if any("\0" in each for each in argv):
        raise bad_argument("an argument of a program cannot contain a NUL character")
    # Looked up here and in the child's PATH: how a missing program is told differs between event loops.
    program = shutil.which(argv[0], path=env.get("PATH", ""))
    if program is None:
        raise unavailable(f"the program {argv[0]} does not exist or is not executable", missing or _to_install(argv[0]))
    try:
        return await start([program, *argv[1:]], env=env, line=errors, dialogue=True, directory=directory)
    except OSError as error:
        raise unavailable(f"cannot start {program}: {error.strerror or error}") from None


def _to_install(program: str) -> str:
    return f"install {Path(program).name} and put it on PATH"


async def _feed(running: Running, stdin: bytes) -> None:
    with contextlib.suppress(ConnectionError):  # it has ended, or closed its stdin: its exit code tells
        if stdin:
            running.stdin.write(stdin)
            await running.stdin.drain()
    running.stdin.close()


def _late(program: str, seconds: float, errors: _Errors) -> ToolFailure:
    last = errors.last()
    said = f"; it said last: {last}" if last else ""
    return timed_out(f"{Path(program).name} did not end within {seconds:.0f} s{said}")
