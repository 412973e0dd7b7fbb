"""The stdio MCP server as a process that is kept running, spoken to in the newest revision it answers."""

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mcp_types import INTERNAL_ERROR, SERVER_INFO_META_KEY, UNSUPPORTED_PROTOCOL_VERSION
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, LATEST_HANDSHAKE_VERSION, MODERN_PROTOCOL_VERSIONS

from kmcp_runtime import command, redaction

from .envelope import CLIENT, enveloped
from .wire import Json, Progress, RpcError, Wire, as_object

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


class Child:
    """Runs `argv` until its `run` is cancelled, restarted with backoff."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], handshake: float, patience: float) -> None:
        self.argv, self.env = tuple(argv), dict(env)
        self.handshake, self.patience = handshake, patience
        self.starts = 0
        self.cause = "starting"
        self.pid: int | None = None
        self.identity = Identity("")
        self._ready = asyncio.Event()
        self._wire: Wire | None = None
        self._last_lines: deque[str] = deque(maxlen=1)
        # Whether the next start asks for the stateless revision first.
        self._probe = True

    @property
    def ready(self) -> bool:
        return self._ready.is_set()

    async def wire(self) -> Wire:
        """The connection, once there is one; RpcError when the process does not come up in time."""
        try:
            async with asyncio.timeout(self.patience):
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
        self._last_lines.clear()
        self.starts += 1
        process = await command.start(self.argv, env=self.env, line=self._line, dialogue=True)
        self.pid, wire, fault = process.pid, Wire(process), ""
        log.info("started %s as process %d", command.shown(self.argv), process.pid)
        try:
            fault = await self._live(process, wire)
        finally:
            self._ready.clear()
            self.pid, code = None, await process.stop(_CLOSING, _GRACE)
            last = f": {self._last_lines[-1][:256]}" if self._last_lines else ""
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
            faults = [str(error) for each in done if (error := each.exception())]
            return f"its output is not a protocol stream: {faults[0]}" if faults else ""
        finally:
            for task in (shaking, *ends):
                task.cancel()
            await asyncio.gather(shaking, *ends, return_exceptions=True)

    def _unshaken(self, shaking: "asyncio.Task[None]") -> str:
        if not shaking.done():
            return ""
        return f"no handshake: {redaction.text(str(shaking.exception())) or f'no answer within {self.handshake:.0f} s'}"

    async def _shake(self, wire: Wire) -> None:
        async with asyncio.timeout(self.handshake):
            self.identity = await (self._newest(wire) if self._probe else _initialize(wire))
        log.info("%s speaks %s", self.identity.info.get("name", "the server"), self.identity.version)

    async def _newest(self, wire: Wire) -> Identity:
        """By the newest revision's probe; by the handshake if that is refused, or not answered for a while.

        A slow start may answer both late: what comes as an identity counts, in whatever order.
        """
        probe = asyncio.create_task(_discover(wire))
        try:
            await asyncio.wait({probe}, timeout=_PROBE_SECONDS)
            if probe.done() and probe.exception() is None:
                return probe.result()
            try:
                return await _initialize(wire)
            except RpcError as error:
                if error.code != UNSUPPORTED_PROTOCOL_VERSION or probe.done():
                    raise
                return await probe
        finally:
            probe.cancel()
            await asyncio.gather(probe, return_exceptions=True)

    def _line(self, text: str) -> None:
        line = redaction.text(text.rstrip())
        if line:
            self._last_lines.append(line)
            log.info("stderr: %s", line)


async def _discover(wire: Wire) -> Identity:
    result = as_object(await wire.request("server/discover", enveloped({}, MODERN_PROTOCOL_VERSIONS[-1])))
    # In the order of the SDK, oldest first: the last one that both sides know is used.
    served = [each for each in MODERN_PROTOCOL_VERSIONS if each in (result.get("supportedVersions") or ())]
    if not served:
        raise RpcError(UNSUPPORTED_PROTOCOL_VERSION, "none of the stateless revisions")
    info = as_object(result.get("_meta")).get(SERVER_INFO_META_KEY)
    return Identity(served[-1], as_object(result.get("capabilities")), as_object(info), result.get("instructions"))


async def _initialize(wire: Wire) -> Identity:
    asked = {"protocolVersion": LATEST_HANDSHAKE_VERSION, "capabilities": {}, "clientInfo": CLIENT}
    result = as_object(await wire.request("initialize", asked))
    version = str(result.get("protocolVersion"))
    if version not in HANDSHAKE_PROTOCOL_VERSIONS:
        raise RpcError(INTERNAL_ERROR, f"it answers with revision {version!r}, which the bridge does not support")
    await wire.notify("notifications/initialized")
    info, capabilities = as_object(result.get("serverInfo")), as_object(result.get("capabilities"))
    return Identity(version, capabilities, info, result.get("instructions"))
