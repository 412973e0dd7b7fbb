"""The server object behind the entry point `prometheus`, and its script."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from kmcp_runtime import Server

if TYPE_CHECKING:
    from kmcp_prometheus.settings import PrometheusSettings

INSTRUCTIONS = (
    "Prometheus through its HTTP API. Find metrics with prometheus_metadata_tool or prometheus_label_values_tool "
    "label_name=__name__; aggregate in PromQL instead of reading many series; prometheus_query_range_tool mode=summary "
    "for long ranges. Times may be relative: now-1h. prometheus_promql_tool checks and builds expressions."
)


def _arguments(settings: PrometheusSettings) -> Mapping[str, Any]:
    from kmcp_prometheus.api.sources import arguments

    return arguments(settings)


def _left_out(settings: PrometheusSettings) -> Collection[str]:
    from kmcp_prometheus.api.sources import known

    # A choice of one is none: the tool and the argument `datasource` would only cost tokens.
    return () if len(known(settings)) > 1 else ("prometheus_list_datasources_tool",)


SERVER = Server(
    package=__package__,
    name="prometheus",
    title="Prometheus",
    description="Query metrics, alerts, rules and targets of Prometheus and of what speaks its API.",
    instructions=INSTRUCTIONS,
    port=8084,
    settings_at="kmcp_prometheus.settings:PrometheusSettings",
    extra_arguments=_arguments,
    left_out=_left_out,
    first=("prometheus_query_tool", "prometheus_alerts_tool"),
    category="observability",
    tags=("prometheus", "metrics", "promql", "alerts"),
)


if __name__ == "__main__":
    sys.exit(SERVER.main())
