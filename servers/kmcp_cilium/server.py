"""The server object behind the entry point `cilium`, and its script."""

import sys
from collections.abc import Mapping
from typing import Any

from kmcp_cilium import tools
from kmcp_cilium.settings import CiliumSettings
from kmcp_runtime.configured import Server
from kmcp_runtime.tool import tools_below

INSTRUCTIONS = (
    "Cilium through its agents' own command line, custom resources and chart. Start with cilium_status_and_version. "
    "Tools ask every agent, any one, or need node_name, as its description says; nodes that do not answer stand under "
    "`unreachable`. Endpoints are numbers of one node or namespace/pod. For dropped traffic: cilium_hubble_observe "
    "verdict=DROPPED, then cilium_get_endpoint_details and cilium_display_policy_node_information."
)


def _open(settings: CiliumSettings) -> Any:
    from kmcp_cilium.client import open_backend

    return open_backend(settings)


def _context_argument(settings: CiliumSettings) -> Mapping[str, Any]:
    from kmcp_runtime.kube.clusters import context_argument

    return context_argument(settings)


SERVER = Server(
    name="cilium",
    title="Cilium",
    description="Inspect and operate Cilium: agents, endpoints, identities, policies, services, BPF maps, mesh.",
    instructions=INSTRUCTIONS,
    port=8089,
    tools=lambda: tools_below(tools),
    settings=CiliumSettings,
    open=_open,
    extra_arguments=_context_argument,
    category="networking",
    tags=("cilium", "ebpf", "network-policy", "hubble"),
)


def main() -> int:
    from kmcp_runtime.cli import run_server

    return run_server(SERVER)


if __name__ == "__main__":
    sys.exit(main())
