"""Prometheus metrics of tool calls; traces come from fastmcp's own OpenTelemetry spans."""

from collections import Counter as Tally
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from kmcp_runtime.audit.audit_metrics import AuditMetrics
from kmcp_runtime.watchdog import Watchdog

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_BYTES = (256, 1_024, 4_096, 16_384, 32_768, 65_536, 131_072)


class Metrics:
    """One registry a process: `kmcp_tool_{calls,errors}_total`, `_duration_seconds`, `_answer_bytes`, `_in_flight`.

    With those of the audit, and of the watchdog, which asks here for the tools under way.
    """

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        # Not the library's global registry: tests and embedders assemble several processes' worth in one interpreter.
        self.registry = CollectorRegistry()
        labels = ("server", "tool")
        self.calls = Counter("kmcp_tool_calls_total", "Calls of a tool", labels, registry=self.registry)
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
        self.audit = AuditMetrics(self.registry)
        self._running: Tally[str] = Tally()
        self._seen: set[str] = set()
        self.watchdog = Watchdog(self.registry, self._seen_since)
        self.in_flight = Gauge("kmcp_tool_in_flight", "Calls under way", labels, registry=self.registry)

    @contextmanager
    def under_way(self, server: str, tool: str) -> Iterator[None]:
        self.calls.labels(server, tool).inc()
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

    def ended(self, server: str, tool: str, code: str | None, seconds: float, answer_bytes: int) -> None:
        self.duration.labels(server, tool).observe(seconds)
        # An error's size says nothing about answers, so only answers are in that histogram.
        if code:
            self.errors.labels(server, tool, code).inc()
        else:
            self.answer.labels(server, tool).observe(answer_bytes)

    def exposition(self) -> bytes:
        return generate_latest(self.registry)


def described() -> CollectorRegistry:
    """Every metric of a server's process, without a sample, for the page of metrics."""
    return Metrics().registry
