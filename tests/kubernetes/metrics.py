"""The metrics API as custom resources: its shapes, and the API server's own selectors and rights, no metrics server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.failures import StatusFailure
from tests.kubernetes.making import Object, custom_kind, make
from tests.waiting import until

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
GROUP = "metrics.k8s.io"
BASE = f"/apis/{GROUP}/v1beta1"
_APPROVAL = "api-approved.kubernetes.io"
_KINDS = (("pods", "PodMetrics", "Namespaced"), ("nodes", "NodeMetrics", "Cluster"))


@asynccontextmanager
async def measuring(api: KubeApi) -> AsyncIterator[None]:
    """A cluster that serves the metrics API until the end of the block; other processes wait their turn."""
    first, *others = _KINDS
    await until(lambda: _claimed(api, *first), seconds=120, what="the turn to serve the metrics API")
    try:
        for plural, kind, scope in others:
            await make(api, CRDS, _definition(plural, kind, scope))
        await until(lambda: _served(api), seconds=90, what="the metrics API")
        yield
    finally:
        for plural, _, _ in _KINDS:
            await api.send("DELETE", f"{CRDS}/{plural}.{GROUP}")
        await until(lambda: _gone(api), seconds=60, what="the end of the metrics API")


async def _claimed(api: KubeApi, plural: str, kind: str, scope: str) -> bool:
    try:
        await make(api, CRDS, _definition(plural, kind, scope))
    except StatusFailure as failure:
        if failure.http_status != 409:
            raise
        return False
    return True


def _definition(plural: str, kind: str, scope: str) -> Object:
    body = custom_kind(plural, GROUP, kind)
    body["metadata"]["annotations"] = {_APPROVAL: "unapproved, stands in for the metrics server in a test"}
    body["spec"]["scope"] = scope
    body["spec"]["versions"][0]["name"] = "v1beta1"
    return body


async def _served(api: KubeApi) -> bool:
    try:
        listed = await api.get(BASE)
    except StatusFailure as failure:
        if failure.http_status != 404:
            raise
        return False
    return {"pods", "nodes"} <= {entry["name"] for entry in listed["resources"]}


async def _gone(api: KubeApi) -> bool:
    definitions = await api.get(CRDS, accept="application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io")
    return not any(item["metadata"]["name"].endswith(f".{GROUP}") for item in definitions["items"] or ())
