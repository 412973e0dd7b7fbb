"""Commands in pods over a WebSocket: protocol v5, which can close stdin, or else v4."""

import asyncio
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from kmcp_runtime import json_text
from kmcp_runtime.errors import bad_argument, conflict, unavailable
from kmcp_runtime.judging import Verdict, destroys
from kmcp_runtime.kube import podstreams
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.failures import BACKEND

V5 = "v5.channel.k8s.io"
V4 = "v4.channel.k8s.io"
_STDIN, _STDOUT, _STDERR, _ERROR = 0, 1, 2, 3
# v5 only: the number of the channel to close follows (KEP-4006).
_CLOSE = 255
_SHOWN = 300
LARGEST_STREAM = 1 << 20
"""Bytes that are kept of each stream, unless the caller says otherwise."""


@dataclass
class Execution:
    """How a command ended. `exit_code` is None when it did not end in time."""

    stdout: bytearray = field(default_factory=bytearray)
    stderr: bytearray = field(default_factory=bytearray)
    exit_code: int | None = None
    truncated: bool = False
    stdout_bytes: int = 0
    """What was written, kept or not."""
    timed_out: bool = False
    problem: str | None = None


async def execute(
    api: KubeApi,
    namespace: str,
    pod: str,
    container: str,
    command: Sequence[str],
    stdin: str | None,
    seconds: float,
    largest: int = LARGEST_STREAM,
    *,
    keep_end: bool = False,
    verdict: Verdict | None = None,
) -> Execution:
    """Run argv in a container and wait for its end, at most so many seconds; keep `largest` bytes of each stream.

    Of a longer stream the beginning is kept, or with `keep_end` the end.
    `verdict` is what the command does, for callers that know it; an unknown command counts as one that destroys.
    """
    query = [("container", container), *(("command", word) for word in command), ("stdout", "true"), ("stderr", "true")]
    if stdin is not None:
        query.append(("stdin", "true"))
    result = Execution()
    socket = await podstreams.connect(
        api, namespace, pod, "exec", query, (V5, V4), verdict or unknown_command(command, f"{namespace}/{pod}")
    )
    try:
        async with asyncio.timeout(seconds):
            if stdin is not None:
                await _feed(socket, stdin)
            await _collect(socket, result, largest, keep_end)
    except TimeoutError:
        result.timed_out = True
    finally:
        await socket.close()
    return result


def unknown_command(command: Sequence[str], pod: str) -> Verdict:
    """What is to be thought of a command that nobody knows."""
    text = shlex.join(command)
    return destroys(f"runs a command in pod {pod}: {text if len(text) <= _SHOWN else text[:_SHOWN] + '…'}")


async def _feed(socket: aiohttp.ClientWebSocketResponse, stdin: str) -> None:
    # A program that reads to the end of its input would wait for ever.
    if socket.protocol != V5:
        raise unavailable(
            "this API server speaks exec protocol v4, which cannot close stdin",
            "pass the input as part of the command",
            backend=BACKEND,
        )
    data = stdin.encode()
    # 32 KiB at a time, the buffer of Go's io.Copy, which client-go sends stdin with.
    for start in range(0, len(data), 1 << 15):
        await socket.send_bytes(bytes([_STDIN]) + data[start : start + (1 << 15)])
    await socket.send_bytes(bytes([_CLOSE, _STDIN]))


async def _collect(socket: aiohttp.ClientWebSocketResponse, result: Execution, largest: int, keep_end: bool) -> None:
    async for message in socket:
        if message.type is not aiohttp.WSMsgType.BINARY or not message.data:
            continue
        channel, data = message.data[0], message.data[1:]
        if channel in (_STDOUT, _STDERR):
            result.stdout_bytes += len(data) if channel == _STDOUT else 0
            stream = result.stdout if channel == _STDOUT else result.stderr
            result.truncated |= len(stream) + len(data) > largest
            stream += data if keep_end else data[: largest - len(stream)]
            del stream[: max(0, len(stream) - largest)]
        elif channel == _ERROR:
            _ended(json_text.read(data), result)
            return
    raise unavailable("the connection to the pod was lost before the command ended", "try again", backend=BACKEND)


def _ended(status: dict[str, Any], result: Execution) -> None:
    if status.get("status") == "Success":
        result.exit_code = 0
        return
    causes = (status.get("details") or {}).get("causes") or ()
    codes = [cause.get("message") for cause in causes if cause.get("reason") == "ExitCode"]
    if codes:
        result.exit_code = int(codes[0])
        return
    _refused(str(status.get("message", "")), result)


def _refused(message: str, result: Execution) -> None:
    """The runtime could not start the command; exit codes 126 and 127 are those that a shell uses (POSIX, 2.8.2)."""
    if "no such file or directory" in message or "executable file not found" in message:
        result.exit_code, result.problem = 127, message
    elif "permission denied" in message or "exec format error" in message:
        result.exit_code, result.problem = 126, message
    elif "container not found" in message or "not valid for pod" in message:
        raise bad_argument(message)
    elif "not running" in message or "is not created or running" in message:
        raise conflict(message, backend=BACKEND)
    else:
        raise unavailable(f"the command could not be started: {message}", backend=BACKEND)
