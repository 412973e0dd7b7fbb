"""The server as a program in a pod: in a mount namespace of its own that has what a pod has of its ServiceAccount."""

import base64
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastmcp.client.transports import StdioTransport

from kmcp_runtime.kube.api import KubeApi
from tests.cluster.model import Cluster


async def in_a_pod(
    cluster: Cluster, api: KubeApi, namespace: str, directory: Path, **environment: str
) -> StdioTransport:
    """As the account `default` of the namespace; without a kubeconfig."""
    if not cluster.node:
        pytest.skip("the pod's files are mounted with the own build's rights only")
    token = await api.send("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts/default/token", (), {"spec": {}})
    where = yaml.safe_load(cluster.kubeconfig.read_text())["clusters"][0]["cluster"]
    host, port = where["server"].removeprefix("https://").rsplit(":", 1)
    (directory / "token").write_text(token["status"]["token"])
    (directory / "namespace").write_text(namespace)
    (directory / "ca.crt").write_bytes(_authority(where))
    folder = "/run/secrets/kubernetes.io/serviceaccount"
    script = f'mount -t tmpfs tmpfs /run && mkdir -p {folder} && cp {directory}/* {folder} && exec "$@"'
    known = {
        "KUBERNETES_SERVICE_HOST": host,
        "KUBERNETES_SERVICE_PORT": port,
        "HOME": str(directory),
        "PATH": "/usr/bin:/bin",
    }
    command = [sys.executable, "-m", "kmcp_kubernetes.server", "--transport", "stdio"]
    return StdioTransport(
        "unshare", ["--mount", "sh", "-c", script, "sh", *command], env={**known, **environment}, keep_alive=False
    )


def _authority(cluster: dict[str, Any]) -> bytes:
    if "certificate-authority-data" in cluster:
        return base64.b64decode(cluster["certificate-authority-data"])
    return Path(cluster["certificate-authority"]).read_bytes()
