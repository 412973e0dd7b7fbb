"""Metrics of the audit: what was written, what could not be, and which requests were turned away."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class AuditMetrics:
    """`kmcp_audit_{lines,lost}_total`, `kmcp_audit_sink_failing`, `kmcp_audit_head`, `kmcp_requests_refused_total`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        sink = ("sink",)
        self.lines = Counter("kmcp_audit_lines_total", "Lines of the audit that were written", sink, registry=registry)
        self.lost = Counter(
            "kmcp_audit_lost_total",
            "Lines of the audit that could not be written and are gone",
            sink,
            registry=registry,
        )
        self.failing = Gauge(
            "kmcp_audit_sink_failing", "Whether lines of the audit cannot be written now", sink, registry=registry
        )
        self.head = Gauge(
            "kmcp_audit_head",
            "Number of the last line in the chain: a file that ends before was cut",
            sink,
            registry=registry,
        )
        self.refused = Counter(
            "kmcp_requests_refused_total", "Requests and calls that were turned away", ("reason",), registry=registry
        )
