"""Why a hook failed: helm says only which one, so the end of its log is added to the failure."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from kmcp_runtime.errors import ToolFailure
from kmcp_runtime.helm import payload
from kmcp_runtime.helm.faults import HOOK_FAILED
from kmcp_runtime.helm.releases import Releases
from kmcp_runtime.kube.cluster import Cluster
from kmcp_runtime.kube.parts import part
from kmcp_runtime.kube.workloads import container_statuses

_NAMED = re.compile(r"\b(job|pod) ([a-z0-9.-]+) failed", re.IGNORECASE)
_ENDED = ("Failed", "Running", "Unknown")
_LINES = 20
_MOST_BYTES = 2_000
Object = Mapping[str, Any]


@asynccontextmanager
async def told(cluster: Cluster, releases: Releases, namespace: str, name: str) -> AsyncIterator[None]:
    """While the context is open: a failure by a hook of the release is completed with the end of that hook's log."""
    try:
        yield
    except ToolFailure as failure:
        if not HOOK_FAILED.search(failure.message):
            raise
        log = await _read_log(cluster, releases, namespace, name, failure.message)
        if not log:
            raise
        message = f"{failure.message}; {log}"
        raise ToolFailure(
            failure.code, message, failure.hint, backend=failure.backend, details=failure.details
        ) from None


async def _read_log(cluster: Cluster, releases: Releases, namespace: str, name: str, message: str) -> str | None:
    """The end of the log of the hook that failed; why it cannot be read; None where no hook is known to have run."""
    try:
        found = [(kind.lower(), each) for kind, each in _NAMED.findall(message)]
        found = found or await _unfinished(releases, namespace, name)
        for kind, each in found:
            pod = await _find_pod(cluster, namespace, kind, each)
            if pod is not None:
                return await _tail(cluster, namespace, kind, each, pod)
    except ToolFailure as failure:
        return f"its log cannot be read: {failure.message}"
    return None


async def _unfinished(releases: Releases, namespace: str, name: str) -> list[tuple[str, str]]:
    """Hooks that did not succeed, as the latest revision notes them: at a deadline helm names none."""
    try:
        release = await releases.read(await releases.read_head(namespace, name))
    except payload.Undecodable:
        return []
    return [
        (str(hook.get("kind", "")).lower(), str(hook.get("name", "")))
        for hook in release.hooks
        if (hook.get("last_run") or {}).get("phase") in _ENDED
    ]


async def _find_pod(cluster: Cluster, namespace: str, kind: str, name: str) -> Object | None:
    base = f"/api/v1/namespaces/{namespace}/pods"
    if kind == "pod":
        found: Object | None = await cluster.api.find(f"{base}/{name}")
        return found
    if kind != "job":
        return None
    pods = (await cluster.api.get(base, (("labelSelector", f"job-name={name}"),)))["items"] or []
    # The last attempt says most.
    return max(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp")), default=None)


async def _tail(cluster: Cluster, namespace: str, kind: str, name: str, pod: Object) -> str:
    container = _failed_container(pod)
    path = f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}/log"
    query = (("container", container), ("tailLines", str(_LINES)))
    text = (await cluster.api.raw("GET", path, query)).decode(errors="replace").strip()
    shown = text if len(text) <= _MOST_BYTES else f"…{text[-_MOST_BYTES:]}"
    return f"end of the log of {kind} {name}, container {container}: {shown or '(empty)'}"


def _failed_container(pod: Object) -> str:
    """The container that ended with a failure, or else the first one."""
    failed = (each["name"] for each in container_statuses(pod) if part(each, "state", "terminated").get("exitCode"))
    return str(next(failed, pod["spec"]["containers"][0]["name"]))
