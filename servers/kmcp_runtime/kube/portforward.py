"""HTTP to a port of a pod over port-forward: the way to interfaces that answer only callers of their own pod.

The pod sees a connection from its loopback. Needs `get` and `create` on `pods/portforward`.
"""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import h11

from kmcp_runtime.errors import ToolFailure, timed_out, too_large, unavailable
from kmcp_runtime.judging import READS, Verdict, writes
from kmcp_runtime.kube import podstreams
from kmcp_runtime.kube.api import LARGEST_ANSWER, KubeApi
from kmcp_runtime.kube.failures import BACKEND

PROTOCOL = "v4.channel.k8s.io"
SECONDS = 20.0
_DATA, _ERROR = 0, 1


@dataclass(frozen=True)
class Door:
    """A port of a pod."""

    namespace: str
    pod: str
    port: int

    def __str__(self) -> str:
        return f"port {self.port} of pod {self.pod} (namespace {self.namespace})"


@dataclass(frozen=True)
class PodAnswer:
    """What the pod answered, whatever the status."""

    status: int
    content: bytes


async def ask(
    api: KubeApi,
    door: Door,
    target: str,
    method: str = "GET",
    *,
    seconds: float = SECONDS,
    largest: int = LARGEST_ANSWER,
    verdict: Verdict | None = None,
) -> PodAnswer:
    """Send one request without a body; `target` is path and query, already quoted.

    A GET only reads; of another method the caller may know what it does (`verdict`), else it counts as a change.

    Errors: `unavailable` when nothing listens there, the stream breaks or the answer is not HTTP; `timed_out`;
    `too_large`; and those of the API server.
    """
    try:
        judged = verdict or (READS if method == "GET" else writes(f"sends {method} {target} to {door}"))
        async with asyncio.timeout(seconds), _forward(api, door, judged) as stream:
            return await _exchange(stream, target, method, largest)
    except TimeoutError:
        raise timed_out(f"{door} did not answer within {seconds:.0f} s", "try again") from None
    except h11.RemoteProtocolError as error:
        raise unavailable(f"{door} did not answer with HTTP: {error}") from None


class _Stream:
    """The bytes of one forwarded connection."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, door: Door) -> None:
        self._socket, self._door = socket, door
        self._announced: set[int] = set()

    async def send(self, data: bytes) -> None:
        try:
            await self._socket.send_bytes(bytes([_DATA]) + data)
        except (aiohttp.ClientError, ConnectionError):
            return  # The other side has closed the connection; what it sent before is still there for `receive`.

    async def receive(self) -> bytes:
        """The next bytes, none when the pod has closed the connection."""
        async for message in self._socket:
            if message.type is not aiohttp.WSMsgType.BINARY or not message.data:
                continue
            channel, data = message.data[0], bytes(message.data[1:])
            if channel not in self._announced:
                # The first message of each channel is its port number (protocol v4.channel.k8s.io).
                self._announced.add(channel)
                data = data[struct.calcsize("<H") :]
            if channel == _ERROR and data:
                raise _refused(data.decode(errors="replace"), self._door)
            if data:
                return data
        return b""


@asynccontextmanager
async def _forward(api: KubeApi, door: Door, verdict: Verdict) -> AsyncIterator[_Stream]:
    query = [("ports", str(door.port))]
    socket = await podstreams.connect(api, door.namespace, door.pod, "portforward", query, (PROTOCOL,), verdict)
    try:
        yield _Stream(socket, door)
    finally:
        await socket.close()


async def _exchange(stream: _Stream, target: str, method: str, largest: int) -> PodAnswer:
    connection = h11.Connection(h11.CLIENT)
    # Interfaces that listen on loopback check the Host header (DNS rebinding). Close: one request for each stream.
    headers = [("Host", "localhost"), ("Connection", "close"), ("Accept", "*/*"), ("Content-Length", "0")]
    request = h11.Request(method=method, target=target, headers=headers)
    await stream.send((connection.send(request) or b"") + (connection.send(h11.EndOfMessage()) or b""))
    status, parts, length = 0, [], 0
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            # Empty bytes tell h11 that the connection has ended.
            connection.receive_data(await stream.receive())
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            parts.append(bytes(event.data))
            length += len(event.data)
            if length > largest:
                raise too_large(f"the answer is larger than {largest >> 20} MiB", "ask for one section of it")
        elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
            return PodAnswer(status, b"".join(parts))


def _refused(message: str, door: Door) -> ToolFailure:
    """A short failure: the node's message has the pod's network namespace and every address that was tried."""
    if "connection refused" in message:
        return unavailable(f"nothing listens on {door}", backend=BACKEND)
    return unavailable(f"cannot forward to {door}: {message}", backend=BACKEND)
