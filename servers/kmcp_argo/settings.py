"""Configuration of the Argo Rollouts server."""

from kmcp_runtime import setting
from kmcp_runtime.kube.settings import ClusterSettings

GATEWAY_PLUGIN_RELEASES = "https://github.com/argoproj-labs/rollouts-plugin-trafficrouter-gatewayapi/releases/download"


class ArgoSettings(ClusterSettings):
    gateway_plugin_url: str = setting(
        GATEWAY_PLUGIN_RELEASES, "Where the controller downloads releases of the Gateway API plugin from"
    )
