"""The choice between istioctl and the Helm charts."""

from kmcp_istio import istioctl
from kmcp_istio.client import Mesh
from kmcp_istio.installers.binary import ByIstioctl
from kmcp_istio.installers.charts import ByCharts
from kmcp_istio.installers.order import Installer
from kmcp_runtime import unavailable


def installer(mesh: Mesh) -> Installer:
    """istioctl where it is present, otherwise the charts; `unavailable` names both when neither is."""
    # istioctl first: it knows every profile and setting, and removes what a new configuration no longer has.
    if istioctl.present(mesh.settings):
        return ByIstioctl(mesh)
    if mesh.settings.istio_charts:
        return ByCharts(mesh)
    raise unavailable(
        f"istioctl ({mesh.settings.istioctl}) is not on this server, and Istio's Helm charts are not configured",
        f"{istioctl.MISSING}; or set KMCP_ISTIO_CHARTS (--istio-charts) to the location of the charts",
    )
