"""What the helm binary is given: seen by a program in its place that writes down what it got."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from fastmcp import Client

from kmcp_helm.server import SERVER
from kmcp_runtime.engine.assembly import assemble
from kmcp_runtime.helm.settings import HelmSettings
from tests.cluster.model import Cluster
from tests.helm.conftest import CHARTS
from tests.mcp import ToolCaller
from tests.patience import patient
from tests.slowness import scaled

RECORDER = """#!{python}
import json, os, pathlib, sys
argv = sys.argv[1:]
if argv[0] == "version":
    print("{version}")
    sys.exit()
paths = [part.split("=", 1)[1] for part in argv if part.startswith("--values=")] + [os.environ["KUBECONFIG"]]
files = {{}}
for path in map(pathlib.Path, paths):
    if path.is_file():
        files[str(path)] = {{"mode": oct(path.stat().st_mode & 0o777), "text": path.read_text()}}
record = {{"argv": argv, "environment": dict(os.environ), "files": files, "beside": os.listdir(".")}}
pathlib.Path("{record}").write_text(json.dumps(record))
chart = {{"metadata": {{"name": "web", "version": "1.2.3"}}}}
print("Pulled: something\\nDigest: sha256:1")
print(json.dumps({{"name": "web", "namespace": "x", "version": 1, "info": {{"status": "deployed"}}, "chart": chart}}))
"""


class Recorder:
    """A stand-in for the binary, and what it has seen last."""

    def __init__(self, folder: Path, version: str) -> None:
        self.program, self._record = folder / "helm", folder / "record.json"
        self.program.write_text(RECORDER.format(python=sys.executable, version=version, record=self._record))
        self.program.chmod(0o700)

    def seen(self) -> Any:
        return json.loads(self._record.read_text())


@asynccontextmanager
async def caller(cluster: Cluster, program: Path, **settings: str) -> AsyncIterator[ToolCaller]:
    given = HelmSettings(
        kubeconfig=str(cluster.kubeconfig),
        kube_timeout=scaled(30),
        helm=str(program),
        chart_directory=str(CHARTS),
        **settings,
    )
    async with Client(assemble(SERVER, given, patient(approval="off"))) as client:
        yield ToolCaller(client)


@pytest.mark.cluster
async def test_flags_come_first_and_operands_after_two_dashes(cluster: Cluster, tmp_path: Path, namespace: str) -> None:
    recorder = Recorder(tmp_path, "v3.22.0")
    async with caller(cluster, recorder.program) as tools:
        await tools.ok(
            "helm_upgrade",
            name="web",
            namespace=namespace,
            chart="web",
            install=True,
            atomic=True,
            wait=True,
            values={"auth": {"password": "planted-value"}},
            set={"auth.token": "planted-set"},
            values_mode="reset_then_reuse",
            timeout_seconds=60,
        )
    seen = recorder.seen()
    split = seen["argv"].index("--")
    flags, operands = seen["argv"][1:split], seen["argv"][split + 1 :]
    assert seen["argv"][0] == "upgrade"
    assert operands == ["web", str(CHARTS / "web")]
    assert all(flag.startswith("--") for flag in flags)
    for wanted in (
        f"--namespace={namespace}",
        "--output=json",
        "--timeout=60s",
        "--reset-then-reuse-values",
        "--install",
        "--wait",
        "--atomic",
    ):
        assert wanted in flags
    assert "--create-namespace" not in flags


@pytest.mark.cluster
async def test_values_and_credentials_are_in_private_files_that_go_away(
    cluster: Cluster, tmp_path: Path, namespace: str
) -> None:
    recorder = Recorder(tmp_path, "v3.22.0")
    async with caller(cluster, recorder.program) as tools:
        await tools.ok(
            "helm_upgrade",
            name="web",
            namespace=namespace,
            chart="web",
            install=True,
            values={"auth": {"password": "planted-value"}},
            set={"auth.token": "planted-set"},
        )
        seen = recorder.seen()
        assert "planted" not in json.dumps([seen["argv"], seen["environment"]])
        kubeconfig = seen["environment"]["KUBECONFIG"]
        assert {found["mode"] for found in seen["files"].values()} == {"0o600"}
        (values,) = [found["text"] for path, found in seen["files"].items() if path != kubeconfig]
        assert json.loads(values) == {"auth": {"password": "planted-value", "token": "planted-set"}}
        document = json.loads(seen["files"][kubeconfig]["text"])
        admin = yaml.safe_load(cluster.kubeconfig.read_text())
        assert document["clusters"][0]["cluster"]["server"] == admin["clusters"][0]["cluster"]["server"]
        assert document["users"][0]["user"]
        assert not [path for path in seen["files"] if Path(path).exists()]
    assert seen["beside"] == []


@pytest.mark.cluster
async def test_the_environment_is_its_own(
    cluster: Cluster, tmp_path: Path, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HELM_KUBETOKEN", "planted-token")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test")
    for spelling in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(spelling, str(urlsplit(cluster.server()).hostname))
    recorder = Recorder(tmp_path, "v3.22.0")
    async with caller(cluster, recorder.program, helm_driver="configmap", helm_registries="/x/config.json") as tools:
        await tools.ok("helm_upgrade", name="web", namespace=namespace, chart="web", install=True)
    environment = recorder.seen()["environment"]
    assert not {"HELM_KUBETOKEN", "HTTPS_PROXY", "KMCP_TEST_CLUSTER"} & set(environment)
    assert environment["HELM_DRIVER"] == "configmap"
    assert environment["HELM_REGISTRY_CONFIG"] == "/x/config.json"
    own = environment["HOME"].rpartition("/")[0]
    for name in ("HELM_CONFIG_HOME", "HELM_CACHE_HOME", "HELM_DATA_HOME", "HELM_PLUGINS", "TMPDIR", "KUBECONFIG"):
        assert environment[name].startswith(own), name
    assert not Path(own).exists()


@asynccontextmanager
async def forward_proxy() -> AsyncIterator[tuple[str, list[str]]]:
    """The URL of a proxy for HTTPS on loopback, and the hosts that it was asked for."""
    asked: list[str] = []

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while content := await reader.read(65536):
                writer.write(content)
                await writer.drain()
        writer.close()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        target = head.split(" ")[1]
        asked.append(target)
        upstream = await asyncio.open_connection(*target.rsplit(":", 1))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(copy(reader, upstream[1]), copy(upstream[0], writer))

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked


@pytest.mark.cluster
async def test_the_proxy_of_the_environment_reaches_helm_for_the_api_server_alone(
    cluster: Cluster, tmp_path: Path, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(tmp_path, "v3.22.0")
    for spelling in ("NO_PROXY", "no_proxy", "https_proxy"):
        monkeypatch.delenv(spelling, raising=False)
    async with forward_proxy() as (url, asked):
        monkeypatch.setenv("HTTPS_PROXY", url)
        async with caller(cluster, recorder.program) as tools:
            await tools.ok("helm_upgrade", name="web", namespace=namespace, chart="web", install=True)
    seen = recorder.seen()
    document = json.loads(seen["files"][seen["environment"]["KUBECONFIG"]]["text"])
    assert document["clusters"][0]["cluster"]["proxy-url"] == url
    assert not [name for name in seen["environment"] if name.lower().endswith("_proxy")]
    assert {*asked} == {urlsplit(cluster.server()).netloc}


@pytest.mark.cluster
async def test_helm_4_gets_its_own_names_of_flags(cluster: Cluster, tmp_path: Path, namespace: str) -> None:
    recorder = Recorder(tmp_path, "v4.2.0+gabc")
    async with caller(cluster, recorder.program) as tools:
        about = {"name": "web", "namespace": namespace, "chart": "web", "install": True}
        await tools.ok("helm_upgrade", **about, atomic=True)
        assert "--rollback-on-failure" in recorder.seen()["argv"]
        await tools.ok("helm_upgrade", **about, dry_run=True)
        # The judge renders last, as the cluster would: what a template looks up is there then.
        assert "--dry-run=server" in recorder.seen()["argv"]


@pytest.mark.cluster
async def test_without_the_binary_reading_works_and_writing_says_what_to_do(cluster: Cluster, namespace: str) -> None:
    async with caller(cluster, Path("/no/such/helm")) as tools:
        assert (await tools.ok("helm_list_releases", namespace=namespace))["items"] == []
        error = await tools.fails("helm_upgrade", name="web", namespace=namespace, chart="web", install=True)
        assert error["code"] == "unavailable"
        assert "/no/such/helm" in error["message"]
        assert "KMCP_HELM" in error["hint"]


@pytest.mark.cluster
async def test_a_program_that_is_no_helm_is_told(cluster: Cluster, tmp_path: Path, namespace: str) -> None:
    for printed in ("GNU coreutils 9", "v3.22.0"):
        program = tmp_path / "other"
        program.write_text(f"#!/bin/sh\necho '{printed}'\n")
        program.chmod(0o700)
        async with caller(cluster, program) as tools:
            error = await tools.fails("helm_upgrade", name="web", namespace=namespace, chart="web", install=True)
            assert error["code"] == "unavailable"
            assert "KMCP_HELM" in error["hint"]
