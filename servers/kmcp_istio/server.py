"""The server object behind the entry point `istio`, and its script."""

import sys
from collections.abc import Mapping
from typing import Any

from kmcp_istio import tools
from kmcp_istio.settings import IstioSettings
from kmcp_runtime.configured import Server
from kmcp_runtime.tool import ToolSpec, tools_below

INSTRUCTIONS = (
    "Istio. istio_proxy_status shows which proxies lag behind istiod; istio_proxy_config what one Envoy really has "
    "(summary first, then name, port or fqdn with output=json), istio_ztunnel_config the same for ambient; "
    "istio_analyze_cluster_configuration finds faults of the configuration. Changes take dry_run=true."
)


def _tools() -> tuple[ToolSpec, ...]:
    return tools_below(tools)


def _open(settings: IstioSettings) -> Any:
    from kmcp_istio.client import open_backend

    return open_backend(settings)


def _context_argument(settings: IstioSettings) -> Mapping[str, Any]:
    from kmcp_runtime.kube.clusters import context_argument

    return context_argument(settings)


SERVER = Server(
    name="istio",
    title="Istio",
    description="See and change an Istio mesh: proxies and their configuration, waypoints, faults, installation.",
    instructions=INSTRUCTIONS,
    port=8086,
    tools=_tools,
    settings=IstioSettings,
    open=_open,
    extra_arguments=_context_argument,
    category="networking",
    tags=("istio", "service-mesh", "envoy", "ambient"),
)


def main() -> int:
    from kmcp_runtime.cli import run_server

    return run_server(SERVER)


if __name__ == "__main__":
    sys.exit(main())
