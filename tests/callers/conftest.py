"""One process with the servers of the cluster, whose own account may do nothing but act as its callers; and three.

`viewer` may view the namespace `seen`, `editor` may edit `edited`, `nobody` may nothing.
"""

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport

from kmcp_argo.server import SERVER as ARGO
from kmcp_cilium.server import SERVER as CILIUM
from kmcp_helm.server import SERVER as HELM
from kmcp_istio.server import SERVER as ISTIO
from kmcp_kubernetes.server import SERVER as KUBERNETES
from kmcp_runtime.engine import auth
from kmcp_runtime.engine.assembly import http_app
from kmcp_runtime.engine.configured import ConfiguredServer, Process
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.settings import ClusterSettings
from tests.applying import connected
from tests.argo import install
from tests.callers.planted import plant, word
from tests.cluster import binaries
from tests.cluster.model import Cluster
from tests.istio.definitions import serve_mesh_kinds
from tests.mcp import ToolCaller
from tests.patience import patient
from tests.rights import RBAC, create_token, write_kubeconfig
from tests.serving import served
from tests.slowness import scaled
from tests.waiting import until

SERVERS = (KUBERNETES, HELM, ARGO, ISTIO, CILIUM)
WHO = ("viewer", "editor", "nobody")
MAY_IMPERSONATE = [
    {"apiGroups": [""], "resources": ["users", "groups", "serviceaccounts"], "verbs": ["impersonate"]},
    {"apiGroups": ["authentication.k8s.io"], "resources": ["uids"], "verbs": ["impersonate"]},
    {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]},
]


@dataclass(frozen=True)
class Place:
    """What the tests share on the cluster."""

    api: KubeApi
    cluster: Cluster
    home: str
    """The namespace of the accounts: the server's own and its callers'."""
    seen: str
    edited: str
    seen_word: str
    edited_word: str

    def user(self, who: str) -> str:
        return f"system:serviceaccount:{self.home}:{who}"

    def words_hidden_from(self, who: str) -> tuple[str, ...]:
        """What must never reach this caller."""
        return {"viewer": (self.edited_word,), "editor": (self.seen_word,)}.get(who, (self.edited_word, self.seen_word))

    async def token(self, who: str, *audiences: str, seconds: int = 3600) -> str:
        """A token of an account, by default for the API server itself."""
        return await create_token(self.api, self.home, who, *audiences, seconds=seconds)


@pytest.fixture(scope="session")
async def place(cluster: Cluster) -> AsyncIterator[Place]:
    async with connected(cluster) as api:
        name = f"callers-{secrets.token_hex(3)}"
        found = Place(api, cluster, name, f"{name}-seen", f"{name}-edited", word(), word())
        await _kinds(api)
        for namespace in (found.home, found.seen, found.edited):
            await api.send("POST", "/api/v1/namespaces", (), {"metadata": {"name": namespace}})
        for who in ("server", *WHO):
            await _account(api, found.home, who)
        await _bind(api, found.home, "viewer", found.seen, "view")
        await _bind(api, found.home, "editor", found.edited, "edit")
        await plant(api, found.seen, found.seen_word)
        await plant(api, found.edited, found.edited_word)
        try:
            yield found
        finally:
            for namespace in (found.home, found.seen, found.edited):
                await api.send("DELETE", f"/api/v1/namespaces/{namespace}")


async def _kinds(api: KubeApi) -> None:
    """The kinds of the backends; they stay, as other workers use them too."""
    for name in ("istio", "rollouts"):
        if reason := binaries.why_left_out(name):
            pytest.skip(reason)
    await serve_mesh_kinds(api)
    for found in install.manifests():
        if found["kind"] == "CustomResourceDefinition":
            await install.apply(api, found)
    path = "/apis/argoproj.io/v1alpha1/rollouts"
    await until(lambda: api.find(path, (("limit", "1"),)), what="the kinds of Argo Rollouts")


async def _account(api: KubeApi, namespace: str, name: str) -> None:
    await api.send("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", (), {"metadata": {"name": name}})


async def _bind(api: KubeApi, home: str, who: str, namespace: str, role: str) -> None:
    subject = {"kind": "ServiceAccount", "name": who, "namespace": home}
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
    body: dict[str, Any] = {"metadata": {"name": who}, "roleRef": ref, "subjects": [subject]}
    await api.send("POST", f"{RBAC}/namespaces/{namespace}/rolebindings", (), body)
    # The usual roles have neither the kinds of backends nor what Helm keeps.
    kinds: dict[str, str] = {
        "": "secrets",
        "argoproj.io": "*",
        "gateway.networking.k8s.io": "*",
        "networking.istio.io": "*",
    }
    verbs = ["get", "list", "watch"]
    rules = [{"apiGroups": [group], "resources": [kind], "verbs": verbs} for group, kind in kinds.items()]
    await api.send("POST", f"{RBAC}/namespaces/{namespace}/roles", (), {"metadata": {"name": who}, "rules": rules})
    more: dict[str, Any] = {"roleRef": {**ref, "kind": "Role", "name": who}, "subjects": [subject]}
    body = {"metadata": {"name": f"{who}-more"}, **more}
    await api.send("POST", f"{RBAC}/namespaces/{namespace}/rolebindings", (), body)


@asynccontextmanager
async def allowed(place: Place, rules: list[dict[str, Any]], who: str = "server") -> AsyncIterator[None]:
    """The account holds these rules of the whole cluster."""
    name = f"{place.home}-{secrets.token_hex(3)}"
    subject = {"kind": "ServiceAccount", "name": who, "namespace": place.home}
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
    await place.api.send("POST", f"{RBAC}/clusterroles", (), {"metadata": {"name": name}, "rules": rules})
    binding = {"metadata": {"name": name}, "roleRef": ref, "subjects": [subject]}
    await place.api.send("POST", f"{RBAC}/clusterrolebindings", (), binding)
    try:
        yield
    finally:
        for kind in ("clusterrolebindings", "clusterroles"):
            await place.api.send("DELETE", f"{RBAC}/{kind}/{name}")


async def kubeconfig(place: Place, who: str, folder: Path) -> Path:
    """That of an account."""
    settings = ClusterSettings(kubeconfig=str(place.cluster.kubeconfig))
    return await write_kubeconfig(place.api, settings, place.home, who, folder)


@dataclass(frozen=True)
class Serving:
    """The servers of one process, over HTTP."""

    url: str
    place: Place
    instances: Mapping[str, ConfiguredServer]

    @asynccontextmanager
    async def calling(self, who: str, path: str = "/mcp", **headers: str) -> AsyncIterator[ToolCaller]:
        """A client that has a token of this account for the servers."""
        token = await self.place.token(who, "kmcp")
        async with self.bearing({"Authorization": f"Bearer {token}", **headers}, path) as caller:
            yield caller

    @asynccontextmanager
    async def bearing(self, headers: dict[str, str], path: str = "/mcp") -> AsyncIterator[ToolCaller]:
        async with Client(StreamableHttpTransport(self.url + path, headers)) as client:
            yield ToolCaller(client)


@asynccontextmanager
async def serving(place: Place, config: Path, own: dict[str, Any], **runtime: Any) -> AsyncIterator[Serving]:
    """The servers with this kubeconfig."""
    process = Process.of(patient(**{"audit": False, **runtime}))
    instances = {}
    for server in SERVERS:
        wanted = {
            "kubeconfig": str(config),
            "kube_timeout": scaled(30),
            "cilium_namespace": place.seen,
            "istio_namespace": place.seen,
            **_programs(),
            **own,
        }
        kept = {name: value for name, value in wanted.items() if name in server.settings.model_fields}
        instances[server.name] = ConfiguredServer(server, server.settings(**kept), process)
    app = http_app("kmcp", list(instances.values()), auth.provider(process.runtime))
    async with AsyncExitStack() as stack:
        for instance in instances.values():
            await stack.enter_async_context(instance.opened())
        yield Serving(await stack.enter_async_context(served(app)), place, instances)


def _programs() -> dict[str, str]:
    helm = binaries.ensure(binaries.HELM, lambda text: None)["helm"]
    charts = Path(__file__).parents[1] / "helm" / "charts"
    # Without istioctl, which takes seconds of two cores for each call.
    return {"helm": str(helm), "istioctl": "no-istioctl", "chart_directory": str(charts)}


@pytest.fixture(scope="session")
async def acting(place: Place, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Serving]:
    """Servers that act as their callers, whom the API server reviews."""
    config = await kubeconfig(place, "server", tmp_path_factory.mktemp("acting"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECONFIG", str(config))
        own = {"act_as": "impersonate"}
        granted = {"token_review": True, "token_grants": "*=destroy", "stateful": False}
        async with allowed(place, MAY_IMPERSONATE), serving(place, config, own, **granted) as found:
            yield found
