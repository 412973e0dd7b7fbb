"""Making objects for tests to act on, with plain requests to the API server."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.failures import StatusFailure
from tests.waiting import until

Object = dict[str, Any]


def pods_path(namespace: str, name: str = "") -> str:
    return f"/api/v1/namespaces/{namespace}/pods/{name}".rstrip("/")


async def make(api: KubeApi, collection: str, body: Mapping[str, Any]) -> Object:
    """Create an object in a collection such as `/api/v1/namespaces/x/pods`."""
    made: Object = await api.send("POST", collection, (), dict(body))
    return made


async def make_when_served(api: KubeApi, collection: str, body: Mapping[str, Any]) -> None:
    """Create an object of a kind that was defined just now, as soon as the API server serves it."""

    async def made() -> bool:
        try:
            await make(api, collection, body)
        except StatusFailure as failure:
            if failure.http_status != 404:
                raise
            return False
        return True

    await until(made, what=f"the kind of {collection}")


async def make_many(api: KubeApi, collection: str, bodies: list[Object]) -> None:
    await asyncio.gather(*(make(api, collection, body) for body in bodies))


async def running(api: KubeApi, namespace: str, body: Mapping[str, Any]) -> Object:
    """A pod that was made and has all its containers ready."""
    await make(api, pods_path(namespace), body)
    return await pod_when(api, namespace, body["metadata"]["name"], _is_ready, "readiness")


async def pod_when(api: KubeApi, namespace: str, name: str, holds: Any, what: str) -> Object:
    async def look() -> Object:
        found: Object = await api.get(pods_path(namespace, name))
        return found

    return await until(look, holds, 90, f"{what} of pod {name}")


def _is_ready(found: Object) -> bool:
    statuses = found["status"].get("containerStatuses") or [{}]
    return all(status.get("ready") for status in statuses)


def config_map(name: str, **data: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"app": name}}, "data": data}


def deployment_of(name: str, replicas: int, spec: Mapping[str, Any]) -> Object:
    """A Deployment of pods with this spec, and with its name as their label `app`."""
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": dict(spec)}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


def custom_kind(plural: str, group: str, kind: str) -> Object:
    """A tiny CustomResourceDefinition."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "versions": [version],
            "names": {"plural": plural, "singular": plural.removesuffix("s"), "kind": kind},
        },
    }


def kubeconfig(server: str, directory: Path, **user: str) -> Path:
    """A kubeconfig for a server that stands in for an API server, without credentials unless some are given."""
    path = directory / "kubeconfig"
    content = {
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path.write_text(yaml.safe_dump(content))
    return path
