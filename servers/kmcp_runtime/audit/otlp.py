"""The audit to a collector: OpenTelemetry logs over OTLP/HTTP, as JSON, from a thread of its own.

No call waits for it. Lines wait in a bounded queue while the collector does not answer; what is beyond, and what it
does not take, is counted and logged. The body of each record is the whole line, so that its chain can be checked there.
"""

import asyncio
import itertools
import json
import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import SplitResult, unquote

from kmcp_runtime import urls
from kmcp_runtime.audit.audit_metrics import AuditMetrics
from kmcp_runtime.audit.chain import Chain
from kmcp_runtime.audit.record import FileEvent
from kmcp_runtime.errors import ToolFailure
from kmcp_runtime.settings import RuntimeSettings, SettingsError
from kmcp_runtime.version import VERSION
from kmcp_runtime.web import Answer, Timeouts, Web

log = logging.getLogger("kmcp.audit")
LONGEST_QUEUE = 10_000
"""Lines that wait; some megabytes."""
_BATCH = 200
_LINGER_SECONDS = 0.2
"""How long a line waits for others to travel with."""
_TIMEOUTS = Timeouts(connect=5, read=10, whole=10)
_PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
_LONGEST_PAUSE = 300.0
_CLOSE_SECONDS = 5.0
_RETRIED = frozenset((429, 502, 503, 504))
"""Statuses after which the protocol says to try again."""
_TOLD_SECONDS = 60.0
_LARGEST_ANSWER = 1 << 16
_INFO = 9
_WHERE = "--audit-otlp-endpoint / KMCP_AUDIT_OTLP_ENDPOINT"
_FIELDS = (
    "server",
    "tool",
    "effect",
    "caller",
    "agent",
    "decision",
    "rule",
    "approval",
    "outcome",
    "reason",
    "request",
)
"""What is an attribute too, to be searched by."""
Told = Mapping[str, Any]


@dataclass(frozen=True)
class Collector:
    """Where records go."""

    url: str
    headers: Mapping[str, str]
    timeouts: Timeouts = _TIMEOUTS


class Exporter:
    """A sink that takes each line at once and sends it later."""

    name = "otlp"

    def __init__(
        self,
        collector: Collector,
        key: bytes | None,
        metrics: AuditMetrics,
        longest: int = LONGEST_QUEUE,
        pauses: Sequence[float] = _PAUSES,
    ) -> None:
        self.fault = ""
        self._collector, self._metrics = collector, metrics
        self._longest, self._pauses = longest, pauses
        self._chain = Chain(key=key)
        self._queue: deque[dict[str, Any]] = deque()
        self._filled, self._closing = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._dropped = 0
        self._told_at = float("-inf")

    @property
    def head(self) -> tuple[str, int, str]:
        """Name of the chain, number and hash of the last line."""
        return self._chain.place

    def append(self, body: Told, describe: Callable[[FileEvent], Told]) -> None:
        """Take a line. One that finds the queue full is dropped: its number is then missing in the chain."""
        sealed = self._chain.seal(body)
        self._chain.add(sealed)
        if len(self._queue) >= self._longest:
            self._drop(1, self.fault or "the collector is too slow")
            return
        self._queue.append(_record(body, sealed.line.decode("ascii").rstrip("\n")))
        self._filled.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="kmcp-audit", daemon=True)
            self._thread.start()

    def sync(self) -> None:
        """Nothing here waits for a collector."""

    def close(self) -> None:
        """Give what waits some seconds to be sent."""
        self._closing.set()
        self._filled.set()
        if self._thread is not None:
            self._thread.join(_CLOSE_SECONDS)
        if self._queue:
            self._drop(len(self._queue), self.fault or "the server has ended")

    def _run(self) -> None:
        try:
            asyncio.run(self._work())
        except Exception as error:
            # Ours, so that nothing but the log knows it; the next line begins a new thread.
            self.fault = type(error).__name__
            log.exception("sending the audit failed unexpectedly")
            self._thread = None

    async def _work(self) -> None:
        async with Web(self._collector.timeouts, connections=1) as web:
            while self._queue or not self._closing.is_set():
                # The loop of this thread has nothing else to do.
                self._filled.wait()
                self._closing.wait(_LINGER_SECONDS)
                self._filled.clear()
                while self._queue:
                    batch = [self._queue[at] for at in range(min(_BATCH, len(self._queue)))]
                    if not await self._send(web, batch):
                        return
                    for _ in batch:
                        self._queue.popleft()

    async def _send(self, web: Web, batch: Sequence[Told]) -> bool:
        """Return when the collector has these, or never takes them; false when the server ends before."""
        for usual in itertools.chain(self._pauses, itertools.repeat(self._pauses[-1])):
            pause = usual
            ending = self._closing.is_set()
            try:
                answer = await self._post(web, batch)
            except ToolFailure as failure:
                self.fault = failure.message
            else:
                if answer.status not in _RETRIED:
                    self._settle(answer, len(batch))
                    return True
                self.fault = f"the collector answers HTTP {answer.status}"
                pause = _asked_pause(answer) or usual
            self._metrics.failing.labels(self.name).set(1)
            self._report(f"the audit cannot be sent to the collector: {self.fault}; {len(self._queue)} lines wait")
            if ending:
                break
            self._closing.wait(pause)
        return False

    async def _post(self, web: Web, batch: Sequence[Told]) -> Answer:
        content = json.dumps(_request(batch), separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json", "User-Agent": f"kmcp-suite/{VERSION}", **self._collector.headers}
        return await web.send(
            "POST", self._collector.url, largest_bytes=_LARGEST_ANSWER, content=content, headers=headers
        )

    def _settle(self, answer: Answer, count: int) -> None:
        if not 200 <= answer.status < 300:
            self.fault = f"the collector refuses it with HTTP {answer.status}"
            self._metrics.failing.labels(self.name).set(1)
            self._drop(count, self.fault)
            return
        self.fault = ""
        self._metrics.failing.labels(self.name).set(0)
        if rejected := _rejected(answer.content):
            self._drop(rejected, "the collector did not take all of it")

    def _drop(self, count: int, reason: str) -> None:
        self._dropped += count
        self._metrics.lost.labels(self.name).inc(count)
        self._report(f"{self._dropped} lines of the audit did not reach the collector: {reason}")

    def _report(self, text: str) -> None:
        now = time.monotonic()
        if now - self._told_at >= _TOLD_SECONDS or self._closing.is_set():
            self._told_at = now
            log.error("%s", text)


def open_exporter(runtime: RuntimeSettings, key: bytes | None, metrics: AuditMetrics) -> Exporter:
    """Errors: `SettingsError`."""
    url = _url(runtime.audit_otlp_endpoint)
    path = url.path if url.path.strip("/") else "/v1/logs"
    given = runtime.audit_otlp_headers.get_secret_value() if runtime.audit_otlp_headers else ""
    return Exporter(Collector(url._replace(path=path).geturl(), _headers(given)), key, metrics)


def _url(text: str) -> SplitResult:
    form = "must be http(s)://host[:port][/path]; credentials belong into KMCP_AUDIT_OTLP_HEADERS"
    try:
        url = urls.split(text.strip(), ("http", "https"))
    except ValueError as error:
        raise SettingsError(f"{_WHERE}: {form}; {error}") from None
    if url.username or url.query or url.fragment:
        raise SettingsError(f"{_WHERE}: {form}")
    return url


def _headers(text: str) -> dict[str, str]:
    headers = {}
    for part in filter(None, map(str.strip, text.split(","))):
        name, equals, value = part.partition("=")
        value = unquote(value.strip())
        if not equals or not name.strip().isascii() or not value.isascii() or not (name + value).isprintable():
            raise SettingsError("KMCP_AUDIT_OTLP_HEADERS: must be name=value, separated by commas")
        headers[name.strip()] = value
    return headers


def _asked_pause(answer: Answer) -> float | None:
    asked = answer.headers.get("retry-after", "")
    # Not forever, whatever a collector asks for.
    return min(float(asked), _LONGEST_PAUSE) if asked.isdecimal() and len(asked) < 10 else None


def _record(body: Told, line: str) -> dict[str, Any]:
    """A log record of OTLP/JSON: ids in hexadecimal, 64-bit numbers as texts."""
    made = datetime.fromisoformat(str(body["time"]))
    nanoseconds = str(round(made.timestamp() * 1000) * 1_000_000)
    attributes = [_attribute(f"kmcp.{name}", body[name]) for name in _FIELDS if body.get(name)]
    ids = {"traceId": body.get("trace", ""), "spanId": body.get("span", "")}
    return {
        "timeUnixNano": nanoseconds,
        "observedTimeUnixNano": nanoseconds,
        "severityNumber": _INFO,
        "severityText": "INFO",
        "eventName": f"kmcp.audit.{body['event']}",
        "body": {"stringValue": line},
        "attributes": attributes,
        **{name: value for name, value in ids.items() if value},
    }


def _request(batch: Sequence[Told]) -> dict[str, Any]:
    about = {"service.name": "kmcp-suite", "service.version": VERSION, "host.name": socket.gethostname()}
    return {
        "resourceLogs": [
            {
                "resource": {"attributes": [_attribute(name, value) for name, value in about.items()]},
                "scopeLogs": [{"scope": {"name": "kmcp.audit", "version": VERSION}, "logRecords": list(batch)}],
            }
        ]
    }


def _attribute(name: str, value: Any) -> dict[str, Any]:
    return {"key": name, "value": {"stringValue": str(value)}}


def _rejected(content: bytes) -> int:
    """Records that a collector says it has not taken, of an answer that is otherwise a yes."""
    try:
        partial = json.loads(content or b"{}").get("partialSuccess") or {}
        return max(0, int(partial.get("rejectedLogRecords") or 0))
    except (ValueError, AttributeError, TypeError):
        return 0  # Not an answer of the protocol, though a yes by its status.
