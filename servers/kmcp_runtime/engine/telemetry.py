"""Prometheus metrics of tool calls and of what they ask backends for; traces are in `kmcp_runtime.tracing`."""

from collections import Counter as Tally
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from kmcp_runtime.audit.audit_metrics import AuditMetrics
from kmcp_runtime.audit.record import Entry
from kmcp_runtime.watchdog import Watchdog

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
UNKNOWN = "unknown"
_NO_ERROR = ("cancelled", "input_required")
_BYTES = (256, 1_024, 4_096, 16_384, 32_768, 65_536, 131_072)


class Metrics:
    """One registry a process: `kmcp_tool_{calls,errors}_total`, `_duration_seconds`, `_answer_bytes`, `_in_flight`.

    With `kmcp_approvals_total`, `kmcp_backend_request{s_total,_duration_seconds}`, those of the audit, and of the
    watchdog, which asks here for the tools under way. Every label has few values, and none of a caller's: a tool that
    is not there is `unknown`.
    """

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        # Not the library's global registry: tests and embedders assemble several processes' worth in one interpreter.
        self.registry = CollectorRegistry()
        labels = ("server", "tool")
        self.calls = Counter(
            "kmcp_tool_calls_total",
            "Calls of a tool, by their effect and how they ended: ok, cancelled, input_required, or an error's code",
            (*labels, "effect", "outcome"),
            registry=self.registry,
        )
        self.errors = Counter(
            "kmcp_tool_errors_total",
            "Calls that ended in an error, by its code",
            (*labels, "code"),
            registry=self.registry,
        )
        self.duration = Histogram(
            "kmcp_tool_duration_seconds", "Time of a call", labels, registry=self.registry, buckets=_SECONDS
        )
        self.answer = Histogram(
            "kmcp_tool_answer_bytes", "Bytes of the structured answer", labels, registry=self.registry, buckets=_BYTES
        )
        self.approvals = Counter(
            "kmcp_approvals_total",
            "Destroying calls: required (a yes is waited for), asked, given, refused, off",
            ("server", "decision"),
            registry=self.registry,
        )
        self._define_backends()
        self.audit = AuditMetrics(self.registry)
        self._running: Tally[str] = Tally()
        self._seen: set[str] = set()
        self.watchdog = Watchdog(self.registry, self._seen_since)
        self.in_flight = Gauge("kmcp_tool_in_flight", "Calls under way", labels, registry=self.registry)

    def _define_backends(self) -> None:
        labels = ("server", "backend")
        self.backend_requests = Counter(
            "kmcp_backend_requests_total",
            "Requests to a backend: ok, client_error (4xx), server_error (5xx), failed (no answer)",
            (*labels, "outcome"),
            registry=self.registry,
        )
        self.backend_duration = Histogram(
            "kmcp_backend_request_duration_seconds",
            "Time of a request to a backend",
            labels,
            registry=self.registry,
            buckets=_SECONDS,
        )

    @contextmanager
    def under_way(self, server: str, tool: str) -> Iterator[None]:
        gauge = self.in_flight.labels(server, tool)
        gauge.inc()
        self._running[tool] += 1
        self._seen.add(tool)
        try:
            yield
        finally:
            gauge.dec()
            self._running[tool] -= 1

    def _seen_since(self) -> set[str]:
        """Tools that ran since this was asked last: what held the loop up has often ended when the watchdog wakes."""
        seen, self._seen = self._seen, {tool for tool, count in self._running.items() if count}
        return seen

    def ended(self, call: Entry, seconds: float) -> None:
        server, tool = call.server, call.tool
        self.calls.labels(server, tool, call.effect, call.outcome).inc()
        self.duration.labels(server, tool).observe(seconds)
        if call.approval:
            self.approvals.labels(server, _decision(call)).inc()
        # An error's size says nothing about answers, so only answers are in that histogram.
        if call.outcome == "ok":
            self.answer.labels(server, tool).observe(call.answer_bytes)
        elif call.outcome not in _NO_ERROR:
            self.errors.labels(server, tool, call.outcome).inc()

    def unknown(self, code: str) -> None:
        """A call of a tool that is not offered."""
        self.calls.labels(UNKNOWN, UNKNOWN, UNKNOWN, code).inc()
        self.errors.labels(UNKNOWN, UNKNOWN, code).inc()

    def backend_request(self, server: str, backend: str, outcome: str, seconds: float) -> None:
        self.backend_requests.labels(server, backend, outcome).inc()
        self.backend_duration.labels(server, backend).observe(seconds)

    def exposition(self) -> bytes:
        return generate_latest(self.registry)


def _decision(call: Entry) -> str:
    """Of an approval: `asked` stands in the entry both while a person is asked and after the yes."""
    if call.outcome == "input_required":
        return "asked"
    return "given" if call.approval in ("asked", "token") else str(call.approval)


def described() -> CollectorRegistry:
    """Every metric of a server's process, without a sample, for the page of metrics."""
    return Metrics().registry
