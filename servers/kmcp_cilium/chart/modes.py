"""Values of the chart for each datapath mode, and the DaemonSets of other networks that conflict with Cilium."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from kmcp_cilium.chart.releases import nested, value_at
from kmcp_runtime import bad_argument

Mode = Literal["tunnel", "native", "aws-eni", "gke", "azure", "aks-byocni"]
_VALUES: Mapping[Mode, Mapping[str, Any]] = {
    "tunnel": {"routingMode": "tunnel", "tunnelProtocol": "vxlan"},
    "native": {"routingMode": "native"},
    "aws-eni": {
        "ipam.mode": "eni",
        "eni.enabled": True,
        "enableIPv4Masquerade": False,
        "routingMode": "native",
    },
    "gke": {"ipam.mode": "kubernetes", "gke.enabled": True},
    "azure": {"ipam.mode": "azure", "azure.enabled": True},
    "aks-byocni": {"aksbyocni.enabled": True},
}
# Without encapsulation Cilium must know what not to masquerade, or how to reach other nodes.
_DIRECT = ("ipv4NativeRoutingCIDR", "autoDirectNodeRoutes")
_AZURE = ("azure.subscriptionID", "azure.tenantID", "azure.clientID", "azure.clientSecret")
# The names in the published manifests of each network, since a label common to all does not exist.
OTHERS = (
    "aws-node",
    "antrea-agent",
    "calico-node",
    "canal",
    "kindnet",
    "kube-flannel",
    "kube-flannel-ds",
    "kube-router",
    "ovnkube-node",
    "weave-net",
)
"""Names of the DaemonSets of other networks."""


def values_of(mode: Mode, given: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a mode; `bad_argument` names the values that only the caller knows."""
    if mode == "native" and not any(value_at(given, path) for path in _DIRECT):
        raise bad_argument(
            "datapath_mode: native needs the addresses that are routed without encapsulation",
            "set values.ipv4NativeRoutingCIDR (the range of the pods), or values.autoDirectNodeRoutes=true where all "
            "nodes share a network",
        )
    # The operator needs an identity of its own in Azure to allocate addresses.
    missing = [path for path in _AZURE if not value_at(given, path)] if mode == "azure" else []
    if missing:
        raise bad_argument(f"datapath_mode: azure needs {', '.join(missing)}", "set them in values")
    return nested(_VALUES[mode])


def in_the_way(names: Iterable[str]) -> list[str]:
    """The DaemonSets among these names that belong to another network."""
    return sorted(set(names) & set(OTHERS))
