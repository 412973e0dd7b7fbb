"""Manifests from the web: allowed hosts alone, bounded, with a digest of what was read."""

import dataclasses
import hashlib
from collections.abc import AsyncIterator

import httpx2
import pytest
import yaml
from fastmcp import Client

from kmcp_kubernetes.client import open_backend
from kmcp_kubernetes.server import SERVER
from kmcp_kubernetes.settings import KubernetesSettings
from kmcp_runtime.engine.assembly import assemble
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.web import Web
from tests.mcp import ToolCaller
from tests.patience import patient

pytestmark = pytest.mark.cluster
MANIFEST = yaml.safe_dump(
    {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "from-web"}, "data": {"a": "1"}}
)


def answering(request: httpx2.Request) -> httpx2.Response:
    bodies = {"/one.yaml": MANIFEST, "/broken.yaml": "kind: [", "/big.yaml": "#" * (1 << 20) + "\n" + MANIFEST}
    found = bodies.get(request.url.path)
    return httpx2.Response(404) if found is None else httpx2.Response(200, text=found)


@pytest.fixture
async def web_tools(settings: KubernetesSettings) -> AsyncIterator[ToolCaller]:
    """The server with a web that has one host, and one inside name that resolves to a private address."""

    async def resolve(host: str, port: int) -> list[str]:
        return ["10.0.0.1"] if host == "inside.example.com" else ["93.184.216.34"]

    web = Web(transport=httpx2.MockTransport(answering), resolve=resolve)
    server = dataclasses.replace(SERVER, open=lambda settings: open_backend(settings, web))
    settings = settings.model_copy(update={"manifest_hosts": "files.example.com, inside.example.com"})
    async with Client(assemble(server, settings, patient(approval="off"))) as client:
        yield ToolCaller(client)


async def test_create_from_url(web_tools: ToolCaller, api: KubeApi, namespace: str) -> None:
    url = "https://files.example.com/one.yaml"
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    rehearsed = await web_tools.ok("k8s_create_resource_from_url", url=url, namespace=namespace, dry_run=True)
    assert rehearsed["items"][0]["result"] == "created"
    assert "from-web" not in [item["metadata"]["name"] for item in (await api.get(path))["items"]]
    done = await web_tools.ok("k8s_create_resource_from_url", url=url, namespace=namespace)
    assert done["source"] == url
    assert done["sha256"] == hashlib.sha256(MANIFEST.encode()).hexdigest()
    assert (await api.get(f"{path}/from-web"))["data"] == {"a": "1"}


async def test_create_from_url_refusals(web_tools: ToolCaller, tools: ToolCaller, namespace: str) -> None:
    base = "https://files.example.com"
    for url, code in [
        ("https://elsewhere.example.com/one.yaml", "denied"),
        ("http://files.example.com/one.yaml", "denied"),
        ("https://inside.example.com/one.yaml", "denied"),
        (f"{base}/absent.yaml", "not_found"),
        (f"{base}/big.yaml", "too_large"),
        (f"{base}/broken.yaml", "bad_argument"),
        ("files.example.com/one.yaml", "bad_argument"),
    ]:
        failed = await web_tools.fails("k8s_create_resource_from_url", url=url, namespace=namespace)
        assert failed["code"] == code, url
    failed = await tools.fails("k8s_create_resource_from_url", url=f"{base}/one.yaml", namespace=namespace)
    assert failed["code"] == "denied"
    assert "KMCP_MANIFEST_HOSTS" in failed["hint"]
