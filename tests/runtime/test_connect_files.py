"""Files that `kmcp-suite connect --write` meets: what is not a file, full disks, marks of editors."""

import os
import resource
import signal
import stat
from pathlib import Path

import pytest

from kmcp_runtime.connect import jsonc
from tests.runtime.test_connect import KEYS, printed, read, shell

__all__ = ["shell"]

WRITE = ("--url", "http://127.0.0.1:1/mcp", "--write", "--no-test", "--file")


def test_what_is_not_a_file_is_not_replaced(shell: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A device or a pipe would be gone, and whoever reads it with it."""
    os.mkfifo(shell / "pipe")
    (shell / "folder").mkdir()
    (shell / "round").symlink_to(shell / "and-round")
    (shell / "and-round").symlink_to(shell / "round")
    before = sorted(each.name for each in shell.iterdir())
    for name, fault in (("pipe", "is not a file"), ("folder", "is not a file"), ("round", "ymlink")):
        err = printed(capsys, "cursor", *WRITE, str(shell / name), code=2)[1]
        assert fault in err or "symbolic links" in err
    assert sorted(each.name for each in shell.iterdir()) == before
    assert stat.S_ISFIFO((shell / "pipe").lstat().st_mode)


def test_a_disk_that_is_full_leaves_the_file_and_nothing_else(shell: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = shell / "settings.json"
    file.write_text('{"a": "' + "x" * 5000 + '"}')
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        err = printed(capsys, "cursor", *WRITE, str(file), code=2)[1]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert "File too large" in err
    assert [each.name for each in shell.iterdir() if each.is_file()] == ["settings.json"]
    assert file.stat().st_size == 5009


@pytest.mark.parametrize(
    ("client", "text"),
    [
        ("codex", "\ufeff[other]\nb = 1\n"),
        ("codex", "\ufeff"),
        ("cursor", "\ufeff"),
        ("cursor", "// nothing here\n"),
        ("cursor", "// without an end"),
        ("cursor", "\ufeff/* nor\n here */"),
        ("zed", '\ufeff{\r\n  // mine\r\n  "a": 1,\r\n}\r\n'),
    ],
)
def test_marks_and_comments_alone_are_a_file(
    client: str, text: str, shell: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = shell / "file"
    file.write_bytes(text.encode())
    printed(capsys, client, *WRITE, str(file))
    found = file.read_bytes().decode()
    assert found.startswith("\ufeff") == text.startswith("\ufeff")
    assert ("\r\n" in found) == ("\r\n" in text)
    body = found.removeprefix("\ufeff")
    assert "kmcp" in (read(client, body) if client == "codex" else jsonc.read(body)[KEYS.get(client, "mcpServers")])
    assert "nothing to change" in printed(capsys, client, *WRITE, str(file))[0]
