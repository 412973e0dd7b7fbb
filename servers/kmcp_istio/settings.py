"""Configuration of the Istio server."""

from kmcp_runtime import setting
from kmcp_runtime.helm.settings import HelmSettings


class IstioSettings(HelmSettings):
    istio_namespace: str = setting("istio-system", "Namespace of the control plane", env="ISTIO_NAMESPACE")
    istioctl: str = setting("istioctl", "istioctl: a path, or a name on PATH; analysis and installation use it")
    istio_charts: str = setting(
        "",
        "Without istioctl: where to find Istio's charts base, istiod, cni and ztunnel: the name of a chart repository, "
        "or a folder below KMCP_CHART_DIRECTORY",
    )
