"""The server object behind the entry point `cilium`, and its script."""

import sys

from kmcp_runtime import Home, Server

INSTRUCTIONS = (
    "Cilium through its agents' own command line, custom resources and chart. Start with cilium_status_and_version. "
    "Tools ask every agent, any one, or need node_name, as its description says; nodes that do not answer are in "
    "`unreachable`. Endpoints are IDs of one node or namespace/pod. For dropped traffic: cilium_hubble_observe "
    "verdict=DROPPED, then cilium_get_endpoint_details and cilium_display_policy_node_information."
)

HOME = Home(
    setting="KMCP_CILIUM_NAMESPACE",
    namespace="kube-system",
    only=(
        ("", "pods/exec"),
        ("", "configmaps"),
        ("", "secrets"),
        ("", "services"),
        ("apps", "daemonsets"),
        ("apps", "deployments"),
        ("rbac.authorization.k8s.io", "roles"),
        ("*", "*"),
    ),
)
"""Agents, their configuration, and the release of the chart are in Cilium's namespace; policies and pods anywhere."""


SERVER = Server(
    package=__package__,
    name="cilium",
    title="Cilium",
    description="Inspect and operate Cilium: agents, endpoints, identities, policies, services, BPF maps, mesh.",
    instructions=INSTRUCTIONS,
    port=8089,
    settings_at="kmcp_cilium.settings:CiliumSettings",
    first=("cilium_status_and_version",),
    category="networking",
    tags=("cilium", "ebpf", "network-policy", "hubble"),
    home=HOME,
)


if __name__ == "__main__":
    sys.exit(SERVER.main())
