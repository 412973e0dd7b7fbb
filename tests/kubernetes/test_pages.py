"""What pages do with answers that a healthy API server gives only after minutes: a continue token that has expired."""

from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from kmcp_runtime import ToolFailure, cursors
from kmcp_runtime.kube import pages, selectors
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.config import load_contexts
from kmcp_runtime.kube.discovery import Kind
from tests.kubernetes.making import kubeconfig
from tests.patience import limits
from tests.serving import served

PODS = Kind("", "v1", "Pod", "pods", "pod", ("po",), True, ("list",), frozenset(), True)
MESSAGE = "The provided continue parameter is too old to display a consistent list result."


async def _gone(request: Request) -> JSONResponse:
    """The Status of an API server whose etcd was compacted meanwhile."""
    status = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": "Expired",
        "message": MESSAGE,
        "code": 410,
    }
    return JSONResponse(status, 410)


async def test_an_expired_cursor_says_start_again(tmp_path: Path) -> None:
    app = Starlette(routes=[Route("/api/v1/namespaces/a/pods", _gone)])
    async with served(app) as url:
        contexts = load_contexts(str(kubeconfig(url, tmp_path)))
        api = KubeApi(contexts, contexts.named(None), limits())
        with pytest.raises(ToolFailure) as raised:
            await pages.fetch(api, pages.Query(PODS, "a"), cursors.encode({"c": "old"}, {}), {})
        await api.close()
    assert raised.value.code == "bad_argument"
    assert MESSAGE in raised.value.message
    assert raised.value.hint == "start again without cursor"


@pytest.mark.cluster
async def test_all_pages(api: KubeApi, namespace: str) -> None:
    """A whole list of a real API server in pages of two, and the same list cut."""
    maps = Kind("", "v1", "ConfigMap", "configmaps", "configmap", ("cm",), True, ("list",), frozenset(), True)
    for number in range(5):
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"m{number}", "labels": {"own": "1"}}}
        await api.send("POST", maps.path(namespace), (), body)
    query = pages.Query(maps, namespace, "own=1", limit=2, form="names")
    everything = await pages.fetch_all(api, query)
    assert [item["metadata"]["name"] for item in everything] == [f"m{n}" for n in range(5)]
    assert everything.complete
    first = await pages.fetch_all(api, query, most=3)
    assert ([item["metadata"]["name"] for item in first], first.complete) == (["m0", "m1", "m2", "m3"], False)


@pytest.mark.parametrize(
    "selector",
    [
        "app",
        "!app",
        "app=web",
        "app==web",
        "app!=web",
        "app=",
        "a in (b,c), d notin (e)",
        "a in ()",
        "n>1,n < 3",
        "k8s.io/x=y",
    ],
)
def test_label_selectors_without_fault(selector: str) -> None:
    assert selectors.label_fault(selector) is None


@pytest.mark.parametrize("selector", ["metadata.name=x", "a==b,c!=d", "status.phase="])
def test_field_selectors_without_fault(selector: str) -> None:
    assert selectors.field_fault(selector) is None
