"""The custom kinds of Istio and of the Gateway API on a test cluster. They stay there: other workers use them too."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import yaml

from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.failures import StatusFailure
from tests.cluster import binaries
from tests.kubernetes.making import Object
from tests.waiting import until

_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
CRDS = "manifests/charts/base/files/crd-all.gen.yaml"
"""Istio's own, in its module."""
_APPLY = "application/apply-patch+yaml"


def module(name: str) -> Path:
    """The files of a module that the real istiod is built of."""
    return binaries.source(binaries.BACKENDS["istio"], name)


async def serve_mesh_kinds(api: KubeApi) -> None:
    """Install what is missing, and wait until the API server serves it."""
    listed = await api.get(_DEFINITIONS, accept="application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io")
    present = {item["metadata"]["name"] for item in listed["items"] or ()}  # null where there is none
    wanted = list(_definitions())
    for definition in wanted:
        if definition["metadata"]["name"] not in present:
            path = f"{_DEFINITIONS}/{definition['metadata']['name']}"
            await api.send("PATCH", path, (("fieldManager", "kmcp-tests"), ("force", "true")), definition, _APPLY)
    for definition in wanted:
        await until(partial(_are_served, api, definition), seconds=60, what=definition["metadata"]["name"])


def _definitions() -> Iterator[Object]:
    folder = module("sigs.k8s.io/gateway-api") / "config/crd/standard"
    files = [
        *sorted(folder.glob("gateway.*.yaml")),
        module("istio.io/istio") / CRDS,
    ]
    for file in files:
        for document in yaml.load_all(file.read_text(), yaml.CSafeLoader):
            if document and document["kind"] == "CustomResourceDefinition":
                yield document


async def _are_served(api: KubeApi, definition: Object) -> bool:
    spec = definition["spec"]
    version = next(each["name"] for each in spec["versions"] if each["served"])
    try:
        await api.get(f"/apis/{spec['group']}/{version}/{spec['names']['plural']}", (("limit", "1"),))
    except StatusFailure as failure:
        if failure.http_status not in (404, 429, 503):  # 429: its storage is being made
            raise
        return False
    return True
