"""Configuration of every server that talks to clusters."""

from collections.abc import Mapping
from typing import Any

from kmcp_runtime.settings import Settings, setting


class ClusterSettings(Settings):
    facts = "kmcp_runtime.instant.kubeconfig:facts"
    surroundings = ("context",)

    kubeconfig: str = setting(
        "", "Path of the kubeconfig (unset: ~/.kube/config, or the pod's service account)", env="KUBECONFIG"
    )
    contexts: str = setting("", "Only these contexts of the kubeconfig, separated by commas; the first is the default")
    kube_timeout: float = setting(
        30.0, "Deadline of one request to the API server", env="KUBE_TIMEOUT", unit="seconds", gt=0, le=3600
    )

    def extra_arguments(self) -> Mapping[str, Any]:
        # Not at the top: settings are read to print --help, which needs no Kubernetes client.
        from kmcp_runtime.kube.clusters import context_argument

        return context_argument(self)
