"""Configuration of the Cilium server."""

from kmcp_runtime import setting
from kmcp_runtime.helm.settings import HelmSettings


class CiliumSettings(HelmSettings):
    cilium_namespace: str = setting(
        "", "Namespace of Cilium (unset: where its agents are found, otherwise kube-system)"
    )
    cilium_chart: str = setting(
        "cilium/cilium", "Cilium's chart: repository/name, oci://…, or a path below the chart directory"
    )
    # Another default than the Helm server has: this server only needs Cilium's repository.
    chart_repositories: str = setting(
        "cilium=https://helm.cilium.io",
        "Repositories that are always available, as name=URL separated by commas; their hosts are allowed",
    )
