"""The catalog for callers that the API server knows: each sees the namespaces whose MCPServers it may get."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from kmcp_controller.catalog.audience import Audience
from kmcp_controller.catalog.live_document import LiveDocument
from kmcp_controller.catalog.site import app
from kmcp_controller.cluster.access import Access
from kmcp_controller.cluster.client import Cluster
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.config import load_contexts
from tests.controller.driving import token
from tests.controller.listings import server
from tests.kubernetes.making import kubeconfig
from tests.patience import limits
from tests.serving import served
from tests.slowness import scaled

pytestmark = pytest.mark.cluster
RBAC = "rbac.authorization.k8s.io"
GET_SERVERS = [{"apiGroups": ["kagent.dev"], "resources": ["mcpservers"], "verbs": ["get"]}]
PLACES = (
    "/",
    "/catalog.json",
    "/catalog/elsewhere/theirs.json",
    "/export/claude-code",
    "/v0.1/servers",
    "/v0.1/servers/local.cluster%2Felsewhere.theirs/versions/latest",
)


def site(api: KubeApi, namespace: str) -> Any:
    live = LiveDocument()
    live.update(replace(server("ours"), namespace=namespace))
    live.update(replace(server("theirs"), namespace="elsewhere"))
    return app(live, {}, audience=Audience(Access(Cluster(api))))


@pytest.fixture
async def http(api: KubeApi, namespace: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with served(site(api, namespace), lifespan="off") as base:
        async with httpx2.AsyncClient(base_url=base, trust_env=False, timeout=scaled(30)) as client:
            yield client


async def grant(api: KubeApi, namespace: str, account: str) -> None:
    """The right to get the MCPServers of one namespace."""
    base = f"/apis/{RBAC}/v1/namespaces/{namespace}"
    await api.send("POST", f"{base}/roles", (), {"metadata": {"name": account}, "rules": GET_SERVERS})
    subject = {"kind": "ServiceAccount", "name": account, "namespace": namespace}
    role = {"apiGroup": RBAC, "kind": "Role", "name": account}
    await api.send(
        "POST", f"{base}/rolebindings", (), {"metadata": {"name": account}, "roleRef": role, "subjects": [subject]}
    )


def bearing(word: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {word}"}


async def test_without_a_known_token_nothing_is_told(http: httpx2.AsyncClient) -> None:
    for path in PLACES:
        for headers in ({}, bearing("made-up"), {"Authorization": "Basic dTpw"}):
            answer = await http.get(path, headers=headers)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer"), path
            assert "theirs" not in answer.text
    assert (await http.get("/healthz")).status_code == 200


async def test_a_caller_sees_the_namespaces_of_its_rights(
    http: httpx2.AsyncClient, api: KubeApi, namespace: str
) -> None:
    reader = bearing(await token(api, namespace, "reader"))
    await grant(api, namespace, "reader")
    document = (await http.get("/catalog.json", headers=reader)).json()
    assert [each["name"] for each in document["servers"]] == ["ours"]
    assert (await http.get(f"/catalog/{namespace}/ours.json", headers=reader)).status_code == 200
    assert (await http.get("/catalog/elsewhere/theirs.json", headers=reader)).status_code == 404
    page = (await http.get("/", headers=reader)).text
    assert "ours" in page
    listed = (await http.get("/v0.1/servers", headers=reader)).json()["servers"]
    assert [each["server"]["name"] for each in listed] == [f"local.cluster/{namespace}.ours"]
    assert set((await http.get("/export/claude-code", headers=reader)).json()["mcpServers"]) == {"ours"}
    for path in PLACES:
        assert "theirs" not in (await http.get(path, headers=reader)).text, path


async def test_two_callers_do_not_get_one_anothers_view(http: httpx2.AsyncClient, api: KubeApi, namespace: str) -> None:
    stranger, reader = [bearing(await token(api, namespace, name)) for name in ("stranger", "reader")]
    await grant(api, namespace, "reader")
    seen = [(await http.get("/catalog.json", headers=each)).json() for each in (reader, stranger, reader)]
    assert [[server["name"] for server in each["servers"]] for each in seen] == [["ours"], [], ["ours"]]
    assert seen[0]["hash"] == seen[2]["hash"] != seen[1]["hash"]
    tag = (await http.get("/catalog.json", headers=reader)).headers["etag"]
    assert (await http.get("/catalog.json", headers={**stranger, "If-None-Match": tag})).status_code == 200


async def test_without_the_api_server_nothing_is_told(tmp_path: Path) -> None:
    contexts = load_contexts(str(kubeconfig("http://127.0.0.1:1", tmp_path)))
    api = KubeApi(contexts, contexts.named(None), limits())
    async with served(site(api, "here"), lifespan="off") as base, httpx2.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"{base}/catalog.json", headers=bearing("anything"))
    await api.close()
    assert answer.status_code == 503
    assert "API server" in answer.text
