"""Configuration of the Kubernetes server."""

from kmcp_runtime.settings import Settings, setting


class KubernetesSettings(Settings):
    kubeconfig: str = setting(
        "", "Path of the kubeconfig (unset: ~/.kube/config, or the pod's service account)", env="KUBECONFIG"
    )
    contexts: str = setting("", "Only these contexts of the kubeconfig, separated by commas; the first is the default")
    manifest_hosts: str = setting(
        "", "Hosts that k8s_create_resource_from_url may read, separated by commas (none: no host)"
    )
    probe_image: str = setting("busybox:1.37", "Image with `nc` for k8s_check_service_connectivity mode=pod")
