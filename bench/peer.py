"""The other server of the comparison: npm's `kubernetes-mcp-server`, which carries a Go binary."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.cluster.binaries import cache

PACKAGE = "kubernetes-mcp-server"
VERSION = "0.0.67"
TOOL = "pods_list_in_namespace"


def binary(say: Callable[[str], None]) -> Path:
    """The installed binary, put into the cache the first time."""
    folder = cache() / f"{PACKAGE}-{VERSION}"
    if not _found(folder):
        say(f"installing {PACKAGE} {VERSION} from npm (once, then cached)")
        folder.mkdir(parents=True, exist_ok=True)
        command = [
            "npm",
            "install",
            "--silent",
            "--no-audit",
            "--no-fund",
            "--prefix",
            str(folder),
            f"{PACKAGE}@{VERSION}",
        ]
        subprocess.run(command, check=True)
    return _found(folder)[0]


def _found(folder: Path) -> list[Path]:
    # npm installs the one package of this platform.
    return sorted(folder.glob("node_modules/kubernetes-mcp-server-*/bin/kubernetes-mcp-server-*"))
