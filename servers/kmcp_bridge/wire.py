"""JSON-RPC with one process over its stdin and stdout: one message a line, requests under ids of ours.

A progress token towards the process is the request's id. A request that is abandoned (its task is cancelled) or not
answered in time is cancelled at the process too. What the process asks and announces goes to its `Peer`, the client of
its session; a process that several clients share has none, and its requests are refused.
"""

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from mcp_types import INTERNAL_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, REQUEST_TIMEOUT

from kmcp_runtime.command import Running

from .answers import RpcError, as_object, number_of, unwrap
from .framing import Broken, Json, Noise, encode, read_messages
from .noise import LineLog

log = logging.getLogger("kmcp.bridge")
Progress = Callable[[Json], None]
# A request outlives the question that the process asks its client meanwhile by as much.
_AFTER_QUESTION = 5.0


class Peer(Protocol):
    """The client of a session: it can be asked, and told."""

    async def ask(self, method: str, params: Json) -> Json:
        """The client's result. Errors: RpcError."""

    def tell(self, method: str, params: Json) -> None:
        """Send a notification."""


@dataclass
class _Pending:
    answer: asyncio.Future[Json]
    token: Any
    progress: Progress | None
    seconds: float
    timer: asyncio.Timeout

    def extend(self, seconds: float = 0.0) -> None:
        """The process works on it: it has the whole time again."""
        if not self.timer.expired() and not self.answer.done():
            self.timer.reschedule(asyncio.get_running_loop().time() + self.seconds + seconds)


class Wire:
    """`seconds`: how long a request waits for a sign of it; `largest`: bytes of one message of the process."""

    def __init__(self, process: Running, seconds: float, largest: int, peer: Peer | None = None) -> None:
        self.tools: list[Json] | None = None  # as last listed
        self.seconds = seconds
        self._process, self._largest, self._peer = process, largest, peer
        self._ids = itertools.count(1)
        self._pending: dict[int, _Pending] = {}
        self._questions: dict[str | int, asyncio.Task[None]] = {}
        self._noise = LineLog("stdout: not a JSON-RPC message", logging.WARNING)
        self._failed: RpcError | None = None

    async def read(self) -> None:
        """Until the process closes its output."""
        async for each in read_messages(self._process.stdout, self._largest):
            if isinstance(each, Noise):
                self._noise.note(each.line.decode(errors="replace"))
            elif isinstance(each, Broken):
                log.warning("request %d fails: %s", each.number, each.reason)
                self._settle(each.number, RpcError(INTERNAL_ERROR, f"the server is at fault: {each.reason}"))
            else:
                self._received(each)
            # A process that never stops writing must not keep the clients of this loop from being served.
            await asyncio.sleep(0)

    async def request(
        self, method: str, params: Json, progress: Progress | None = None, seconds: float | None = None
    ) -> Json:
        """The result; RpcError if the process refuses, ends, answers what is no result, or not in time.

        `progress` gets params with the caller's own token; each of them starts the time (`seconds`) anew.
        """
        if self._failed is not None:
            raise self._failed
        number, allowed = next(self._ids), seconds or self.seconds
        meta = as_object(params.get("_meta"))
        token = meta.get("progressToken")
        if token is not None:
            params = {**params, "_meta": {**meta, "progressToken": number}}
        try:
            async with asyncio.timeout(allowed) as timer:
                answer: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
                self._pending[number] = _Pending(answer, token, progress, allowed, timer)
                await self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
                return await answer
        except asyncio.CancelledError:
            self._cancel(number)
            raise
        except TimeoutError:
            self._cancel(number)
            text = f"the server did not answer {method} within {allowed:g} s, so the request was cancelled"
            hint = "it may have taken effect; KMCP_BRIDGE_TIMEOUT is the time that the bridge waits"
            raise RpcError(REQUEST_TIMEOUT, f"{text}: {hint}") from None
        finally:
            self._pending.pop(number, None)

    async def notify(self, method: str, params: Json | None = None) -> None:
        await self._send({"jsonrpc": "2.0", "method": method} | ({"params": params} if params else {}))

    def fail(self, error: RpcError) -> None:
        """End whatever still waits, or comes late."""
        self._failed = error
        for number in list(self._pending):
            self._settle(number, error)
        for question in self._questions.values():
            question.cancel()

    def _cancel(self, number: int) -> None:
        # Without waiting for the pipe: nobody is left to wait for an answer.
        self._write({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": number}})

    async def _send(self, message: Json) -> None:
        self._write(message)
        # Who waits hears of its end with the exit code.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            await self._process.stdin.drain()

    def _write(self, message: Json) -> None:
        if not self._process.stdin.is_closing():
            self._process.stdin.write(encode(message) + b"\n")

    def _received(self, message: Json) -> None:
        method, params = message.get("method"), as_object(message.get("params"))
        if method is None:
            self._answered(message)
        elif not isinstance(method, str):
            self._noise.note(encode(message).decode())
        elif "id" in message:
            self._asked(message["id"], method, params)
        elif method == "notifications/progress":
            self._progressed(params)
        elif method == "notifications/cancelled":
            self._withdrawn(params.get("requestId"))
        elif self._peer is not None:
            self._peer.tell(method, params)
        else:
            log.debug("dropped %s: it belongs to no request", method)

    def _answered(self, message: Json) -> None:
        number = number_of(message.get("id"))
        if number not in self._pending:
            self._noise.note(encode(message).decode())
            return
        try:
            self._settle(number, unwrap(message))
        except RpcError as error:
            self._settle(number, error)

    def _settle(self, number: int, outcome: Json | RpcError) -> None:
        pending = self._pending.get(number)
        if pending is None or pending.answer.done():
            return
        if isinstance(outcome, RpcError):
            pending.answer.set_exception(outcome)
        else:
            pending.answer.set_result(outcome)

    def _progressed(self, params: Json) -> None:
        number = number_of(params.get("progressToken"))
        pending = self._pending.get(number) if number is not None else None
        if pending is not None:
            pending.extend()
            if pending.progress is not None and pending.token is not None:
                pending.progress({**params, "progressToken": pending.token})

    def _asked(self, number: Any, method: str, params: Json) -> None:
        if not isinstance(number, str | int) or isinstance(number, bool):
            refusal = RpcError(INVALID_REQUEST, "the id of a request must be a text or a whole number")
            self._write({"jsonrpc": "2.0", "id": None, "error": refusal.body()})
        # Either side may send a ping, and the other must answer it.
        elif method == "ping":
            self._write({"jsonrpc": "2.0", "id": number, "result": {}})
        elif self._peer is None:
            text = f"{method}: several clients share this process, so none of them can be asked"
            self._write({"jsonrpc": "2.0", "id": number, "error": {"code": METHOD_NOT_FOUND, "message": text}})
        elif number not in self._questions:
            self._questions[number] = asyncio.create_task(self._pass_on(self._peer, number, method, params))

    async def _pass_on(self, peer: Peer, number: str | int, method: str, params: Json) -> None:
        """Ask the client, and answer the process with what it says."""
        for pending in self._pending.values():
            pending.extend(_AFTER_QUESTION)
        outcome: Json
        try:
            async with asyncio.timeout(self.seconds):
                outcome = {"result": await peer.ask(method, params)}
        except TimeoutError:
            outcome = {"error": RpcError(REQUEST_TIMEOUT, f"the client did not answer {method} in time").body()}
        except RpcError as error:
            outcome = {"error": error.body()}
        finally:
            del self._questions[number]
            for pending in self._pending.values():
                pending.extend()
        self._write({"jsonrpc": "2.0", "id": number, **outcome})

    def _withdrawn(self, number: Any) -> None:
        question = self._questions.get(number) if isinstance(number, str | int) else None
        if question is not None:
            question.cancel()
