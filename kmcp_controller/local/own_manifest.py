"""The MCPServer of a server of the catalog, as this machine runs it."""

from typing import Any

from kmcp_controller.spec.model import API_VERSION, KIND
from kmcp_runtime.catalog import ServerEntry

NAMESPACE = "local"


def manifest(name: str, entry: ServerEntry, version: str, images: str) -> dict[str, Any]:
    """The MCPServer of a catalog entry, as the chart makes it, in the namespace `local`.

    `images` is the prefix of the suite's images. A server of another distribution runs in this process all the same.
    """
    version = entry.origin.version if entry.origin else version
    port = entry.transport.port
    everywhere = "0.0.0.0"  # noqa: S104  # inside a pod; on this machine the address of `up` wins
    args = ["--transport", "http", "--host", everywhere, "--port", str(port), "--allow-unauthenticated"]
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "transportType": "http",
            "httpTransport": {"targetPort": port, "path": entry.transport.path},
            "deployment": {"image": f"{images}/{name}:{version}", "port": port, "args": args},
        },
    }
