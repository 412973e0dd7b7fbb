"""Values of the chart for each way of forwarding packets, and other networks that stand in the way of Cilium's."""

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
_DIRECT = ("ipv4NativeRoutingCIDR", "autoDirectNodeRoutes")
_AZURE = ("azure.subscriptionID", "azure.tenantID", "azure.clientID", "azure.clientSecret")
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
"""DaemonSets of other networks."""


def values_of(mode: Mode, given: Mapping[str, Any]) -> dict[str, Any]:
    """What a mode needs; `bad_argument` asks for what only the caller knows."""
    if mode == "native" and not any(value_at(given, path) for path in _DIRECT):
        raise bad_argument(
            "datapath_mode: native needs to know which addresses are routed without encapsulation",
            "give values.ipv4NativeRoutingCIDR (the pods' range), or values.autoDirectNodeRoutes=true where all nodes "
            "share a network",
        )
    missing = [path for path in _AZURE if not value_at(given, path)] if mode == "azure" else []
    if missing:
        raise bad_argument(f"datapath_mode: azure needs {', '.join(missing)}", "give them as values")
    return nested(_VALUES[mode])


def in_the_way(names: Iterable[str]) -> list[str]:
    """Those of these DaemonSets that are another network."""
    return sorted(set(names) & set(OTHERS))
