"""WebSockets to a pod, through the API server: what command execution and port-forward stand on."""

import aiohttp

from kmcp_runtime.kube.api import KubeApi, Query
from kmcp_runtime.kube.failures import StatusFailure


async def connect(
    api: KubeApi, namespace: str, pod: str, subresource: str, query: Query, protocols: tuple[str, ...]
) -> aiohttp.ClientWebSocketResponse:
    """Open the stream of a subresource (`exec`, `portforward`)."""
    try:
        return await api.open_websocket(f"/api/v1/namespaces/{namespace}/pods/{pod}/{subresource}", query, protocols)
    except StatusFailure as failure:
        if failure.http_status == 403 and "cannot " not in failure.message:
            # `get` let the request in; the second check of the upgrade, since 1.35, does not say what it missed.
            failure.message += (
                f'cannot create resource "pods/{subresource}" in API group "" in the namespace "{namespace}"'
            )
        raise
