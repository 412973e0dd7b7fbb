"""Whatever a kubeconfig holds, the answer is a server or a refusal that can be understood (K8)."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from kmcp_kubernetes.server import SERVER
from kmcp_kubernetes.settings import KubernetesSettings
from kmcp_runtime import ERROR_META
from kmcp_runtime.engine.assembly import assemble
from tests.patience import patient
from tests.slowness import scaled

WORDS = st.sampled_from(
    ["", "x", "c", "u", "http://127.0.0.1:1", "https://127.0.0.1:1/p", "127.0.0.1:1", "aGVsbG8=", "\0", "a\nb", "::"]
)
SCALARS = st.one_of(WORDS, st.text(max_size=8), st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False))
NODES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3), max_leaves=6
)


def mapping(*fields: str) -> st.SearchStrategy[Any]:
    """Mostly texts, sometimes anything, and nothing at all in its place."""
    return st.one_of(st.fixed_dictionaries({}, optional={name: st.one_of(WORDS, NODES) for name in fields}), NODES)


CLUSTER = mapping(
    "server",
    "certificate-authority",
    "certificate-authority-data",
    "tls-server-name",
    "proxy-url",
    "insecure-skip-tls-verify",
    "extensions",
)
PLUGIN = mapping("command", "args", "env", "apiVersion", "interactiveMode", "provideClusterInfo")
USER = st.one_of(
    mapping(
        "token",
        "tokenFile",
        "client-certificate",
        "client-certificate-data",
        "client-key",
        "client-key-data",
        "as",
        "as-groups",
        "as-uid",
        "as-user-extra",
        "username",
        "password",
        "auth-provider",
    ),
    st.fixed_dictionaries({"exec": PLUGIN}),
)


def entries(below: str, content: st.SearchStrategy[Any], name: str) -> st.SearchStrategy[Any]:
    one = st.fixed_dictionaries({}, optional={"name": st.just(name) | NODES, below: content})
    return st.one_of(st.lists(one, min_size=1, max_size=2), st.just([{"name": name, below: {}}]), NODES)


DOCUMENTS = st.fixed_dictionaries(
    {"current-context": st.just("x") | NODES},
    optional={
        "contexts": entries(
            "context", st.just({"cluster": "c", "user": "u"}) | mapping("cluster", "user", "namespace"), "x"
        ),
        "clusters": entries("cluster", CLUSTER, "c"),
        "users": entries("user", USER, "u"),
        "kind": st.just("Config") | SCALARS,
    },
)


class Rewritten:
    """A server whose kubeconfig is written anew before each question."""

    def __init__(self, client: Client[Any], path: Path) -> None:
        self.client = client
        self.path = path

    async def ask(self, content: bytes) -> tuple[str, str]:
        """The code of the failure, or none, and what it complains of."""
        self.path.unlink()
        self.path.write_bytes(content)
        answer = await self.client.call_tool("k8s_get_cluster_configuration", {}, raise_on_error=False)
        if answer.is_error:
            body = (answer.meta or {})[ERROR_META]
            return body["code"], body["message"]
        return "", " ".join((answer.structured_content or {})["warnings"])


@pytest.fixture(scope="module")
async def rewritten(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rewritten]:
    path = tmp_path_factory.mktemp("shapes") / "config"
    path.write_text("")
    chosen = KubernetesSettings(kubeconfig=str(path), kube_timeout=scaled(10))
    async with Client(assemble(SERVER, chosen, patient())) as client:
        yield Rewritten(client, path)


@settings(max_examples=500, deadline=None)
@given(document=st.one_of(DOCUMENTS, DOCUMENTS, NODES))
async def test_k8_no_document_is_an_internal_error(document: Any, rewritten: Rewritten) -> None:
    code, message = await rewritten.ask(json.dumps(document).encode())
    assert code in ("", "unavailable"), message
    assert message


@settings(max_examples=300, deadline=None)
@given(content=st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode)))
async def test_k8_no_bytes_are_an_internal_error(content: bytes, rewritten: Rewritten) -> None:
    code, message = await rewritten.ask(content)
    assert code == "unavailable", message


@settings(max_examples=20, deadline=None)
@given(document=DOCUMENTS)
async def test_k8_no_document_stops_the_start(document: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("start") / "config"
    path.write_text(json.dumps(document))
    async with Client(assemble(SERVER, KubernetesSettings(kubeconfig=str(path)), patient())) as client:
        assert await client.list_tools()


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ({"preferences": 1}, "preferences"),
        ({"extensions": "x"}, "extensions"),
        ({"contexts": [{"name": "x", "context": {"extensions": 0}}]}, "contexts[0].context.extensions"),
        ({"users": [{"name": "u", "user": {"extensions": [1]}}]}, "users[0].user.extensions[0]"),
    ],
)
async def test_what_kubectl_does_not_load_is_refused_with_its_place(
    document: dict[str, Any], place: str, rewritten: Rewritten
) -> None:
    """Fields that nobody uses, too."""
    code, message = await rewritten.ask(json.dumps(document).encode())
    assert (code, place in message) == ("unavailable", True), message
