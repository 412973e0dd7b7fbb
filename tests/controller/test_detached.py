"""`kmcp-suite up --detach`: what it says of the suite that it leaves behind is so."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controller.clock_suite import clock_catalog, environment
from tests.installed import SUITE
from tests.ports import free_ports, suite_flags
from tests.slowness import scaled


class Detached:
    """The commands of one user, with the ports of one suite that serves the clock alone."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.ports = folder, free_ports(3)
        self.catalog = clock_catalog(folder)

    @property
    def up(self) -> list[str]:
        return [SUITE, "up", "--detach", "--catalog", self.catalog.name, *suite_flags(self.ports)]

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Whatever its exit code is."""
        env, limit = environment(self.folder), scaled(60)
        return subprocess.run(
            argv, check=False, cwd=self.folder, env=env, capture_output=True, text=True, timeout=limit
        )


@pytest.fixture
def detached(tmp_path: Path) -> Iterator[Detached]:
    found = Detached(tmp_path)
    yield found
    found.run(SUITE, "down")


def test_what_a_killed_suite_left_is_not_taken_for_the_new_one(detached: Detached) -> None:
    """What cannot start is told by its last words and its exit code; what starts is waited for."""
    assert detached.run(*detached.up).returncode == 0
    (suite,) = json.loads(detached.run(SUITE, "status", "--json").stdout)
    state = detached.folder / "kmcp-suite" / "up" / str(detached.ports[0]) / "state.json"
    left = state.read_text()
    os.kill(suite["pid"], signal.SIGKILL)
    (detached.folder / "bad").mkdir()
    (detached.folder / "bad" / "a.yaml").write_text("a: [")
    for folder, told in (("bad", "bad/a.yaml"), ("nope", "nope is not a folder")):
        state.write_text(left)
        failed = detached.run(*detached.up, "--manifests", folder)
        assert failed.returncode == 1, failed.stdout
        assert told in failed.stdout
        assert "it ended: exit code 1" in failed.stderr
        assert "runs in the background" not in failed.stdout
        assert detached.run(SUITE, "status").returncode == 3
    state.write_text(left)
    again = detached.run(*detached.up)
    assert again.returncode == 0, again.stderr
    assert re.search(r"kmcp-clock: \d+ tools?, Ready", again.stdout)
    assert "runs in the background" in again.stdout
    assert "`kmcp-suite down` ends it." in again.stdout
    assert "Ctrl-C" not in again.stdout
    (other,) = json.loads(detached.run(SUITE, "status", "--json").stdout)
    assert other["state"] == "running"
    assert other["pid"] != suite["pid"]


def test_a_full_disk_is_told_before_anything_starts(detached: Detached) -> None:
    """In the background its words would have no place to be."""
    limited = ["bash", "-c", 'ulimit -f 4; exec "$@"', "bash"]
    failed = detached.run(*limited, *detached.up)
    assert failed.returncode == 1
    assert "no state can be kept" in failed.stderr
    assert "file too large" in failed.stderr
    assert detached.run(SUITE, "status").returncode == 3


@pytest.mark.parametrize("same", [("--port", "--management-port"), ("--management-port", "--catalog-port")])
def test_one_port_for_two_purposes_is_refused(detached: Detached, same: tuple[str, str]) -> None:
    """Each would be taken by whoever comes first, and the other started again for ever."""
    port = str(detached.ports[0])
    for words in ([], ["--detach"], ["--unit", "systemd"]):
        failed = detached.run(SUITE, "up", *words, "--port", str(detached.ports[1]), same[0], port, same[1], port)
        assert failed.returncode == 1
        assert failed.stderr == f"kmcp-suite up: {same[0]} and {same[1]} are both {port}: give each a port of its own\n"
