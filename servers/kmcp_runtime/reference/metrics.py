"""The page of metrics: what servers, controller and bridge export, from their registries."""

from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from typing import cast

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.metrics import MetricWrapperBase

from kmcp_runtime.reference.markdown import code, codes, table
from kmcp_runtime.reference.markdown import page as joined

GROUP = "kmcp.metrics"
"""Entry points of functions that return a program's registry, with every metric in it and no sample."""
_PROGRAMS = {
    "servers": (
        "Servers",
        "At `/metrics` of `KMCP_MANAGEMENT_PORT` (8081 by default), for every server and for several in one process.",
    ),
    "controller": ("Controller", "At `/metrics` of its own port; the chart's `controller.metrics` serves it."),
    "bridge": ("Bridge", "At `/metrics` of the bridge, beside the stdio server that it starts."),
}
_ABOUT = """\
In the Prometheus text format. A histogram has the series `_bucket`, `_sum` and `_count` of its name, and the label `le`
on its buckets. Times are in seconds, sizes in bytes. No label holds an argument, a URL or a message."""


def page() -> str:
    parts = ["# Metrics", _ABOUT]
    loaders = {point.name: point for point in entry_points(group=GROUP)}
    for program, (title, about) in _PROGRAMS.items():
        registry = cast("Callable[[], CollectorRegistry]", loaders[program].load())()
        heads = ("Metric", "Type", "Labels", "Meaning")
        parts += [f"## {title}", about, table(heads, sorted(_rows(registry)))]
    return joined(*parts)


def _rows(registry: CollectorRegistry) -> Iterator[tuple[str, str, str, str]]:
    # A metric with labels has no samples before its first use, so `collect` would not show its labels.
    for collector in registry._collector_to_names:
        labels = collector._labelnames if isinstance(collector, MetricWrapperBase) else None
        families = collector.describe() if isinstance(collector, MetricWrapperBase) else collector.collect()
        for family in families:
            yield _row(family, vars(family)["_labelnames"] if labels is None else labels)


def _row(family: Metric, labels: tuple[str, ...]) -> tuple[str, str, str, str]:
    # The client keeps a counter's name without the suffix that it writes.
    name = f"{family.name}_total" if family.type == "counter" else family.name
    return code(name), family.type, codes(labels), family.documentation
