"""The stdio MCP server as a process that is kept running, spoken to in the newest revision it answers."""

import asyncio
import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mcp_types import INTERNAL_ERROR, SERVER_INFO_META_KEY, UNSUPPORTED_PROTOCOL_VERSION
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, LATEST_HANDSHAKE_VERSION, MODERN_PROTOCOL_VERSIONS

from kmcp_runtime import command

from .answers import RpcError, as_object, as_text, implementation
from .envelope import CLIENT, enveloped
from .framing import Json
from .noise import LineLog, clean
from .wire import Peer, Progress, Wire

log = logging.getLogger("kmcp.bridge")
_BACKOFF, _LONGEST, _HEALTHY = 1.0, 30.0, 60.0  # seconds
_PROBE_SECONDS = 10.0  # without an answer to the newest revision's probe, the handshake is sent as well
_CLOSING, _GRACE = 2.0, 5.0  # seconds from the end of stdin to SIGTERM, and from there to SIGKILL


@dataclass(frozen=True)
class Identity:
    """What the process reports about itself."""

    version: str
    capabilities: Json = field(default_factory=dict)
    info: Json = field(default_factory=dict)
    instructions: str | None = None

    @property
    def modern(self) -> bool:
        return self.version in MODERN_PROTOCOL_VERSIONS


@dataclass(frozen=True)
class Introduction:
    """How a client has introduced itself, for a process that has this one client."""

    version: str = LATEST_HANDSHAKE_VERSION
    capabilities: Json = field(default_factory=dict)
    info: Json = field(default_factory=lambda: CLIENT)

    @classmethod
    def of(cls, params: Json) -> "Introduction":
        """From the params of `initialize`, whatever they are."""
        asked = params.get("protocolVersion")
        version = asked if asked in HANDSHAKE_PROTOCOL_VERSIONS else LATEST_HANDSHAKE_VERSION
        return cls(version, as_object(params.get("capabilities")), implementation(params.get("clientInfo")) or CLIENT)


@dataclass(frozen=True)
class Limits:
    """Seconds for the handshake, for a process that starts and for an answer; bytes of one answer."""

    handshake: float
    patience: float
    request: float
    largest: int


class Child:
    """Runs `argv` until its `run` is cancelled, restarted with backoff.

    With an introduction and a peer it belongs to one client alone, which can be asked and told.
    """

    def __init__(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        limits: Limits,
        introduction: Introduction | None = None,
        peer: Peer | None = None,
    ) -> None:
        self.argv, self.env, self.limits = tuple(argv), dict(env), limits
        self.starts = 0
        self.cause = "starting"
        self.pid: int | None = None
        self.identity = Identity("")
        self._introduction, self._peer = introduction or Introduction(), peer
        self._ready = asyncio.Event()
        self._wire: Wire | None = None
        self._last_line = ""  # of stderr, as it came
        self._stderr = LineLog("stderr", logging.INFO)
        # Whether the next start asks for the stateless revision first, which has no way to ask a client.
        self._probe = peer is None

    @property
    def exclusive(self) -> bool:
        """Whether one client has it for itself."""
        return self._peer is not None

    @property
    def ready(self) -> bool:
        return self._ready.is_set()

    async def wire(self) -> Wire:
        """The connection, once there is one; RpcError when the process does not come up in time."""
        try:
            async with asyncio.timeout(self.limits.patience):
                await self._ready.wait()
        except TimeoutError:
            text = f"the server process is not running ({self.cause}); it restarts automatically: try again later"
            raise RpcError(INTERNAL_ERROR, text) from None
        assert self._wire is not None
        return self._wire

    async def request(self, method: str, params: Json, progress: Progress | None = None) -> Any:
        return await (await self.wire()).request(method, params, progress)

    async def run(self) -> None:
        """Until cancelled; then the process and its descendants are gone."""
        delay = _BACKOFF
        while True:
            began = time.monotonic()
            try:
                await self._once(delay)
            except OSError as error:
                self.cause = f"cannot start {self.argv[0]}: {error.strerror}"
            # A process that ran for a while has not failed to start: the next wait is short again.
            if time.monotonic() - began > _HEALTHY:
                delay = _BACKOFF
            log.warning("%s; restarting it in %.0f s", self.cause, delay)
            await asyncio.sleep(delay)
            delay = min(delay * 2, _LONGEST)

    async def _once(self, delay: float) -> None:
        """One life of the process."""
        self._last_line = ""
        self.starts += 1
        process = await command.start(self.argv, env=self.env, line=self._line, dialogue=True, whole_group=True)
        limits = self.limits
        wire, fault = Wire(process, limits.request, limits.largest, self._peer), ""
        self.pid = process.pid
        log.info("started %s as process %d", command.shown(self.argv), process.pid)
        try:
            fault = await self._live(process, wire)
        finally:
            self._ready.clear()
            self.pid, code = None, await process.stop(_CLOSING, _GRACE)
            said = clean(self._last_line)[:256]
            last = f": {said}" if said else ""
            self.cause = f"{fault or command.ended(code)}{last}"
            text = (
                f"the server process ended ({fault or command.ended(code)}) before it answered; it restarts in "
                f"{delay:.0f} s: check whether the request took effect before you send it again"
            )
            wire.fail(RpcError(INTERNAL_ERROR, text, {"exitCode": code, "retryAfterSeconds": math.ceil(delay)}))

    async def _live(self, process: command.Running, wire: Wire) -> str:
        """Until the process ends by itself (""), or has to be ended: then why."""
        shaking = asyncio.create_task(self._shake(wire))
        ends = {asyncio.create_task(wire.read()), asyncio.create_task(process.wait())}
        try:
            await asyncio.wait({shaking, *ends}, return_when=asyncio.FIRST_COMPLETED)
            if not shaking.done() or shaking.exception():
                # Some servers end when their first message is not the handshake: without the probe next time.
                self._probe = not self._probe
                return self._unshaken(shaking)
            self._wire = wire
            self._ready.set()
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            # The end of the output comes with an exit code, and the exit with the last answers, a moment later.
            done, _ = await asyncio.wait(ends, timeout=_CLOSING)
            faults = [error for each in done if (error := each.exception())]
            if faults:
                log.error("the reader of its output failed", exc_info=faults[0])
            return "its output could not be read" if faults else ""
        finally:
            for task in (shaking, *ends):
                task.cancel()
            await asyncio.gather(shaking, *ends, return_exceptions=True)

    def _unshaken(self, shaking: "asyncio.Task[None]") -> str:
        if not shaking.done():
            return ""
        reason = clean(str(shaking.exception())) or f"no answer within {self.limits.handshake:.0f} s"
        return f"no handshake: {reason}"

    def introduced(self) -> Json:
        """Name and version for clients, which need both."""
        return {"name": self.argv[0], "version": ""} | self.identity.info

    async def _shake(self, wire: Wire) -> None:
        async with asyncio.timeout(self.limits.handshake):
            self.identity = await (self._newest(wire) if self._probe else self._initialize(wire))
        log.info("%s speaks %s", clean(self.introduced()["name"]), self.identity.version)

    async def _newest(self, wire: Wire) -> Identity:
        """By the newest revision's probe; by the handshake if that is refused, or not answered for a while.

        A slow start may answer both late: the first identity counts, whatever else is refused before or after it.
        """
        attempts = [asyncio.create_task(_discover(wire, self.limits.handshake))]
        try:
            await asyncio.wait(attempts, timeout=min(_PROBE_SECONDS, self.limits.handshake / 2))
            if attempts[0].done() and attempts[0].exception() is None:
                return attempts[0].result()
            attempts.append(asyncio.create_task(self._initialize(wire)))
            for first in asyncio.as_completed(attempts):
                try:
                    return await first
                except RpcError as error:
                    refused = error
            raise refused
        finally:
            for each in attempts:
                each.cancel()
            await asyncio.gather(*attempts, return_exceptions=True)

    async def _initialize(self, wire: Wire) -> Identity:
        said = self._introduction
        asked = {"protocolVersion": said.version, "capabilities": said.capabilities, "clientInfo": said.info}
        result = await wire.request("initialize", asked, seconds=self.limits.handshake)
        version = result.get("protocolVersion")
        if version not in HANDSHAKE_PROTOCOL_VERSIONS:
            raise RpcError(INTERNAL_ERROR, f"it answers with revision {version!r}, which the bridge does not support")
        await wire.notify("notifications/initialized")
        return Identity(
            version,
            as_object(result.get("capabilities")),
            implementation(result.get("serverInfo")),
            as_text(result.get("instructions")),
        )

    def _line(self, text: str) -> None:
        self._last_line = text if text.strip() else self._last_line
        self._stderr.note(text)


async def _discover(wire: Wire, seconds: float) -> Identity:
    asked = enveloped({}, MODERN_PROTOCOL_VERSIONS[-1])
    result = await wire.request("server/discover", asked, seconds=seconds)
    supported = result.get("supportedVersions")
    # In the order of the SDK, oldest first: the last one that both sides know is used.
    served = [each for each in MODERN_PROTOCOL_VERSIONS if isinstance(supported, list) and each in supported]
    if not served:
        raise RpcError(UNSUPPORTED_PROTOCOL_VERSION, "none of the stateless revisions")
    info = implementation(as_object(result.get("_meta")).get(SERVER_INFO_META_KEY))
    return Identity(served[-1], as_object(result.get("capabilities")), info, as_text(result.get("instructions")))
