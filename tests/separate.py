"""Environments of other clients of the same backends: independent oracles, which must not share our environment.

Such a client may pin other versions than ours, or change the interpreter it is installed in. Each gets an environment
of its own beside the cached binaries, made by uv from requirements with hashes, and is called as a child process.
"""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.cluster import binaries

DEADLINE_SECONDS = 120


def environment(requirements: Path) -> Path:
    """The Python interpreter of an environment with exactly these requirements; the first call installs it."""
    digest = hashlib.sha256(sys.version.encode() + requirements.read_bytes()).hexdigest()[:16]
    folder = binaries.cache() / f"environment-{requirements.parent.parent.name}-{digest}"
    python = folder / "bin" / "python"
    complete = folder / ".complete"
    if not complete.exists():
        uv = [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)], check=True)
        install = ["pip", "sync", "--quiet", "--require-hashes", "--python", str(python), str(requirements)]
        subprocess.run([*uv, *install], check=True)
        complete.touch()
    return python


def ask(python: Path, program: Path, question: Any) -> Any:
    """What a program of that environment answers: JSON on its standard input, JSON on its standard output."""
    done = subprocess.run(
        [str(python), "-I", str(program)],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_SECONDS,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)
