"""Packages that tests install into the tests' cache, apart from the suite's own environment, pinned by hash.

Without the registry such a test is skipped with the reason; in CI it fails.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.cluster.binaries import cache
from tests.installed import UV
from tests.slowness import scaled

_INSTALL_SECONDS = 300


def npm_packages(pins: Path) -> Path:
    """The `node_modules` that `package-lock.json` in this folder describes."""
    if shutil.which("npm") is None:
        _unavailable("npm is not installed")

    def install(folder: Path) -> None:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(pins / name, folder)
        run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)

    return _installed("npm", (pins / "package-lock.json").read_bytes(), install) / "node_modules"


def python_environment(requirements: Path) -> Path:
    """The interpreter of an environment that has exactly these requirements, each with its hashes."""

    def install(folder: Path) -> None:
        run([UV, "venv", "--quiet", "--python", sys.executable, "venv"], folder)
        pip = [UV, "pip", "install", "--quiet", "--python", "venv/bin/python", "--require-hashes", "--no-deps"]
        run([*pip, "--requirement", str(requirements.resolve())], folder)

    key = requirements.read_bytes() + sys.version.encode()
    return _installed("python", key, install) / "venv" / "bin" / "python"


def _installed(kind: str, key: bytes, install: Callable[[Path], None]) -> Path:
    """The folder in the cache for what `key` pins; made once, by whichever worker comes first."""
    folder = cache() / "packages" / f"{kind}-{hashlib.sha256(key).hexdigest()[:16]}"
    if not (folder / "complete").exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        # An environment cannot be moved once it is made, so workers that come together take turns.
        with folder.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / "complete").exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                install(folder)
                (folder / "complete").touch()
    return folder


def run(command: Sequence[str], folder: Path) -> None:
    """Run a program that asks a package registry, such as `npm` or `uv`, in `folder`."""
    # The suite's own environment must not leak into another one.
    inherited = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    seconds = scaled(_INSTALL_SECONDS)
    try:
        done = subprocess.run(
            command, cwd=folder, env=inherited, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        _unavailable(f"{command[0]} took longer than {seconds:.0f} s")
    if done.returncode:
        _unavailable(f"{Path(command[0]).name} could not install from its registry: {done.stderr.strip()[-300:]}")


def _unavailable(why: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)
