"""The file of the audit: nothing is lost by rotation, restarts, several writers, a full disk or a killed process."""

import fcntl
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from kmcp_runtime import RuntimeSettings, SettingsError
from kmcp_runtime.audit import audit_file
from kmcp_runtime.audit.audit_metrics import AuditMetrics
from kmcp_runtime.audit.opening import expanded
from kmcp_runtime.audit.trail import WAITING, Trail
from kmcp_runtime.engine.configured import Process
from tests.audit.making import calls, entry, kinds, records, trail, verify, written

SMALL = 20_000
WRITER = """
import sys
from pathlib import Path
from tests.audit.making import entry, trail
name, count = sys.argv[2], int(sys.argv[3])
with trail(Path(sys.argv[1])) as found:
    for number in range(count):
        found.write(entry(number, agent=name))
        print(number, flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.log"


@contextmanager
def small(path: Path, most: int = 3, **settings: Any) -> Iterator[Trail]:
    """A trail whose files are rotated after a few lines."""
    metrics = AuditMetrics(CollectorRegistry())
    found = Trail([audit_file.AuditFile(path, None, SMALL, most)], metrics, **settings)
    try:
        yield found
    finally:
        found.close()


def every_file(path: Path) -> list[Path]:
    return [*sorted(path.parent.glob("audit.log.*")), path]


def value(found: Trail, name: str) -> float:
    """The metric of the file."""
    (family,) = {"failing": found.metrics.failing, "lost": found.metrics.lost}[name].collect()
    return next(sample.value for sample in family.samples if sample.labels == {"sink": "file"})


def test_only_its_owner_reads_it_and_it_goes_on_after_a_restart(path: Path) -> None:
    written(path, 3)
    written(path, 2)
    assert path.stat().st_mode & 0o777 == 0o600
    lines = records(path.read_text())
    assert [line["seq"] for line in lines] == list(range(1, 10))
    assert len({line["chain"] for line in lines}) == 1
    assert [line["what"] for line in lines if line["event"] == "file"] == ["start", "stop", "start", "stop"]
    assert lines[0]["process"] == os.getpid()
    assert kinds(path) == []


def test_rotation_loses_nothing_and_keeps_no_more_files_than_it_may(path: Path) -> None:
    with small(path, most=100) as found:
        for number in range(300):
            found.write(entry(number))
    files = every_file(path)
    assert len(files) > 4
    assert all(each.stat().st_size <= SMALL for each in files)
    told = calls([line for each in files for line in records(each.read_text())])
    assert [line["request"] for line in told] == [f"r{number}" for number in range(300)]
    assert kinds(path) == []
    # In whatever order they are named, and each on its own.
    assert kinds(*reversed(files)) == []
    assert kinds(files[1], "--partial") == []


def test_what_rotation_removes_is_told_and_what_else_is_missing_is_found(path: Path) -> None:
    with small(path) as found:
        for number in range(300):
            found.write(entry(number))
    files = every_file(path)
    assert len(files) == 3
    assert kinds(path) == []
    files[0].unlink()
    assert kinds(path) == ["beginning"]


def test_a_file_that_is_deleted_or_shortened_is_told_and_found(path: Path) -> None:
    with trail(path) as found:
        for number in range(5):
            found.write(entry(number))
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(lines[:3]))
        found.write(entry(5))
        path.unlink()
        found.write(entry(6))
    assert kinds(path) == ["beginning", "shorter"]
    assert calls(records(path.read_text()))[-1]["request"] == "r6"


def test_what_a_killed_process_left_of_a_line_is_kept_and_told(path: Path) -> None:
    lines = written(path, 3)
    path.write_bytes(b"".join(lines[:-1]) + lines[-1][:40])
    written(path, 1)
    code, found = verify(path)
    assert (code, found["faults"]) == (0, [])
    assert "writer was killed" in found["notes"][0]
    assert lines[-1][:40] in path.read_bytes()
    # Who changes what is left changes what the next line says of it.
    path.write_bytes(path.read_bytes().replace(lines[-1][:40] + b"\n", lines[-1][:39] + b"\n"))
    assert kinds(path) == ["torn"]


@pytest.mark.parametrize("left", [1, 40, -2, -1])
def test_until_a_writer_restarts_the_last_line_is_cut_off_and_the_rest_intact(path: Path, left: int) -> None:
    lines = written(path, 3)
    kept = b"".join(lines[:-1])
    path.write_bytes(kept + lines[-1][:left])
    code, found = verify(path)
    assert (code, found["intact"], found["faults"], found["lines"]) == (0, True, [], len(lines) - 1)
    text = "the last line is cut off (a process was killed while it wrote)"
    # What has not even begun to look like a line of ours is one of another program.
    told = [f"{path}, line {len(lines)}: {text}; everything before it is intact"] if left != 1 else []
    assert found["notes"][: len(told)] == told
    changed = bytearray(kept + lines[-1][:left])
    changed[len(lines[0]) + 60] ^= 1
    path.write_bytes(changed)
    code, found = verify(path)
    assert code == 1
    assert not [note for note in found["notes"] if "intact" in note]
    # A line that has an end was not left by a killed process.
    path.write_bytes(kept + lines[-1][:40] + b"\n")
    assert kinds(path) == ["torn"]
    # One that is missing before the last is missing.
    path.write_bytes(b"".join(lines[:-2]) + lines[-1])
    assert kinds(path) == ["missing"]


def test_several_processes_share_one_chain(path: Path) -> None:
    each, count = 150, 3
    command = [sys.executable, "-c", WRITER, str(path)]
    running = [
        subprocess.Popen([*command, f"writer-{number}", str(each)], stdout=subprocess.DEVNULL)
        for number in range(count)
    ]
    assert [process.wait() for process in running] == [0] * count
    told = calls(records(path.read_text()))
    for number in range(count):
        own = [line["request"] for line in told if line["agent"] == f"writer-{number}"]
        assert own == [f"r{which}" for which in range(each)]
    assert len({line["instance"] for line in told}) == count
    code, found = verify(path)
    assert (code, len(found["chains"])) == (0, 1)


def test_several_writers_rotate_one_file_while_it_is_verified(path: Path) -> None:
    ended = threading.Event()

    def write(name: str) -> None:
        with small(path, most=1000) as found:
            for number in range(200):
                found.write(entry(number, agent=name))

    writers = [threading.Thread(target=write, args=(f"w{number}",)) for number in range(3)]
    checked: list[list[str]] = []

    def check() -> None:
        while not ended.is_set():
            checked.append(kinds(path) if path.exists() else [])

    checker = threading.Thread(target=check)
    for thread in (*writers, checker):
        thread.start()
    for thread in writers:
        thread.join()
    ended.set()
    checker.join()
    assert len(checked) > 1
    assert [found for found in checked if found] == []
    told = calls([line for each in every_file(path) for line in records(each.read_text())])
    for number in range(3):
        own = [line["request"] for line in told if line["agent"] == f"w{number}"]
        assert own == [f"r{which}" for which in range(200)]


def test_a_killed_process_leaves_an_audit_that_goes_on(path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(path), "killed", "100000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(200)]
        process.send_signal(signal.SIGKILL)
        told += process.stdout.readlines()
    # Whoever was told that a line was written finds it.
    last = int([line for line in told if line.endswith("\n")][-1])
    assert calls(records(path.read_text()))[last]["request"] == f"r{last}"
    written(path, 1)
    code, found = verify(path)
    assert (code, found["faults"]) == (0, [])
    assert kinds(path) == []


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """As on a full disk, no file of this process can grow beyond."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_lines_wait_for_a_full_disk_and_what_is_too_much_is_counted(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with trail(path) as found:
        found.write(entry(0))
        # In the middle of the next line: what fits of it must not stay.
        with file_size_limit(path.stat().st_size + 100):
            for number in range(1, WAITING + 51):
                found.write(entry(number))
            assert found.faults()["file"] in ("File too large", "No space left on device")
            assert value(found, "failing") == 1
            assert value(found, "lost") == 50
            assert kinds(path) == []
        found.write(entry(WAITING + 51))
        assert found.faults() == {}
        assert value(found, "failing") == 0
    told = [line["request"] for line in calls(records(path.read_text()))]
    # The last one found the queue full as well, before it was emptied.
    assert told == [f"r{number}" for number in range(WAITING + 1)]
    code, answer = verify(path)
    assert code == 0
    assert "51 lines could not be written" in answer["notes"][0]
    reported = [line.getMessage() for line in caplog.records if line.name == "kmcp.audit" and line.levelname == "ERROR"]
    assert len(reported) == 1
    assert "cannot be written" in reported[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_on_a_disk_that_is_full_at_the_start_lines_wait(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)], check=False)
    if mounted.returncode:
        pytest.skip("this machine does not let us mount")
    try:
        full, path = disk / "full", disk / "audit.log"
        path.write_bytes(b"")
        path.chmod(0o600)
        with pytest.raises(OSError, match="No space"):
            full.write_bytes(bytes(1 << 20))
        with trail(path) as found:
            found.write(entry(0))
            assert found.faults() == {"file": "No space left on device"}
            assert path.read_bytes() == b""
            full.unlink()
            found.write(entry(1))
        assert [line["request"] for line in calls(records(path.read_text()))] == ["r0", "r1"]
        assert kinds(path) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_what_is_no_file_of_ours_is_refused_with_the_reason(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("")
    links = {"symbolic link": tmp_path / "soft", "hard link": tmp_path / "hard", "chmod 600": tmp_path / "open"}
    links["symbolic link"].symlink_to(other)
    links["hard link"].hardlink_to(other)
    links["chmod 600"].write_text("")
    links["chmod 600"].chmod(0o666)
    os.mkfifo(tmp_path / "pipe")
    cases = links | {"not a regular file": tmp_path / "pipe", "No such file": tmp_path / "absent" / "audit.log"}
    cases |= {"not a regular": Path("/dev/full")}
    for words, path in cases.items():
        with pytest.raises(SettingsError, match=words):
            Process.of(RuntimeSettings(audit_file=str(path)))
    assert other.read_text() == ""


def test_a_link_in_place_of_the_file_is_not_followed(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "passwd"
    other.write_text("root")
    with trail(path) as found:
        found.write(entry(0))
        path.rename(tmp_path / "taken")
        path.symlink_to(other)
        found.write(entry(1))
        assert "symbolic link" in found.faults()["file"]
        path.unlink()
        found.write(entry(2))
        assert found.faults() == {}
    assert other.read_text() == "root"
    assert [line["request"] for line in calls(records(path.read_text()))] == ["r1", "r2"]


@pytest.mark.parametrize("what", ["the file", "its folder"])
def test_a_writer_that_cannot_go_on_holds_no_lock(tmp_path: Path, what: str) -> None:
    path = tmp_path / "logs" / "audit.log"
    path.parent.mkdir()
    replaced, taken = (path if what == "the file" else path.parent), tmp_path / "taken"
    with trail(path) as found, open(path, "rb") as other:
        replaced.rename(taken)
        replaced.symlink_to(replaced)  # neither to be looked at nor to be opened
        found.write(entry(0))
        assert "symbolic link" in found.faults()["file"]
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(other, fcntl.LOCK_UN)
        replaced.unlink()
        taken.rename(replaced)
        found.write(entry(1))
        assert found.faults() == {}
    assert [line["request"] for line in calls(records(path.read_text()))] == ["r0", "r1"]


def test_a_clock_that_is_set_back_changes_no_order(path: Path) -> None:
    times = iter([1000.0, 900.0, 100.0, 101.0])
    with small(path, clock=lambda: next(times)) as found:
        found.write(entry(0))
        found.write(entry(1))
    code, answer = verify(path)
    assert (code, answer["faults"]) == (0, [])
    assert "clock was set back" in answer["notes"][0]


def test_names_may_hold_host_and_process(tmp_path: Path) -> None:
    assert expanded("/a/{pid}.log") == f"/a/{os.getpid()}.log"
    assert "{" not in expanded("/a/{hostname}/{pid}")


async def test_the_head_is_logged_where_the_file_is_not(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    written(path, 3)
    noted = [line.getMessage().split()[-1] for line in caplog.records if "audit head" in line.getMessage()]
    assert kinds(path, "--head", noted[-1]) == []
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))
    assert kinds(path, "--head", noted[-1]) == ["cut"]
    assert json.loads(lines[-1])["what"] == "stop"
