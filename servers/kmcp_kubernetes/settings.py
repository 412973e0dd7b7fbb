"""Configuration of the Kubernetes server."""

from kmcp_runtime import setting
from kmcp_runtime.kube.settings import ClusterSettings


class KubernetesSettings(ClusterSettings):
    # No host by default: from inside a cluster, a URL reaches services that the caller cannot (SSRF).
    manifest_hosts: str = setting(
        "", "Hosts that k8s_create_resource_from_url may read, separated by commas (none: no host)"
    )
    probe_image: str = setting("busybox:1.37", "Image with `nc` for k8s_check_service_connectivity mode=pod")
