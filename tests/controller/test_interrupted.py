"""Ctrl-C in any subcommand of `kmcp-suite`: one line, exit code 130, and nothing is left behind."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.controller.clock_suite import environment
from tests.installed import SUITE
from tests.ports import free_ports, suite_flags
from tests.slowness import scaled


def interrupted(argv: list[str], folder: Path, wait: Callable[[], object]) -> tuple[int, str]:
    """The exit code and stderr of a command that gets SIGINT once `wait` has returned."""
    with subprocess.Popen(
        [SUITE, *argv], cwd=folder, env=environment(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            wait()
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=scaled(30))
        finally:
            process.kill()  # nothing where it has ended; else the block would wait for it
    return process.returncode, errors


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """A run of the tests that a shell has put into the background ignores SIGINT, and so would its children."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """A file whose reader waits for the rest, so that a command is where it reads it."""
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


@pytest.fixture
def opened(pipe: Path) -> Iterator[Callable[[], int]]:
    """Return, with the end to write to, as soon as somebody reads the pipe; it stays open for the test."""
    ends = list[int]()

    def open_end() -> int:
        ends.append(os.open(pipe, os.O_WRONLY))
        return ends[-1]

    yield open_end
    for each in ends:
        os.close(each)


@pytest.mark.parametrize("name", ["connect", "test"])
def test_a_command_that_waits_for_a_server(name: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(scaled(60))
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/mcp"
        argv = ["connect", "claude-code", "--url", url] if name == "connect" else ["test", url]
        taken = list[socket.socket]()
        code, errors = interrupted(argv, tmp_path, lambda: taken.append(silent.accept()[0]))
    for each in taken:
        each.close()
    assert code == 130, errors
    assert errors.splitlines()[-1] == f"kmcp-suite {name}: interrupted"
    assert "Traceback" not in errors


@pytest.mark.parametrize("argv", [["up", "--catalog", "pipe"], ["run", "project"], ["plan", "-f", "pipe"]])
def test_a_command_that_has_just_begun(argv: list[str], tmp_path: Path, pipe: Path, opened: Callable[[], int]) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "kmcp.yaml").symlink_to(pipe)
    code, errors = interrupted(argv, tmp_path, opened)
    assert code == 130, errors
    assert errors == f"kmcp-suite {argv[0]}: interrupted\n"


def test_what_was_starting_in_the_background_is_ended(tmp_path: Path, opened: Callable[[], int]) -> None:
    ends = list[int]()
    ports = free_ports(3)
    argv = ["up", "--detach", "--catalog", "pipe", *suite_flags(ports)]
    code, errors = interrupted(argv, tmp_path, lambda: ends.append(opened()))
    assert (code, errors) == (130, "kmcp-suite up: interrupted; the suite that was starting is ended\n")
    with pytest.raises(BrokenPipeError):  # whoever read it is gone
        os.write(ends[0], b"kind: Catalog\n")
    status = subprocess.run(
        [SUITE, "status", "--json"], check=False, env=environment(tmp_path), capture_output=True, text=True
    )
    assert (status.returncode, json.loads(status.stdout)) == (3, [])
