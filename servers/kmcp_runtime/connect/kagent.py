"""kagent, whose agents reach a server by a resource of its cluster: `RemoteMCPServer`."""

from typing import Any

TOOL_SERVER = "kagent-tool-server"
"""What kagent's own agents name."""
NAMESPACE = "kagent"
COMPOSED = "http://kagent-tools.kmcp:8084/mcp"
"""The composed server of the chart with its default names, installed in the namespace `kmcp`."""
SECRET = "kmcp-caller"  # noqa: S105  # the name of a Secret


def tool_server(url: str) -> dict[str, Any]:
    """The RemoteMCPServer for all tools at `url`, which sends the token of the Secret `kmcp-caller`."""
    # An agent names its tools, and kagent shows what is listed: it needs all of them.
    everything = url if "tools=" in url else f"{url}{'&' if '?' in url else '?'}tools=all"
    token = {"type": "Secret", "name": SECRET, "key": "authorization"}
    return {
        "apiVersion": "kagent.dev/v1alpha2",
        "kind": "RemoteMCPServer",
        "metadata": {"name": TOOL_SERVER, "namespace": NAMESPACE},
        "spec": {
            "description": "Tools of kmcp-suite",
            "protocol": "STREAMABLE_HTTP",
            "url": everything,
            "headersFrom": [{"name": "Authorization", "valueFrom": token}],
        },
    }
