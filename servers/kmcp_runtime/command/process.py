"""Processes that live on beside this one.

On Linux a child dies with its parent, kill -9 of the parent included; with `whole_group` what it has started dies, too.
`stop` is graceful, then final, for the whole group. Output that nobody parses goes line by line to a callback. Raises
OSError when a program cannot be started.
"""

import asyncio
import contextlib
import ctypes
import functools
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from kmcp_runtime import redaction
from kmcp_runtime.command.orphans import started

_BUFFERED = 1024 * 1024
_LONGEST_LOGGED = 64 * 1024
_PR_SET_PDEATHSIG = 1
_DRAIN_SECONDS = 1.0


class Running:
    """A started process. `stdin` and `stdout` are there only for a dialogue."""

    def __init__(self, transport: asyncio.SubprocessTransport, protocol: "_Protocol") -> None:
        self.pid = transport.get_pid()
        self._transport, self._exited = transport, protocol.exited
        self._process = asyncio.subprocess.Process(transport, protocol, asyncio.get_running_loop())
        self._forward: asyncio.Task[None] | None = None

    def forward(self, stream: asyncio.StreamReader | None, line: Callable[[str], None]) -> None:
        assert stream is not None
        self._forward = asyncio.create_task(_forward(stream, line))

    @property
    def stderr(self) -> asyncio.StreamReader | None:
        return self._process.stderr

    @property
    def returncode(self) -> int | None:
        return self._process.returncode

    @property
    def stdin(self) -> asyncio.StreamWriter:
        assert self._process.stdin is not None, "started without a dialogue"
        return self._process.stdin

    @property
    def stdout(self) -> asyncio.StreamReader:
        assert self._process.stdout is not None, "started without a dialogue"
        return self._process.stdout

    async def wait(self) -> int:
        """The exit code, even while a descendant holds the pipes open."""
        await self._exited.wait()
        code = self._process.returncode
        assert code is not None
        return code

    async def stop(self, closing: float = 0.0, grace: float = 8.0) -> int:
        """The exit code, once the process and its group are gone.

        A process that reads its standard input gets `closing` seconds after the end of it; SIGTERM follows, and
        `grace` seconds later SIGKILL, also to what it left behind.
        """
        if self._process.stdin is not None:
            self._process.stdin.close()
            await self._wait_for_end(closing)
        if self._process.returncode is None:
            _signal_group(self.pid, signal.SIGTERM)
            await self._wait_for_end(grace)
        _signal_group(self.pid, signal.SIGKILL)
        code = await self.wait()
        started.discard(self.pid)
        await _reap_group(self.pid)
        if self._forward is not None:
            # What it wrote last is what explains its end; a descendant that left the group may hold the pipe open.
            await asyncio.wait([self._forward], timeout=_DRAIN_SECONDS)
            self._forward.cancel()
        self._transport.close()
        return code

    async def _wait_for_end(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):  # the next, stronger step follows
            async with asyncio.timeout(seconds):
                await self.wait()


class _Protocol(asyncio.subprocess.SubprocessStreamProtocol):
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(limit=_BUFFERED, loop=loop)
        self.exited = asyncio.Event()

    def process_exited(self) -> None:
        super().process_exited()
        self.exited.set()


async def start(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    line: Callable[[str], None],
    dialogue: bool = False,
    directory: str | None = None,
    whole_group: bool = False,
) -> Running:
    """Start `argv`; with a dialogue only its stderr goes to `line`, else stdout too, and its stdin is empty.

    `directory` is where it works; this process's own where it is None. `whole_group`: kill -9 of this process ends
    also what the child has started, unless that has left its group.
    """
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.subprocess_exec(
        lambda: _Protocol(loop),
        *argv,
        env=dict(env),
        cwd=directory,
        stdin=asyncio.subprocess.PIPE if dialogue else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE if dialogue else asyncio.subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=_dies_with_parent(whole_group),
    )
    started.add(transport.get_pid())
    running = Running(transport, protocol)
    running.forward(running.stderr if dialogue else running.stdout, line)
    return running


def shown(argv: Sequence[str]) -> str:
    """A command line as a log may hold it."""
    return redaction.text(shlex.join(argv))


def ended(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


async def _forward(stream: asyncio.StreamReader, line: Callable[[str], None]) -> None:
    rest = b""
    while chunk := await stream.read(65536):
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > _LONGEST_LOGGED:
            lines, rest = [*lines, rest], b""
        for each in lines:
            line(each.decode(errors="replace"))
    if rest:
        line(rest.decode(errors="replace"))


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # all of them are gone already
        os.killpg(group, number)


async def _reap_group(group: int) -> None:
    """As process 1 of a container we are the parent of what a child leaves behind, and must collect it."""
    deadline = time.monotonic() + _DRAIN_SECONDS
    while time.monotonic() < deadline and (collected := _collect(group)) is not None:
        if not collected:
            await asyncio.sleep(0.02)


def _collect(group: int) -> bool | None:
    """Whether one of the group was collected; None when no process of it is our child."""
    try:
        return os.waitpid(-group, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return None


def _dies_with_parent(whole_group: bool) -> Callable[[], None] | None:
    """What the child runs before its program, so that kill -9 of ours leaves it no life of its own. Linux only."""
    if sys.platform != "linux":
        return None
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()
    life = _life() if whole_group else None

    def bind() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)
        if life is not None:
            _leave_watcher(life)

    return bind


@functools.cache
def _life() -> int:
    """The end of a pipe that becomes readable when this process is gone, for nobody else holds the other end."""
    reading, _ = os.pipe()
    return reading


def _leave_watcher(life: int) -> None:
    """Leave a process in this group that kills the group when the pipe ends; killing the group ends it, too.

    It is a grandchild, for the program about to run here does not expect a child. It must keep nothing open: whoever
    waits for the end of a pipe would wait for it.
    """
    first = os.fork()
    if first:
        os.waitpid(first, 0)
        return
    if os.fork():
        os._exit(0)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.closerange(0, life)
    os.closerange(life + 1, os.sysconf("SC_OPEN_MAX"))
    os.read(life, 1)
    os.killpg(0, signal.SIGKILL)
