"""The helm binary: argument lists (flags, then `--`, then operands); values and credentials go into private files."""

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kmcp_runtime import command, judging, private_files
from kmcp_runtime.call import Call
from kmcp_runtime.errors import bad_argument, unavailable
from kmcp_runtime.helm import faults, values
from kmcp_runtime.helm.home import Home
from kmcp_runtime.judging import Verdict, destroys
from kmcp_runtime.kube import kubeconfig
from kmcp_runtime.kube.cluster import Cluster

MISSING = "install helm 3 or 4, or set KMCP_HELM (--helm) to its path"
# For commands that only render or print; those that wait or download bring their own limit.
_SECONDS = 60.0
_CHANGING = frozenset({"install", "upgrade", "rollback", "uninstall"})
_MOST_BYTES = 32 * 1024 * 1024


class Binary:
    """The program with its directories."""

    def __init__(self, program: str, directories: Home) -> None:
        self.program = program
        self.home = directories
        self._major: int | None = None

    async def read_major(self, call: Call) -> int:
        """3 or 4: some flags have other names."""
        # Asked once: the binary does not change under a running server.
        if self._major is None:
            ended = await self.run(call, ("version",), flags=("--short",))
            found = re.match(r"v(\d+)\.", ended.stdout)
            if found is None:
                raise unavailable(f"{self.program} is not a helm binary: it printed {ended.stdout[:80]!r}", MISSING)
            self._major = int(found[1])
        return self._major

    async def run(
        self,
        call: Call,
        words: Sequence[str],
        operands: Sequence[str] = (),
        *,
        flags: Sequence[str] = (),
        given: Mapping[str, Any] | None = None,
        cluster: Cluster | None = None,
        seconds: float = _SECONDS,
        verdict: Verdict | None = None,
    ) -> command.Ended:
        """What it printed. `words` are the subcommand, `flags` are written `--name=value`, `given` are values.

        With a cluster it acts on that one, as whoever the call acts as; without one it reaches none. A failure of the
        binary is raised with the binary's own message. `verdict` is what a command that changes releases does; one
        that nobody has judged counts as one that destroys.
        """
        if words[0] in _CHANGING and not any(flag.startswith("--dry-run") for flag in flags):
            judging.allow(verdict or destroys(f"runs helm {words[0]} {' '.join(operands)}"))
        for operand in operands:
            _check(operand)
        with self.home.run() as run:
            files = await self._write_files(run, given, cluster)
            # Flags as one word and operands after `--`: nothing that a caller writes can become an option.
            argv = [self.program, *words, *flags, *files, "--", *operands]
            config = run / "kubeconfig" if cluster is not None else None
            ended = await self._run_to_end(call, argv, run, self.home.environment(run, config), seconds)
        if ended.code != 0:
            raise faults.failure(ended)
        if ended.truncated:
            raise unavailable(f"helm printed more than {_MOST_BYTES >> 20} MiB", "ask for less")
        return ended

    async def _write_files(self, run: Path, given: Mapping[str, Any] | None, cluster: Cluster | None) -> list[str]:
        if cluster is not None:
            document = await kubeconfig.load_document(cluster.api)
            private_files.write(run / "kubeconfig", json.dumps(document))
        if not given:
            return []
        return [f"--values={private_files.write(run / 'values.json', values.as_json(given))}"]

    async def _run_to_end(
        self, call: Call, argv: Sequence[str], run: Path, environment: Mapping[str, str], seconds: float
    ) -> command.Ended:
        # Between the two: the reader of stderr must not wait for a slow client.
        lines: asyncio.Queue[str] = asyncio.Queue()
        reporting = asyncio.create_task(_report_steps(lines, call))
        try:
            return await command.run(
                argv,
                env=environment,
                seconds=seconds,
                largest_bytes=_MOST_BYTES,
                line=lines.put_nowait,
                missing=MISSING,
                directory=str(self.home.nowhere),
            )
        finally:
            reporting.cancel()
            await asyncio.gather(reporting, return_exceptions=True)


async def _report_steps(lines: asyncio.Queue[str], call: Call) -> None:
    """Pass the steps that helm reports on as progress, each once."""
    last = ""
    while True:
        step = faults.step(await lines.get())
        if step and step != last:
            last = step
            await call.step(step)


def _check(operand: str) -> None:
    if not operand or operand.startswith("-") or not operand.isprintable():
        raise bad_argument(f"{operand!r} cannot be passed to helm", "use no leading '-' and no control characters")
