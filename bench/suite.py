"""How soon the whole suite of `make up` is ready on this machine, and what memory its processes hold.

`python -m bench.suite`, with KUBECONFIG set for servers that talk to a cluster. Beside the seconds stands what
importing fastmcp alone takes here. Memory is the proportional set size: pages that processes share count once.
"""

import argparse
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench.goal import Goal
from bench.startup import timed_import

READY_SECONDS, MEMORY_MB = 8.0, 220.0
_GREETING = "All tools at"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.suite", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="starts after the first (default %(default)s)")
    rounds = parser.parse_args().rounds
    seconds, memory, imports = [], [], []
    for number in range(rounds + 1):
        took, held = _started()
        if number:  # The first warms the disk's cache.
            seconds.append(took)
            memory.append(held)
            imports.append(timed_import())
    ratio = statistics.median(seconds) / statistics.median(imports)
    print(
        f"ready after {ratio:.1f} times the import of fastmcp ({statistics.median(imports):.2f} s), median of {rounds}"
    )
    goals = [
        Goal("seconds until all servers are listed with their tools", statistics.median(seconds), READY_SECONDS),
        Goal("memory of all processes, MB", statistics.median(memory), MEMORY_MB),
    ]
    print(*(goal.line() for goal in goals), sep="\n")
    return 0


def _started() -> tuple[float, float]:
    """Seconds from the command to the greeting, and megabytes held then."""
    ports = [word for flag in ("--port", "--management-port", "--catalog-port") for word in (flag, str(_free_port()))]
    started = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "kmcp_runtime.commands", "up", *ports], stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(_GREETING):
                break
        seconds = time.perf_counter() - started
        held = sum(_proportional(pid) for pid in (process.pid, *_children(process.pid)))
        process.send_signal(signal.SIGINT)
        process.stdout.read()
    return seconds, held


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _proportional(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    kilobytes = next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kilobytes / 1024


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(main())
