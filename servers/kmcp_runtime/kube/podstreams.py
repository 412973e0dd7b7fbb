"""WebSockets to a pod, through the API server: used by command execution and port-forward."""

import aiohttp

from kmcp_runtime.judging import Verdict
from kmcp_runtime.kube.api import KubeApi, Query
from kmcp_runtime.kube.failures import StatusFailure


async def connect(
    api: KubeApi,
    namespace: str,
    pod: str,
    subresource: str,
    query: Query,
    protocols: tuple[str, ...],
    verdict: Verdict,
) -> aiohttp.ClientWebSocketResponse:
    """Open the stream of a subresource (`exec`, `portforward`); `verdict` is what goes through it does."""
    try:
        return await api.open_websocket(
            f"/api/v1/namespaces/{namespace}/pods/{pod}/{subresource}", query, protocols, verdict
        )
    except StatusFailure as failure:
        if failure.http_status == 403 and failure.code == "forbidden" and "cannot " not in failure.message:
            # Kubernetes 1.35 checks `create` a second time after `get`, and does not say which right is missing.
            failure.message += (
                f'cannot create resource "pods/{subresource}" in API group "" in the namespace "{namespace}"'
            )
        raise
