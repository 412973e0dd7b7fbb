"""Programs run to their end: what they were given, what they answered, and that nothing of them is left."""

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

import pytest

from kmcp_runtime import ToolFailure
from kmcp_runtime.command import Ended, run
from tests.slowness import scaled
from tests.waiting import until

SECONDS = 60
# Tells the pids of itself and of a child, then both wait for good.
PARENT = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(os.getpid(), child.pid, file=sys.stderr, flush=True)
time.sleep(600)
"""


async def python(program: str, *arguments: str, stdin: bytes = b"", largest_bytes: int = 1 << 20) -> Ended:
    argv = [sys.executable, "-c", program, *arguments]
    return await run(argv, env=dict(os.environ), seconds=scaled(SECONDS), stdin=stdin, largest_bytes=largest_bytes)


async def test_arguments_and_input_arrive_as_they_are_and_streams_stay_apart() -> None:
    program = "import sys; print(sys.argv[1:]); print(sys.stdin.read(), file=sys.stderr); sys.exit(3)"
    ended = await python(program, "a b", "$(id)", "--x=;'", stdin=b"given \xe2\x9c\x93")
    assert ended == Ended(3, "['a b', '$(id)', \"--x=;'\"]\n", "given ✓", False)


async def test_the_environment_is_what_was_given_and_nothing_else() -> None:
    argv = [sys.executable, "-c", "import os; print(sorted(set(os.environ) - {'LC_CTYPE'}))"]
    ended = await run(argv, env={"PATH": "/nowhere", "OWN": "1"}, seconds=scaled(SECONDS))
    assert ended.stdout == "['OWN', 'PATH']\n"


async def test_more_input_than_a_pipe_holds_is_no_deadlock() -> None:
    program = "import sys; data = sys.stdin.buffer.read(); sys.stdout.buffer.write(data)"
    ended = await python(program, stdin=b"x" * 1_000_000)
    assert len(ended.stdout) == 1_000_000
    assert (await python("pass", stdin=b"x" * 1_000_000)).code == 0


async def test_long_output_is_cut_and_its_program_not_held_up() -> None:
    program = "import sys; [print('o' * 99) or print('e', n, file=sys.stderr) for n in range(5000)]"
    ended = await python(program, largest_bytes=1000)
    assert ended.code == 0
    assert ended.truncated
    assert len(ended.stdout) == 1000
    assert ended.stderr.splitlines()[-1] == "e 4999"
    assert len(ended.stderr.splitlines()) == 1000


async def test_lines_of_stderr_are_seen_as_they_come() -> None:
    seen: list[str] = []
    argv = [sys.executable, "-c", "import sys; print('one', file=sys.stderr); print('two', file=sys.stderr)"]
    ended = await run(argv, env=os.environ, seconds=scaled(SECONDS), line=seen.append)
    assert seen == ["one", "two"]
    assert ended.stderr == "one\ntwo"


async def test_a_signal_is_an_exit_code_below_zero() -> None:
    ended = await python("import os; os.kill(os.getpid(), 9)")
    assert ended.code == -signal.SIGKILL


@pytest.mark.parametrize("program", ["no-such-program", "/no/such/program", str(Path(__file__))])
async def test_a_missing_program_is_named_with_what_to_do(program: str) -> None:
    with pytest.raises(ToolFailure) as caught:
        await run([program, "x"], env=os.environ, seconds=scaled(SECONDS), missing="set KMCP_PROGRAM")
    assert caught.value.code == "unavailable"
    assert program in caught.value.message
    assert caught.value.hint == "set KMCP_PROGRAM"
    with pytest.raises(ToolFailure) as caught:
        await run([program], env=os.environ, seconds=scaled(SECONDS))
    assert "PATH" in str(caught.value.hint)


async def test_a_file_that_cannot_run_is_unavailable(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x7fELF\x00nothing")
    broken.chmod(0o700)
    with pytest.raises(ToolFailure) as caught:
        await run([str(broken)], env=os.environ, seconds=scaled(SECONDS))
    assert caught.value.code == "unavailable"


async def test_no_argument_may_hold_nul() -> None:
    with pytest.raises(ToolFailure) as caught:
        await python("pass", "a\0b")
    assert caught.value.code == "bad_argument"


async def test_at_the_deadline_the_whole_group_ends() -> None:
    pids: list[int] = []
    argv = [sys.executable, "-c", PARENT]

    def note(line: str) -> None:
        pids.extend(int(word) for word in line.split())

    seconds = round(scaled(5))
    with pytest.raises(ToolFailure) as caught:
        await run(argv, env=os.environ, seconds=seconds, line=note)
    assert caught.value.code == "timed_out"
    assert f"within {seconds} s" in caught.value.message
    if pids:
        assert f"{pids[0]} {pids[1]}" in caught.value.message
    await until(lambda: _alive(pids), lambda alive: not alive, what=f"the end of {pids}")


async def test_a_cancelled_caller_leaves_nothing_running() -> None:
    pids: list[int] = []
    told = asyncio.Event()

    def note(line: str) -> None:
        pids.extend(int(word) for word in line.split())
        told.set()

    task = asyncio.create_task(run([sys.executable, "-c", PARENT], env=os.environ, seconds=scaled(SECONDS), line=note))
    await told.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()
    await until(lambda: _alive(pids), lambda alive: not alive, what=f"the end of {pids}")


async def _alive(pids: list[int]) -> list[int]:
    """Those that run; a zombie that nobody has collected yet has ended."""
    return [pid for pid in pids if _state(pid) not in ("", "Z")]


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""
