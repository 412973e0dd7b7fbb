"""The controller against the real API server, one namespace for each test."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import pytest

from kmcp_controller.cli.commands import plan
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.config import load_contexts
from tests.cluster.model import Cluster as Given
from tests.controller.driving import Driver
from tests.controller.planning import Told
from tests.mcpservers import serve_mcpservers
from tests.patience import limits

PROGRAM = "import sys; from kmcp_controller.cli.commands import controller; sys.exit(controller(sys.argv[1:]))"


class Start(Protocol):
    """Starts a controller of the test's namespace as a process; its log goes to `<name>.log` in the test's folder."""

    async def __call__(self, name: str, *flags: str) -> asyncio.subprocess.Process: ...


@pytest.fixture
async def start(driver: Driver, tmp_path: Path) -> AsyncIterator[Start]:
    processes: list[asyncio.subprocess.Process] = []

    async def begin(name: str, *more: str) -> asyncio.subprocess.Process:
        flags = ["--kubeconfig", str(driver.given.kubeconfig), "--watch-namespaces", driver.namespace]
        flags += ["--controller-namespace", driver.namespace, "--controller-pod", name]
        flags += ["--health-address", "", "--catalog-port", "0", *more]
        with (tmp_path / f"{name}.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", PROGRAM, *flags, env=dict(os.environ), stderr=log
            )
        processes.append(process)
        return process

    yield begin
    for each in processes:
        with suppress(ProcessLookupError):
            each.kill()
        await each.wait()


@pytest.fixture
async def api(cluster: Given) -> AsyncIterator[KubeApi]:
    """The API server with the controller's own credentials."""
    contexts = load_contexts(str(cluster.kubeconfig))
    found = KubeApi(contexts, contexts.named(None), limits())
    yield found
    await found.close()


@pytest.fixture
async def definition(api: KubeApi) -> None:
    await serve_mcpservers(api)


@pytest.fixture
async def driver(definition: None, cluster: Given, api: KubeApi, namespace: str) -> AsyncIterator[Driver]:
    """A test's hand on its namespace; controllers that it starts end with it."""
    found = Driver(api, namespace, cluster)
    yield found
    await found.close()


@pytest.fixture
def tell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)  # where no catalog is: reading it takes longer than all the rest

    def run(content: str | bytes, *flags: str) -> Told:
        file = tmp_path / "m.yaml"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        capsys.readouterr()
        code = plan(["-f", str(file), *flags])
        printed = capsys.readouterr()
        return Told(code, printed.out, printed.err.replace(f"{file}", "m.yaml"))

    return run
