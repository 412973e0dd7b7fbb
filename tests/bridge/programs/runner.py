"""As a package runner: starts a program that outlives everything it can, and speaks for it.

usage: runner.py
"""

import json
import os
import signal
import subprocess
import sys
from typing import Any

SLEEPER = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


def answer(number: Any, result: dict[str, Any]) -> None:
    print(json.dumps({"jsonrpc": "2.0", "id": number, "result": result}), flush=True)


def orphan() -> int:
    """The id of a process in a session of its own, whose parent has gone; it ends at once."""
    reading, writing = os.pipe()
    first = os.fork()
    if not first:
        os.setsid()
        second = os.fork()
        if second:
            os.write(writing, str(second).encode())
        os._exit(0)
    os.waitpid(first, 0)
    return int(os.read(reading, 20))


def main() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    behind = subprocess.Popen([sys.executable, "-c", SLEEPER], stdout=subprocess.DEVNULL)
    for line in sys.stdin:
        message = json.loads(line)
        number, method = message.get("id"), message["method"]
        if method == "initialize":
            said = {"capabilities": {"tools": {}}, "serverInfo": {"name": "runner", "version": "1"}}
            answer(number, {"protocolVersion": "2025-06-18", **said})
        elif method == "tools/list":
            answer(
                number, {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in ("pids", "orphan")]}
            )
        elif method == "tools/call":
            found = [os.getpid(), behind.pid] if message["params"]["name"] == "pids" else orphan()
            answer(number, {"content": [{"type": "text", "text": json.dumps(found)}]})
        elif number is not None:
            print(json.dumps({"jsonrpc": "2.0", "id": number, "error": {"code": -32601, "message": "no"}}), flush=True)


if __name__ == "__main__":
    main()
