"""One child process that is kept running: restarted with backoff, ended with everything it started."""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

_BACKOFF, _LONGEST, _HEALTHY = 1.0, 30.0, 60.0  # seconds
_GRACE = 8.0  # seconds from SIGTERM to SIGKILL; a server gives its calls five
_PR_SET_PDEATHSIG = 1


class Child:
    """Runs `argv` in a process group of its own until `stop`."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], report: Callable[[str], None]) -> None:
        self.argv, self.env, self.restarts = tuple(argv), dict(env), 0
        self.process: asyncio.subprocess.Process | None = None
        self.cause = "starting"
        self.changed = asyncio.Condition()
        self._report = report
        self._last_lines: deque[str] = deque(maxlen=5)

    @property
    def pid(self) -> int | None:
        running = self.process is not None and self.process.returncode is None
        return self.process.pid if self.process and running else None

    async def run(self) -> None:
        """Until cancelled; then the child and its descendants are gone."""
        delay = _BACKOFF
        while True:
            began = time.monotonic()
            try:
                code = await self._once()
            except OSError as error:
                self.cause = f"cannot start {self.argv[0]}: {error.strerror}"
            else:
                last = self._last_lines[-1][:256] if self._last_lines else ""
                self.cause = f"{_ended(code)}, restarts {self.restarts}" + (f": {last}" if last else "")
            if time.monotonic() - began > _HEALTHY:
                delay = _BACKOFF
            self._report(f"{self.cause}; starting it again in {delay:.0f} s")
            await self._notify()
            await asyncio.sleep(delay)
            delay = min(delay * 2, _LONGEST)
            self.restarts += 1

    async def _once(self) -> int:
        self._last_lines.clear()
        self.process = process = await asyncio.create_subprocess_exec(
            *self.argv,
            env=self.env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_dies_with_parent(),
        )
        await self._notify()
        forward = asyncio.create_task(self._forward(process))
        try:
            return await process.wait()
        finally:
            await _end(process)
            forward.cancel()
            await asyncio.gather(forward, return_exceptions=True)

    async def _notify(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    async def _forward(self, process: asyncio.subprocess.Process) -> None:
        """The child's output to our stderr, its last lines kept for the cause."""
        rest = b""
        while process.stdout and (chunk := await process.stdout.read(65536)):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                text = line.decode(errors="replace")
                self._last_lines.append(text)
                print(text, file=sys.stderr)


def _ended(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


async def _end(process: asyncio.subprocess.Process) -> None:
    """SIGTERM to the group, and SIGKILL to what is left of it."""
    if process.returncode is None:
        _signal_group(process.pid, signal.SIGTERM)
        try:
            async with asyncio.timeout(_GRACE):
                await process.wait()
        except TimeoutError:
            pass  # it gets SIGKILL below
    _signal_group(process.pid, signal.SIGKILL)
    await process.wait()


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # all of them are gone already
        os.killpg(group, number)


def _dies_with_parent() -> Callable[[], None] | None:
    """What the child runs before its program, so that kill -9 of ours leaves it no life of its own. Linux only."""
    if sys.platform != "linux":
        return None
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def bind() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return bind
