"""What a caller is told when the cluster is away, slow, not a cluster, or does not take the credentials."""

import asyncio
import json
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastmcp import Client
from fastmcp.client.transports import StdioTransport

from kmcp_kubernetes.server import SERVER
from kmcp_kubernetes.settings import KubernetesSettings
from kmcp_runtime import ToolFailure
from kmcp_runtime.engine.assembly import assemble, http_app
from kmcp_runtime.engine.configured import ConfiguredServer, Process
from kmcp_runtime.kube.api import KubeApi
from tests.cluster.model import Cluster
from tests.kubernetes.in_pod import in_a_pod
from tests.mcp import ToolCaller
from tests.patience import patient
from tests.ports import free_ports
from tests.serving import served
from tests.slowness import scaled

PODS: dict[str, Any] = {"resource_type": "pods"}


def kubeconfig(folder: Path, server: str, user: dict[str, Any] | None = None, **cluster: Any) -> Path:
    path = folder / "kubeconfig"
    path.write_text(
        json.dumps(
            {
                "current-context": "test",
                "contexts": [{"name": "test", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
                "users": [{"name": "u", "user": user or {"token": "planted-token-of-a-kubeconfig"}}],
            }
        )
    )
    return path


@asynccontextmanager
async def on(path: Path | str, **runtime: Any) -> AsyncIterator[ToolCaller]:
    mcp = assemble(SERVER, KubernetesSettings(kubeconfig=str(path)), patient(**runtime))
    async with Client(mcp) as client:
        yield ToolCaller(client)


async def readiness(path: Path | str) -> ToolFailure:
    instance = ConfiguredServer(SERVER, KubernetesSettings(kubeconfig=str(path)), Process.of(patient()))
    async with instance.opened():
        with pytest.raises(ToolFailure) as caught:
            await instance.backend.ready()
    return caught.value


async def test_an_api_server_that_is_down(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    path = kubeconfig(tmp_path, f"http://127.0.0.1:{port}")
    async with on(path) as caller:
        error = await caller.fails("k8s_get_resources", **PODS)
    assert error["code"] == "unavailable"
    assert f"http://127.0.0.1:{port}" in error["message"]
    assert "refused" in error["message"].lower()
    assert "context 'test'" in error["hint"]
    assert "planted-token" not in json.dumps(error)
    assert (await readiness(path)).code == "unavailable"


async def test_an_api_server_that_never_answers(tmp_path: Path) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with on(kubeconfig(tmp_path, f"http://127.0.0.1:{port}"), timeout=1) as caller:
            error = await caller.fails("k8s_get_resources", **PODS)
    assert error["code"] == "timed_out"
    assert "1 s" in error["message"]


async def test_a_web_server_that_is_no_api_server(tmp_path: Path) -> None:
    async def page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\n<html>")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(page, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with on(kubeconfig(tmp_path, f"http://127.0.0.1:{port}")) as caller:
            error = await caller.fails("k8s_get_resources", **PODS)
    assert error["code"] == "unavailable"
    assert "is a Kubernetes API server" in error["hint"]


async def test_no_cluster_at_all_says_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    async with on("") as caller:
        error = await caller.fails("k8s_get_resources", **PODS)
        assert error["code"] == "unavailable"
        assert "KUBECONFIG" in error["hint"]
        # One that appears later is taken without a restart.
        (tmp_path / ".kube").mkdir()
        kubeconfig(tmp_path / ".kube", "http://127.0.0.1:9").rename(tmp_path / ".kube" / "config")
        assert "127.0.0.1:9" in (await caller.fails("k8s_get_resources", **PODS))["message"]


@pytest.mark.parametrize(
    ("text", "told"),
    [("a: [", "is not valid YAML, line 1"), ("a: b", "has no contexts"), (None, "does not exist")],
)
async def test_a_broken_kubeconfig_is_named_with_its_fault(tmp_path: Path, text: str | None, told: str) -> None:
    path = tmp_path / "broken"
    if text is not None:
        path.write_text(text)
    async with on(path) as caller:
        error = await caller.fails("k8s_get_resources", **PODS)
    assert str(path) in error["message"]
    assert told in error["message"]


@pytest.mark.parametrize("names", [["one"], ["one", "two"]])
async def test_without_a_current_context_the_hint_names_what_there_is(names: list[str], tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, "http://127.0.0.1:9")
    document = json.loads(path.read_text())
    contexts = [{**document["contexts"][0], "name": name} for name in names]
    path.write_text(json.dumps({**document, "contexts": contexts, "current-context": ""}))
    async with on(path) as caller:
        (offered,) = {"context" in tool.input_schema["properties"] for tool in await caller.client.list_tools()}
        error = await caller.fails("k8s_get_resources", **PODS)
    assert offered is (len(names) > 1)
    assert error["hint"].startswith("give context, or set" if offered else "set current-context")


@pytest.mark.cluster
async def test_credentials_that_are_not_accepted(cluster: Cluster, tmp_path: Path) -> None:
    admin = yaml.safe_load(cluster.kubeconfig.read_text())
    where = admin["clusters"][0]["cluster"]
    path = kubeconfig(tmp_path, where.pop("server"), {"token": "an-expired-token-of-yesterday"}, **where)
    async with on(path) as caller:
        error = await caller.fails("k8s_get_resources", **PODS)
    assert error["code"] == "forbidden", error
    assert error["message"] == "Unauthorized"
    assert "may have expired" in error["hint"]
    assert "an-expired-token" not in json.dumps(error)


@pytest.mark.cluster
async def test_an_exec_plugin_is_asked_again_once(cluster: Cluster, tmp_path: Path) -> None:
    admin = yaml.safe_load(cluster.kubeconfig.read_text())
    where = admin["clusters"][0]["cluster"]
    counter = tmp_path / "asked"
    program = tmp_path / "plugin.py"
    program.write_text(
        textwrap.dedent(f"""
        import json
        with open({str(counter)!r}, "a") as log: log.write("x")
        status = {{"token": "rotten", "expirationTimestamp": "2099-01-01T00:00:00Z"}}
        answer = {{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}}
        print(json.dumps(answer))
        """)
    )
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": [str(program)],
        "interactiveMode": "Never",
    }
    path = kubeconfig(tmp_path, where.pop("server"), {"exec": plugin}, **where)
    async with on(path) as caller:
        error = await caller.fails("k8s_get_resources", **PODS)
    assert error["code"] == "forbidden"
    assert counter.read_text() == "xx"


@pytest.mark.cluster
async def test_a_context_is_an_argument_only_where_there_are_several(
    cluster: Cluster, tmp_path: Path, namespace: str
) -> None:
    document = yaml.safe_load(cluster.kubeconfig.read_text())
    first = document["contexts"][0]
    second = {"name": "second", "context": {**first["context"], "namespace": namespace}}
    path = tmp_path / "two"
    path.write_text(yaml.safe_dump({**document, "contexts": [first, second]}))
    async with on(cluster.kubeconfig) as caller:
        for tool in await caller.client.list_tools():
            assert "context" not in tool.input_schema["properties"]
    async with on(path) as caller:
        for tool in await caller.client.list_tools():
            assert tool.input_schema["properties"]["context"]["enum"] == [first["name"], "second"], tool.name
        assert (await caller.ok("k8s_get_resources", **PODS))["namespace"] == "default"
        assert (await caller.ok("k8s_get_resources", **PODS, context="second"))["namespace"] == namespace
        error = await caller.fails("k8s_get_resources", **PODS, context="third")
        assert "'second'" in error["message"]
    only = KubernetesSettings(kubeconfig=str(path), contexts="second")
    async with Client(assemble(SERVER, only)) as client:
        assert (await ToolCaller(client).ok("k8s_get_resources", **PODS))["namespace"] == namespace


@pytest.mark.cluster
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_every_tool_is_listed_over_http_and_stdio_and_reads_the_cluster(cluster: Cluster, mode: Any) -> None:
    settings = KubernetesSettings(kubeconfig=str(cluster.kubeconfig), kube_timeout=scaled(30))
    instance = ConfiguredServer(SERVER, settings, Process.of(patient()))
    flags = ["-m", "kmcp_kubernetes.server", "--transport", "stdio", "--kubeconfig", str(cluster.kubeconfig)]
    stdio = StdioTransport(sys.executable, flags, keep_alive=False)
    async with instance.opened(), served(http_app("kmcp-kubernetes", [instance], None)) as url:
        async with Client(f"{url}/mcp", mode=mode) as over_http, Client(stdio, mode=mode) as over_stdio:
            for client in (over_http, over_stdio):
                assert len(await client.list_tools()) == len(SERVER.tools())
                nodes = await ToolCaller(client).ok("k8s_get_resources", resource_type="namespaces", output="names")
                assert "kube-system" in nodes["items"]


@pytest.mark.pods
async def test_the_service_account_of_a_pod_is_used_where_there_is_no_kubeconfig(
    cluster: Cluster, api: KubeApi, namespace: str, tmp_path: Path
) -> None:
    """The program in a mount namespace of its own that has what a pod has at `/var/run/secrets`."""
    transport = await in_a_pod(cluster, api, namespace, tmp_path)
    async with Client(transport) as client:
        caller = ToolCaller(client)
        configuration = await caller.ok("k8s_get_cluster_configuration")
        assert configuration["in_cluster"] is True
        assert configuration["contexts"][0]["namespace"] == namespace
        error = await caller.fails("k8s_get_resources", **PODS)
        assert f"system:serviceaccount:{namespace}:default" in error["message"]
        assert 'cannot list resource "pods"' in error["message"]


def test_the_kubernetes_client_is_imported_only_when_a_backend_is_opened() -> None:
    look = "any(name.startswith(('kubernetes', 'aiohttp')) for name in sys.modules)"
    program = f"import sys, kmcp_kubernetes.server; print({look})"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"
