"""`make conformance`: the protocol's own suite, on a server of this factory, direct and behind the bridge.

Without Node it is skipped, with the reason printed. What the suite says is kept beside its installation.
"""

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.ports import free_ports
from tests.slowness import Deadline, scaled

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kmcp-suite"
SERVER = (sys.executable, "-m", "tests.conformance.serve")
START_SECONDS, RUN_SECONDS = 60, 300


@dataclass(frozen=True)
class Set:
    """What one run of the suite covers; `package` is the name of its version in `package.json`."""

    revision: str
    package: str
    flags: tuple[str, ...]
    isolation: str = "session"
    """Of the bridge: with sessions each client has a process that can ask it; the newest revision has none."""


SETS = (
    Set("2025-06-18", "handshake-era", ("--spec-version", "2025-06-18")),
    Set("2025-11-25", "handshake-era", ("--spec-version", "2025-11-25")),
    Set("2026-07-28", "newest", ("--requirements", "2026-07-28"), isolation="none"),
)
WAYS = ("direct", "bridge")


class SkippedError(Exception):
    """Why it cannot run here."""


def installed() -> Path:
    """The folder of the suite, made once for each change of `package.json`."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise SkippedError(f"{program} is not installed; the suite needs Node 20 or newer")
    text = (HERE / "package.json").read_bytes()
    folder = CACHE / f"conformance-{hashlib.sha256(text).hexdigest()[:16]}"
    if not (folder / "ready").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_bytes(text)
        flags = ("--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts")
        done = subprocess.run(["npm", "install", *flags], cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SkippedError(f"the suite cannot be installed: {done.stderr.strip()[-300:]}")
        (folder / "ready").touch()
    return folder


@contextmanager
def serving(way: str, log: Path, isolation: str) -> Iterator[str]:
    """The address of the server, while it runs: at its own port, or over stdio behind the bridge."""
    port, management = free_ports(2)
    command: tuple[str, ...] = (*SERVER, str(port))
    environment = {**os.environ, "KMCP_MANAGEMENT_PORT": str(management)}
    if way == "bridge":
        command = (sys.executable, "-m", "kmcp_bridge.program", "--port", str(port), "--", *SERVER)
        environment["KMCP_BRIDGE_ISOLATION"] = isolation
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        _wait(process, port, log)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.terminate()
        process.wait(timeout=scaled(30))


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = Deadline(START_SECONDS)
    while process.poll() is None and not deadline.passed():
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"the server does not listen:\n{log.read_text(errors='replace')[-2000:]}")


def run(folder: Path, url: str, each: Set, scenarios: Sequence[str] = ()) -> tuple[int, str]:
    """Exit code and output of one set, or of these scenarios of it alone."""
    program = folder / "node_modules" / each.package / "dist" / "index.js"
    node = ["node", "--import", str(HERE / "older_node.mjs"), str(program), "server", "--url", url]
    chosen: list[tuple[str, ...]] = [("--scenario", name) for name in scenarios] or [each.flags]
    code, output = 0, ""
    for flags in chosen:
        done = subprocess.run(
            [*node, *flags], cwd=folder, capture_output=True, text=True, check=False, timeout=scaled(RUN_SECONDS)
        )
        code, output = code or done.returncode, output + done.stdout + done.stderr
    return code, output


def main() -> int:
    try:
        folder = installed()
    except SkippedError as reason:
        print(f"conformance: skipped: {reason}")
        return 0
    return max(report(folder, way, each) for way in WAYS for each in SETS)


def report(folder: Path, way: str, each: Set) -> int:
    """Run one set and print how it went; its exit code."""
    with serving(way, folder / f"{way}.log", each.isolation) as url:
        code, output = run(folder, url, each)
    kept = folder / f"{way}-{each.revision}.txt"
    kept.write_text(output)
    total = next((line for line in output.splitlines() if line.startswith("Total:")), "no result")
    print(f"{way:7} {each.revision}: {'ok    ' if code == 0 else 'FAILED'} {total} ({kept})")
    return code


if __name__ == "__main__":
    sys.exit(main())
