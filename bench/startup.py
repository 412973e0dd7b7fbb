"""How soon a server over stdio answers its first request, as a ratio to importing fastmcp alone, in one run.

`python -m bench.startup`: the two are started in turn, so that a machine that slows down slows both.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

GOAL = 1.5
_IMPORT = [sys.executable, "-c", "from fastmcp import FastMCP"]
_SERVER = [sys.executable, "-m", "kmcp_prometheus.server", "--transport", "stdio", "--no-audit"]
_CLIENT = {"name": "bench", "version": "1"}
_REQUESTS = {
    "initialize": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": _CLIENT},
    "server/discover": {
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": _CLIENT,
            "io.modelcontextprotocol/clientCapabilities": {},
        }
    },
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.startup", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="rounds after the first (default %(default)s)")
    rounds = parser.parse_args().rounds
    imports: list[float] = []
    answers: dict[str, list[float]] = {method: [] for method in _REQUESTS}
    for number in range(rounds + 1):
        found = timed_import()
        timed = {method: _timed_answer(method) for method in _REQUESTS}
        if number:  # The first warms the disk's cache.
            imports.append(found)
            for method, seconds in timed.items():
                answers[method].append(seconds)
    base = statistics.median(imports)
    print(f"import of fastmcp alone: {base:.2f} s (median of {rounds})")
    ratios = {method: statistics.median(seconds) / base for method, seconds in answers.items()}
    for method, ratio in ratios.items():
        verdict = "met" if ratio <= GOAL else "NOT MET"
        print(f"start to the answer of {method:16} {ratio:.2f} times   goal <= {GOAL}   {verdict}")
    return int(any(ratio > GOAL for ratio in ratios.values()))


def timed_import() -> float:
    started = time.perf_counter()
    subprocess.run(_IMPORT, check=True)
    return time.perf_counter() - started


def _timed_answer(method: str) -> float:
    """Seconds from the start of the process to the whole answer of its first request."""
    request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": _REQUESTS[method]}
    started = time.perf_counter()
    with subprocess.Popen(
        _SERVER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=_environment()
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()
        # One line is one message over stdio.
        answer = json.loads(process.stdout.readline())
        seconds = time.perf_counter() - started
        process.stdin.close()
    assert answer["id"] == 1
    assert "result" in answer, answer
    return seconds


def _environment() -> dict[str, str]:
    return {**os.environ, "PROMETHEUS_URL": "http://127.0.0.1:9"}


if __name__ == "__main__":
    sys.exit(main())
