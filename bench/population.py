"""Namespaces with pods that nobody schedules: what a list costs does not depend on whether they run."""

import asyncio

from kmcp_runtime import ToolFailure
from kmcp_runtime.kube.api import KubeApi

PODS = "/api/v1/namespaces/{}/pods"
_AT_ONCE = 32


async def populate(api: KubeApi, namespace: str, count: int) -> None:
    """Make the namespace hold exactly so many pods, of an ordinary size."""
    await _create_namespace(api, namespace)
    # Names only: the whole objects would be megabytes.
    listed = await api.get(
        PODS.format(namespace), accept="application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
    )
    there = {item["metadata"]["name"] for item in listed["items"] or ()}
    missing = [name for name in (f"web-{number:05}" for number in range(count)) if name not in there]
    slots = asyncio.Semaphore(_AT_ONCE)

    async def create(name: str) -> None:
        async with slots:
            await api.send("POST", PODS.format(namespace), (), pod(name))

    await asyncio.gather(*map(create, missing))


async def _create_namespace(api: KubeApi, name: str) -> None:
    try:
        await api.send("POST", "/api/v1/namespaces", (), {"metadata": {"name": name}})
    except ToolFailure as failure:
        if failure.code != "conflict":
            raise


def pod(name: str) -> dict[str, object]:
    env = [{"name": f"SETTING_{number}", "value": "value-of-an-ordinary-length"} for number in range(20)]
    resources = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}}
    container = {"name": "main", "image": "registry.example/web:1.2.3", "env": env, "resources": resources}
    labels = {"app": "web", "tier": "front", "app.kubernetes.io/name": "web", "app.kubernetes.io/version": "1.2.3"}
    # No scheduler has this name, so the pods stay as they are and cost nothing.
    return {"metadata": {"name": name, "labels": labels}, "spec": {"schedulerName": "none", "containers": [container]}}
