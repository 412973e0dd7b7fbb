"""Configuration of every server that talks to clusters."""

from kmcp_runtime.settings import Settings, setting


class ClusterSettings(Settings):
    kubeconfig: str = setting(
        "", "Path of the kubeconfig (unset: ~/.kube/config, or the pod's service account)", env="KUBECONFIG"
    )
    contexts: str = setting("", "Only these contexts of the kubeconfig, separated by commas; the first is the default")
    kube_timeout: float = setting(
        30.0, "Deadline of one request to the API server", env="KUBE_TIMEOUT", unit="seconds", gt=0, le=3600
    )
