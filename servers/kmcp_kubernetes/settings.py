"""Configuration of the Kubernetes server."""

import shlex

from pydantic import field_validator

from kmcp_runtime import listed, setting
from kmcp_runtime.kube.settings import ClusterSettings


class KubernetesSettings(ClusterSettings):
    # No host by default: from inside a cluster, a URL reaches services that the caller cannot (SSRF).
    manifest_hosts: str = setting(
        "", "Hosts that k8s_create_resource_from_url may read, separated by commas (none: no host)"
    )
    approval_free_commands: str = setting(
        "",
        "Beginnings of commands that k8s_execute_command runs without approval, separated by commas: `df, ls, cat` "
        "(none: each command needs approval)",
    )
    probe_paths: str = setting(
        "", "Paths beside / that k8s_check_service_connectivity asks for on a read-only server, separated by commas"
    )
    probe_image: str = setting("busybox:1.37", "Image with `nc` for k8s_check_service_connectivity mode=pod")

    @field_validator("approval_free_commands")
    @classmethod
    def _are_commands(cls, text: str) -> str:
        for command in listed(text):
            shlex.split(command)  # An open quote is a fault of the setting and not of every later call.
        return text
