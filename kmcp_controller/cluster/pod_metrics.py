"""Metrics of the servers of a cluster, read from each of their pods through the API server.

Pods and not Services: a Service answers with another replica each time, which counts for itself.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from kmcp_runtime.errors import ToolFailure
from kmcp_runtime.judging import READS
from kmcp_runtime.kube.api import KubeApi

_OURS = "app.kubernetes.io/managed-by=kmcp"
_PORT = "management"
_LARGEST = 16 * 2**20
_AT_ONCE = 8
_SECONDS = 10.0


async def read(api: KubeApi, namespace: str | None) -> Mapping[str, str | Exception]:
    """The text of each pod's /metrics by `<namespace>/<pod>`, or why there is none. Errors: ToolFailure of the list."""
    within = f"/namespaces/{namespace}" if namespace else ""
    found = await api.get(f"/api/v1{within}/pods", [("labelSelector", _OURS)])
    slots = asyncio.Semaphore(_AT_ONCE)
    pods = [(pod, port) for pod in found["items"] if (port := _port(pod)) and _runs(pod)]
    texts = await asyncio.gather(*(_read_pod(api, pod["metadata"], port, slots) for pod, port in pods))
    return {
        f"{pod['metadata']['namespace']}/{pod['metadata']['name']}": text
        for (pod, _), text in zip(pods, texts, strict=True)
    }


def _port(pod: Mapping[str, Any]) -> int | None:
    ports = [port for each in pod["spec"]["containers"] for port in each.get("ports") or ()]
    return next((port["containerPort"] for port in ports if port.get("name") == _PORT), None)


def _runs(pod: Mapping[str, Any]) -> bool:
    return (pod.get("status") or {}).get("phase") == "Running"


async def _read_pod(api: KubeApi, metadata: Mapping[str, Any], port: int, slots: asyncio.Semaphore) -> str | Exception:
    path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}:{port}/proxy/metrics"
    try:
        async with slots, asyncio.timeout(_SECONDS):
            status, content = await api.fetch_answer(path, most=_LARGEST, verdict=READS)
    except ToolFailure as failure:
        return failure
    except TimeoutError:
        return TimeoutError(f"no answer within {_SECONDS:.0f} s")
    if status == 403:
        return PermissionError("reading it needs the right to get pods/proxy")
    return content.decode(errors="replace") if status == 200 else ConnectionError(f"it answered HTTP {status}")
