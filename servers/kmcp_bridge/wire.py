"""JSON-RPC with one process over its stdin and stdout: one message a line, requests under ids of ours.

A progress token towards the process is the request's id. A request that is abandoned (its task is cancelled) is
cancelled at the process too. Requests of the process are refused: it is shared, and there is no client to ask.
"""

import asyncio
import contextlib
import itertools
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mcp_types import INTERNAL_ERROR, METHOD_NOT_FOUND

from kmcp_runtime import redaction
from kmcp_runtime.command import Running

log = logging.getLogger("kmcp.bridge")
Json = dict[str, Any]
Progress = Callable[[Json], None]


def as_object(value: Any) -> Json:
    """What should be an object of JSON; anything else is an empty one."""
    return value if isinstance(value, dict) else {}


class RpcError(Exception):
    """A JSON-RPC error, as it goes to the client."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code, self.message, self.data = code, message, data

    def body(self) -> Json:
        return {"code": self.code, "message": self.message} | ({} if self.data is None else {"data": self.data})


@dataclass
class _Pending:
    answer: asyncio.Future[Any]
    token: Any
    progress: Progress | None


class Wire:
    def __init__(self, process: Running) -> None:
        self.tools: list[Json] | None = None  # as last listed
        self._process = process
        self._ids = itertools.count(1)
        self._pending: dict[int, _Pending] = {}
        self._failed: RpcError | None = None

    async def read(self) -> None:
        """Until the process closes its output."""
        while line := await self._process.stdout.readline():
            try:
                message = json.loads(line)
            except ValueError:
                log.warning(
                    "stdout: not a JSON-RPC message: %s", redaction.text(line.decode(errors="replace").rstrip())[:1024]
                )
                continue
            # Revision 2025-03-26 allowed batches, and servers of that time may still answer with one.
            for each in message if isinstance(message, list) else [message]:
                if isinstance(each, dict):
                    self._received(each)

    async def request(self, method: str, params: Json, progress: Progress | None = None) -> Any:
        """The result; RpcError if the process refuses or ends. `progress` gets params with the caller's own token."""
        if self._failed is not None:
            raise self._failed
        number = next(self._ids)
        meta = as_object(params.get("_meta"))
        token = meta.get("progressToken")
        if token is not None:
            params = {**params, "_meta": {**meta, "progressToken": number}}
        pending = _Pending(asyncio.get_running_loop().create_future(), token, progress)
        self._pending[number] = pending
        try:
            await self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
            return await pending.answer
        # Without waiting for the pipe: nobody is left to wait for an answer.
        except asyncio.CancelledError:
            self._write({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": number}})
            raise
        finally:
            del self._pending[number]

    async def notify(self, method: str) -> None:
        await self._send({"jsonrpc": "2.0", "method": method})

    def fail(self, error: RpcError) -> None:
        """End whatever still waits, or comes late."""
        self._failed = error
        for pending in self._pending.values():
            if not pending.answer.done():
                pending.answer.set_exception(error)

    async def _send(self, message: Json) -> None:
        self._write(message)
        # Who waits hears of its end with the exit code.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            await self._process.stdin.drain()

    def _write(self, message: Json) -> None:
        if not self._process.stdin.is_closing():
            self._process.stdin.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")

    def _received(self, message: Json) -> None:
        method = message.get("method")
        if method is None:
            self._answered(message)
        elif "id" in message:
            self._refuse(message["id"], str(method))
        elif method == "notifications/progress":
            self._progressed(as_object(message.get("params")))
        else:
            log.debug("dropped %s: it belongs to no request", method)

    def _answered(self, message: Json) -> None:
        pending = self._pending.get(message["id"]) if isinstance(message.get("id"), int) else None
        if pending is None or pending.answer.done():
            return
        error = message.get("error")
        if isinstance(error, dict):
            code, text = error.get("code", INTERNAL_ERROR), str(error.get("message", "error without a message"))
            pending.answer.set_exception(RpcError(code, text, error.get("data")))
        else:
            pending.answer.set_result(message.get("result"))

    def _progressed(self, params: Json) -> None:
        number = params.get("progressToken")
        pending = self._pending.get(number) if isinstance(number, int) else None
        if pending is not None and pending.progress is not None:
            pending.progress({**params, "progressToken": pending.token})

    def _refuse(self, number: Any, method: str) -> None:
        # Either side may send a ping, and the other must answer it.
        if method == "ping":
            self._write({"jsonrpc": "2.0", "id": number, "result": {}})
            return
        text = f"{method}: several clients share this process, so none of them can be asked"
        self._write({"jsonrpc": "2.0", "id": number, "error": {"code": METHOD_NOT_FOUND, "message": text}})
