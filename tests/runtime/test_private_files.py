"""Files with credentials: in a directory of the process, gone with it, removed by the next one when it was killed."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.waiting import until

PROGRAM = """
import sys
from kmcp_runtime import private_files
(private_files.folder() / "kubeconfig").write_text("token: planted")
print(private_files.folder(), flush=True)
sys.stdin.read()
"""


@asynccontextmanager
async def program(temporary: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, Path]]:
    """A process with a file in its directory; it ends at the end of its input."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process, Path((await process.stdout.readline()).decode().strip())
    finally:
        with contextlib.suppress(ConnectionError):
            process.stdin.close()
        await process.wait()


async def test_what_a_killed_process_left_goes_with_the_next_one_and_no_other(tmp_path: Path) -> None:
    async with program(tmp_path) as (_, alive), program(tmp_path) as (victim, left):
        assert {path.stat().st_mode & 0o777 for path in (alive, left)} == {0o700}
        victim.send_signal(signal.SIGKILL)
        await victim.wait()
        assert (left / "kubeconfig").is_file()
        async with program(tmp_path) as (_, own):
            assert set(tmp_path.iterdir()) == {alive, own}
            assert (alive / "kubeconfig").is_file()
    assert list(tmp_path.iterdir()) == []


async def test_what_only_has_the_name_is_left_alone(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "kmcp-private-link").symlink_to(outside)
    (tmp_path / "kmcp-private-file").write_text("")
    async with program(tmp_path) as (_, own):
        assert {path.name for path in tmp_path.iterdir()} == {
            own.name,
            "outside",
            "kmcp-private-link",
            "kmcp-private-file",
        }


@asynccontextmanager
async def helm_server(temporary: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """The Helm server over stdio; it ends at the end of its input."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "kmcp_helm.server",
        "--transport",
        "stdio",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        env={**os.environ, "TMPDIR": str(temporary), "KUBECONFIG": "/no/cluster"},
    )
    assert process.stdin is not None
    try:
        yield process
    finally:
        process.stdin.close()
        await process.wait()


async def test_a_server_removes_what_its_killed_predecessor_left(tmp_path: Path) -> None:
    async def helm_homes() -> list[Path]:
        return list(tmp_path.glob("kmcp-private-*/helm-*"))

    async with helm_server(tmp_path) as first:
        (left,) = await until(helm_homes, what="the home of the first server's helm")
        first.kill()
    assert left.is_dir()
    async with helm_server(tmp_path):
        (own,) = await until(
            helm_homes, lambda found: len(found) == 1 and found != [left], what="the home of the second's"
        )
        assert own.parent != left.parent
    assert list(tmp_path.iterdir()) == []
