"""One child process that is kept running: restarted with backoff, ended with everything it started."""

import asyncio
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from kmcp_runtime import command

_BACKOFF, _LONGEST, _HEALTHY = 1.0, 30.0, 60.0  # seconds
_GRACE = 8.0  # seconds from SIGTERM to SIGKILL; a server gives its calls five


class Child:
    """Runs `argv` in a process group of its own until `stop`."""

    def __init__(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        report: Callable[[str], None],
        output: Callable[[str], None] | None = None,
    ) -> None:
        self.argv, self.env, self.restarts = tuple(argv), dict(env), 0
        self.process: command.Running | None = None
        self.cause, self._wanted = "starting", False
        self.changed = asyncio.Condition()
        self._report, self._output = report, output or _print
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
                self.cause = f"{command.ended(code)}, restarts {self.restarts}" + (f": {last}" if last else "")
            if time.monotonic() - began > _HEALTHY:  # it worked: this end is not one of a series
                delay = _BACKOFF
            if self._wanted:
                self._wanted, delay = False, _BACKOFF
                await self._notify()
                continue
            self._report(f"{self.cause}; starting it again in {delay:.0f} s")
            await self._notify()
            await asyncio.sleep(delay)
            delay = min(delay * 2, _LONGEST)
            self.restarts += 1

    async def restart(self) -> None:
        """End the process that runs now; the next one starts at once."""
        if self.process is not None and self.process.returncode is None:
            self._wanted = True
            await self.process.stop(grace=_GRACE)

    async def _once(self) -> int:
        self._last_lines.clear()
        self.process = process = await command.start(self.argv, env=self.env, line=self._line, whole_group=True)
        await self._notify()
        try:
            return await process.wait()
        finally:
            await process.stop(grace=_GRACE)  # the whole group, also what a launcher such as npx has started

    async def _notify(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    def _line(self, text: str) -> None:
        """What the child prints, its last lines kept for the cause."""
        self._last_lines.append(text)
        self._output(text)


def _print(text: str) -> None:
    print(text, file=sys.stderr)
