"""Configuration of every server that works with Helm."""

from typing import Literal

from kmcp_runtime.kube.settings import ClusterSettings
from kmcp_runtime.settings import setting


class HelmSettings(ClusterSettings):
    helm: str = setting("helm", "The helm binary, 3 or 4", env="KMCP_HELM")
    helm_driver: Literal["secret", "configmap", "sql"] = setting(
        "secret", "Where Helm stores releases", env="HELM_DRIVER"
    )
    helm_home: str = setting("", "Directory that keeps added repositories (unset: until the process ends)")
    chart_hosts: str = setting(
        "",
        "Hosts that charts may come from, separated by commas: a name (https, public addresses), or an origin such as "
        "https://charts.internal:8443, oci://registry.internal or http://127.0.0.1:8879 (private addresses too)",
    )
    chart_directory: str = setting("", "Directory of charts on this machine that may be installed (unset: none)")
    chart_repositories: str = setting(
        "", "Repositories that are always available, as name=URL separated by commas; their hosts are allowed"
    )
    helm_repositories: str = setting(
        "", "Path of a repositories.yaml: more repositories that are always available, with their credentials"
    )
    helm_registries: str = setting("", "Path of a registry config.json with logins of OCI registries")
