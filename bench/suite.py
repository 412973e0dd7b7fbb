"""How soon the whole suite of `make up` is ready on this machine, and what memory its processes hold.

`python -m bench.suite`, with KUBECONFIG set for servers that talk to a cluster. Beside the seconds stands what
importing fastmcp alone takes here. Memory is the proportional set size: pages that processes share count once.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench.goal import Goal
from bench.startup import IMPORT
from tests.ports import free_ports, suite_flags

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
            imports.append(_import())
    base = statistics.median(imports)
    print(f"import of fastmcp alone: {base:.2f} s; ready after {statistics.median(seconds) / base:.1f} times that")
    goals = [
        Goal("seconds until all servers are listed with their tools", statistics.median(seconds), READY_SECONDS),
        Goal("memory of all processes, MB", statistics.median(memory), MEMORY_MB),
    ]
    print(*(goal.line() for goal in goals), sep="\n")
    return 0


def _import() -> float:
    """Seconds that an import of the framework takes, as long as this machine makes it take."""
    started = time.perf_counter()
    subprocess.run(IMPORT, check=True)
    return time.perf_counter() - started


def _started() -> tuple[float, float]:
    """Seconds from the command to the greeting, and megabytes held then."""
    ports = suite_flags(free_ports(3))
    started = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "kmcp_runtime.commands", "up", *ports],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(_GREETING):
                break
        seconds = time.perf_counter() - started
        held = sum(_proportional(pid) for pid in (process.pid, *_children(process.pid)))
        # As Ctrl-C does; a kill would leave the servers running into the next round.
        process.send_signal(signal.SIGINT)
        process.stdout.read()
    return seconds, held


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _proportional(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    kilobytes = next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kilobytes / 1024


if __name__ == "__main__":
    # The greeting is looked for while it is printed.
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(main())
