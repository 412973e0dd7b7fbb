"""How soon a server over stdio answers: its handshake, its list and its first call, beside the import of fastmcp alone.

`python -m bench.startup`: all are started in turn, so that a machine that slows down slows them all. Seconds are of the
CPU, which other programs take nothing from; memory is the process's at the moment of the answer.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LIST_SECONDS = 0.3
LIST_MEGABYTES = 90
CALL_GOAL = 1.2
IMPORT = [sys.executable, "-c", "from fastmcp import FastMCP"]
_BIN = Path(sys.executable).parent
_TIME = ("datetime_get_current_time", dict[str, Any]())
SERVERS: dict[str, tuple[list[str], tuple[str, dict[str, Any]]]] = {
    "clock": (["kmcp-clock"], _TIME),
    "prometheus": (["kmcp-prometheus"], ("prometheus_query_tool", {"query": "up"})),
    "kubernetes": (["kmcp-kubernetes"], ("k8s_get_resources", {"resource_type": "pods"})),
    "all": (["kmcp-suite", "serve"], _TIME),
}
_CLIENT = {"name": "bench", "version": "1"}
_ENVELOPE = {
    "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": _CLIENT,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
}
_HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": _CLIENT}
REVISIONS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "2025-11-25": ("initialize", _HELLO, {}),
    "2026-07-28": ("server/discover", _ENVELOPE, _ENVELOPE),
}


@dataclass
class Figures:
    """Of one server in one revision, a value for each round."""

    list_seconds: list[float] = field(default_factory=list)
    list_megabytes: list[float] = field(default_factory=list)
    call_seconds: list[float] = field(default_factory=list)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.startup", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds after the first (default %(default)s)")
    rounds = parser.parse_args().rounds
    imports: list[float] = []
    figures = {(name, revision): Figures() for name in SERVERS for revision in REVISIONS}
    for number in range(rounds + 1):
        if number == 1:  # The first warms the disk's cache.
            imports, figures = [], {key: Figures() for key in figures}
        imports.append(timed_import())
        for (name, revision), found in figures.items():
            _measure(name, revision, found)
    return _report(min(imports), figures)


def _report(base: float, figures: dict[tuple[str, str], Figures]) -> int:
    print(f"import of fastmcp alone: {base:.2f} s of CPU")
    missed = 0
    for (name, revision), found in figures.items():
        seconds, megabytes = statistics.median(found.list_seconds), max(found.list_megabytes)
        ratio = min(found.call_seconds) / base
        met = seconds <= LIST_SECONDS and megabytes <= LIST_MEGABYTES and ratio <= CALL_GOAL
        missed += not met
        listed = f"list {seconds:.2f} s (<= {LIST_SECONDS}), {megabytes:.0f} MB (<= {LIST_MEGABYTES})"
        called = f"first call {ratio:.2f} times the import (<= {CALL_GOAL})"
        print(f"{name:11} {revision}  {listed}, {called}   {'met' if met else 'NOT MET'}")
    return int(missed > 0)


def timed_import() -> float:
    """Seconds of CPU that an import of the framework takes."""
    before = _children()
    subprocess.run(IMPORT, check=True)
    return _children() - before


def _measure(name: str, revision: str, figures: Figures) -> None:
    command, (tool, arguments) = SERVERS[name]
    greeting, hello, envelope = REVISIONS[revision]
    before = _children()
    with subprocess.Popen(
        [str(_BIN / command[0]), *command[1:], "--no-audit"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PROMETHEUS_URL": "http://127.0.0.1:9", "KUBECONFIG": "/nonexistent"},
    ) as process:
        _ask(process, 1, greeting, hello)
        _ask(process, 2, "tools/list", envelope)
        seconds, megabytes = _used(process.pid)
        _ask(process, 3, "tools/call", {"name": tool, "arguments": arguments, **envelope})
        assert process.stdin is not None
        process.stdin.close()
    figures.list_seconds.append(seconds)
    figures.list_megabytes.append(megabytes)
    figures.call_seconds.append(_children() - before)


def _ask(process: "subprocess.Popen[bytes]", number: int, method: str, params: dict[str, Any]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    request = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    process.stdin.write(json.dumps(request).encode() + b"\n")
    process.stdin.flush()
    # One line is one message over stdio.
    answer = json.loads(process.stdout.readline())
    assert answer["id"] == number
    assert "result" in answer, answer


def _used(process: int) -> tuple[float, float]:
    """Seconds of CPU and peak of memory, in MB, of a process that runs."""
    times = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    peak = next(line for line in Path(f"/proc/{process}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK"), int(peak.split()[1]) / 1024


def _children() -> float:
    """Seconds of CPU of all processes that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
