"""Configuration of the Cilium server."""

from kmcp_runtime.kube.settings import ClusterSettings
from kmcp_runtime.settings import setting


class CiliumSettings(ClusterSettings):
    namespace: str = setting("", "Namespace of Cilium (unset: where its agents are found)", env="KMCP_CILIUM_NAMESPACE")
