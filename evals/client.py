"""A person's MCP client at work on a task: the prompt on its standard input, the address in its environment."""

import asyncio
import json
import os
import signal
from pathlib import Path

from evals.place import Place
from evals.reference import Outcome
from evals.task import Task, filled
from evals.world import World

URL, TASK = "KMCP_EVAL_URL", "KMCP_EVAL_TASK"
_LONGEST_ANSWER = 1_000_000


async def work(task: Task, url: str, command: str, seconds: float, place: Place, world: World, outcome: Outcome) -> str:
    """What the command printed: its answer. Calls and bytes are counted from the audit of the server."""
    before = _size(world.audit)
    process = await asyncio.create_subprocess_shell(
        command,
        env={**os.environ, URL: url, TASK: task.name},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        # A group of its own, so that what it starts ends with it.
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(seconds):
            output, _ = await process.communicate(filled(task.prompt, place.names).encode())
    except TimeoutError:
        outcome.faults.append(f"the client did not end within {seconds:.0f} s")
        output = b""
    finally:
        _end(process)
        await process.wait()
    _count(world.audit, before, outcome)
    if process.returncode and not outcome.faults:
        outcome.faults.append(f"the client ended with {process.returncode}")
    return output[:_LONGEST_ANSWER].decode(errors="replace")


def _end(process: asyncio.subprocess.Process) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _size(audit: Path) -> int:
    return audit.stat().st_size if audit.exists() else 0


def _count(audit: Path, before: int, outcome: Outcome) -> None:
    with audit.open("rb") as file:
        file.seek(before)
        lines = [json.loads(line) for line in file if line.strip()]
    for line in lines:
        if line.get("event") == "call":
            outcome.cost.calls += 1
            outcome.cost.read += line.get("answer_bytes", 0)
