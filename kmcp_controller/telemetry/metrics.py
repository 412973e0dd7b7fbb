"""The controller's metrics. No label holds a tool's name, a URL or a message."""

from collections import Counter as Tally
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from kmcp_runtime.version import VERSION

# Up to a minute: a pass waits for the API server, a discovery for a slow server.
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_SERVER = ("namespace", "name")
_CLASSES = ("added", "removed", "changed", "breaking")


class ListedServer(Protocol):
    """A server as the live catalog knows it; times in Unix seconds."""

    @property
    def namespace(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def asked_at(self) -> float | None: ...
    @property
    def drift(self) -> Any: ...


class ListedServers(Protocol):
    """What the metrics of servers are taken from: the live catalog."""

    def described(self) -> Iterable[Mapping[str, Any]]: ...
    def servers(self) -> Iterable[ListedServer]: ...


class Metrics:
    """One registry a process."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, version: str = VERSION) -> None:
        # Not the client's global one: each test, and each controller in a process, counts for itself.
        self.registry = CollectorRegistry()
        self._define_controller()
        self._define_catalog()
        self._gauge("build_info", "Version of the controller", "version").labels(version).set(1)

    def show(self, live: ListedServers) -> None:
        """What is known of servers, taken from `live` when it is asked for."""
        self.registry.register(_Servers(live))

    def exposition(self) -> bytes:
        return generate_latest(self.registry)

    def _define_controller(self) -> None:
        self.reconciles = self._counter("reconciles", "Passes over a server: ok, invalid, foreign, error", "result")
        self.reconcile_duration = self._histogram("reconcile_duration_seconds", "Time of a pass")
        self.queue_items = self._gauge("queue_items", "Servers waiting for a pass")
        self.queue_wait = self._histogram("queue_wait_seconds", "Time that a due pass waited")
        self.api_requests = self._counter("api_requests", "Requests to the API server", "verb", "resource", "code")
        self.api_duration = self._histogram("api_request_duration_seconds", "Time of a request", "verb", "resource")
        self.api_success = self._gauge("last_api_success_timestamp_seconds", "When the API server last answered")
        results = "Objects applied: created, changed, unchanged, adopted, refused, failed"
        self.applies = self._counter("applies", results, "kind", "result")
        self.pruned = self._counter("pruned_objects", "Objects deleted because they are no longer rendered", "kind")
        self.events = self._counter("events", "Events written", "type", "reason")
        self.leader = self._gauge("leader", "Whether this process is the leader")

    def _define_catalog(self) -> None:
        registry, target = self.registry, ("target",)
        results = "Servers asked for their tools, by reason of ToolsDiscovered"
        self.discoveries = Counter("kmcp_discoveries", results, ("result",), registry=registry)
        self.discovery_duration = Histogram(
            "kmcp_discovery_duration_seconds", "Time to ask a server", registry=registry, buckets=_SECONDS
        )
        self.catalog_publishes = Counter(
            "kmcp_catalog_publishes", "Writes of the catalog: ok, failed", (*target, "result"), registry=registry
        )
        states = "Catalogs to compare with: current, kept (the last that could be read), missing"
        self.catalog_sources = Gauge("kmcp_catalog_sources", states, ("state",), registry=registry)
        self.catalog_size = Gauge("kmcp_catalog_size_bytes", "Bytes of the catalog", target, registry=registry)

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(f"kmcp_controller_{name}", about, labels, registry=self.registry)

    def _gauge(self, name: str, about: str, *labels: str) -> Gauge:
        return Gauge(f"kmcp_controller_{name}", about, labels, registry=self.registry)

    def _histogram(self, name: str, about: str, *labels: str) -> Histogram:
        return Histogram(f"kmcp_controller_{name}", about, labels, registry=self.registry, buckets=_SECONDS)


class _Servers(Collector):
    def __init__(self, live: ListedServers) -> None:
        self._live = live

    def collect(self) -> Iterator[Metric]:
        servers = list(self._live.described())
        # Made at each scrape: a gauge that is set would keep the labels of servers that are gone.
        states = GaugeMetricFamily("kmcp_mcpservers", "MCPServers by condition Ready", labels=("ready", "reason"))
        for (ready, reason), count in Tally((each["ready"], each["reason"]) for each in servers).items():
            states.add_metric((str(ready).lower(), reason or ""), count)
        yield states
        for name, about, field in (
            ("kmcp_mcpserver_ready", "Whether the condition Ready is True", "ready"),
            ("kmcp_mcpserver_tools", "Tools that the server lists", "toolCount"),
            ("kmcp_mcpserver_tools_tokens", "What a model reads of the tools, bytes / 4", "tokens"),
        ):
            family = GaugeMetricFamily(name, about, labels=_SERVER)
            for each in servers:
                family.add_metric((each["namespace"], each["name"]), float(each[field]))
            yield family
        yield from self._asked()

    def _asked(self) -> Iterator[Metric]:
        asked = GaugeMetricFamily(
            "kmcp_mcpserver_last_discovery_timestamp_seconds", "When the server last listed its tools", labels=_SERVER
        )
        drift = GaugeMetricFamily(
            "kmcp_catalog_drift_tools", "Tools that differ from the reference", labels=(*_SERVER, "class")
        )
        for server in self._live.servers():
            place = (server.namespace, server.name)
            if server.asked_at is not None:
                asked.add_metric(place, server.asked_at)
            for kind in _CLASSES if server.drift is not None else ():
                drift.add_metric((*place, kind), len(getattr(server.drift, kind)))
        yield from (asked, drift)


class _NoServers:
    """A catalog without a server."""

    def described(self) -> Iterable[Mapping[str, Any]]:
        return ()

    def servers(self) -> Iterable[ListedServer]:
        return ()


def described() -> CollectorRegistry:
    """Every metric of a controller that knows no server, for the page of metrics."""
    metrics = Metrics()
    metrics.show(_NoServers())
    return metrics.registry
