"""Prometheus metrics of the bridge. Labels hold methods of the protocol only, never what a caller made up."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mcp_types import PARSE_ERROR
from mcp_types.methods import CLIENT_REQUESTS
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

_METHODS = frozenset(method for method, _ in CLIENT_REQUESTS)
# The default buckets end at 10 s, but tools may run for minutes.
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    content_type = CONTENT_TYPE_LATEST

    def __init__(self, ready: Callable[[], bool], processes: Callable[[], int], starts: Callable[[], int]) -> None:
        self.registry = registry = CollectorRegistry()
        method = ("method",)
        self._requests = Counter("kmcp_bridge_requests_total", "Requests of clients", method, registry=registry)
        self._errors = Counter(
            "kmcp_bridge_errors_total", "Requests that ended in an error", ("method", "code"), registry=registry
        )
        self._seconds = Histogram(
            "kmcp_bridge_request_duration_seconds", "Time of a request", method, registry=registry, buckets=_SECONDS
        )
        self._in_flight = Gauge("kmcp_bridge_in_flight", "Requests under way", registry=registry)
        Gauge("kmcp_bridge_process_ready", "Whether the shared process answers", registry=registry).set_function(ready)
        Gauge("kmcp_bridge_processes", "Processes that the bridge runs", registry=registry).set_function(processes)
        Gauge("kmcp_bridge_process_starts", "Starts of the shared process", registry=registry).set_function(starts)

    @contextmanager
    def under_way(self, method: str) -> Iterator[None]:
        name, began = _named(method), time.monotonic()
        self._requests.labels(name).inc()
        with self._in_flight.track_inprogress():
            try:
                yield
            finally:
                self._seconds.labels(name).observe(time.monotonic() - began)

    def failed(self, method: str, code: int) -> None:
        # A process may send any number; those of JSON-RPC and the protocol are few.
        known = code == PARSE_ERROR or -32603 <= code <= -32600 or -32099 <= code <= -32000
        self._errors.labels(_named(method), str(code) if known else "other").inc()

    def exposition(self) -> bytes:
        return generate_latest(self.registry)


def _named(method: str) -> str:
    return method if method in _METHODS else "other"


def described() -> CollectorRegistry:
    """Every metric of a bridge, of one that has started nothing, for the page of metrics."""
    return Metrics(lambda: False, lambda: 0, lambda: 0).registry
