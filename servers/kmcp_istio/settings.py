"""Configuration of the Istio server."""

from kmcp_runtime.kube.settings import ClusterSettings
from kmcp_runtime.settings import setting


class IstioSettings(ClusterSettings):
    istio_namespace: str = setting("istio-system", "Namespace of the control plane", env="ISTIO_NAMESPACE")
    istioctl: str = setting("istioctl", "istioctl: a path, or a name on PATH; analysis and installation use it")
