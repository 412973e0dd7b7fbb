"""The program of this package as tests call it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.packages import python_environment

_HERE = Path(__file__).parent
_LONGEST_ANSWER = 16 * 1024 * 1024


class Refused(Exception):
    """What the client raised: `kind` is the name of its exception."""

    def __init__(self, kind: str, status: int, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind, self.status, self.message = kind, status, message


class Oracle:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def __call__(self, method: str, *arguments: Any, **named: Any) -> Any:
        """The result of a method of `GrafanaApi`, by its path: `folder.get_folder`."""
        await self.write([method, arguments, named])
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        assert line, f"{method}: the client's program ended"
        answer = json.loads(line)
        if "error" in answer:
            raise Refused(answer["error"], answer["status"], answer["message"])
        return answer["result"]

    async def write(self, content: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(content).encode() + b"\n")
        await self._process.stdin.drain()


@asynccontextmanager
async def connected_oracle(address: str, login: str, password: str) -> AsyncIterator[Oracle]:
    interpreter = await asyncio.to_thread(python_environment, _HERE / "requirements.txt")
    # Isolated (-I): neither this directory nor the environment's variables add a module of ours.
    command = (str(interpreter), "-I", str(_HERE / "program.py"))
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, limit=_LONGEST_ANSWER)
    oracle = Oracle(process)
    try:
        await oracle.write([address, login, password])
        yield oracle
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
