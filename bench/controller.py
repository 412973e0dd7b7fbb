"""`python -m bench controller`: hundreds of MCPServers at once, against plain applies of the same objects.

The plain client creates the MCPServers, applies what the controller would render and writes the same status, with as
many requests at a time as the controller has workers. Everything runs in one session on one API server.
"""

import asyncio
import contextlib
import os
import re
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from bench.goal import Goal
from bench.programs import Program, running
from kmcp_controller import status
from kmcp_controller.cluster.client import KINDS, MANAGER
from kmcp_controller.render import render
from kmcp_controller.spec import Platform, parse
from kmcp_runtime.kube.api import KubeApi
from tests.applying import APPLY
from tests.cluster.model import Cluster
from tests.mcpservers import serve_mcpservers
from tests.waiting import until

WORKERS = 16
_PROGRAM = (
    # As in its image, which holds no `kubernetes` package: kopf imports that where it is installed.
    "import sys; sys.modules['kubernetes'] = None; from kmcp_controller.cli.commands import controller; "
    "sys.exit(controller(sys.argv[1:]))"
)
_REQUESTS = "kmcp_controller_api_requests_total"
_WRITE = re.compile(_REQUESTS + r'\{code="\w+",resource="([^"]+)",verb="(?:P\w+|DELETE)"\} (\S+)')
_QUIET_SECONDS = 13.0  # longer than the catalog waits between two publications
Object = Mapping[str, Any]


@dataclass
class Measured:
    """What one way to make the objects of all servers took."""

    seconds: float
    after_creation: float
    cpu: float
    memory_mib: float = 0.0


@dataclass
class Outcome:
    """What the controller took; writes are those of the whole life, and of a start over what is as it should be."""

    ours: Measured
    writes: dict[str, int]
    restart_writes: dict[str, int]
    restart_cpu: float


async def measure(api: KubeApi, cluster: Cluster, count: int) -> list[Goal]:
    await serve_mcpservers(api)
    async with _namespace(api) as name:
        plain = await _run_plain_client(api, name, count)
    async with _namespace(api) as name:
        return _goals(plain, await run_controller(api, cluster, name, count), count)


@contextlib.asynccontextmanager
async def _namespace(api: KubeApi) -> AsyncIterator[str]:
    """Gone at the end with all that was in it: a test cluster has addresses for a thousand Services."""
    path, name = "/api/v1/namespaces", f"bench-controller-{uuid.uuid4().hex[:6]}"
    await api.send("POST", path, (), {"metadata": {"name": name}})
    try:
        yield name
    finally:
        await api.send("DELETE", f"{path}/{name}")

        async def gone() -> bool:
            found = await api.get(path)
            return name not in {each["metadata"]["name"] for each in found["items"]}

        await until(gone, seconds=600, what=f"the end of namespace {name}")


def manifest(number: int) -> Object:
    deployment = {"image": "localhost/none:1", "replicas": 0, "env": {"LEVEL": "info"}}
    spec = {"transportType": "http", "deployment": deployment}
    metadata = {"name": f"server-{number:04}"}
    return {"apiVersion": "kagent.dev/v1alpha1", "kind": "MCPServer", "metadata": metadata, "spec": spec}


async def _create_servers(api: KubeApi, namespace: str, count: int) -> list[Object]:
    path = KINDS["MCPServer"].path(namespace)
    return await _run_each(range(count), lambda number: api.send("POST", path, (), manifest(number)))


async def _run_plain_client(api: KubeApi, namespace: str, count: int) -> Measured:
    cpu, began = time.process_time(), time.monotonic()
    servers = await _create_servers(api, namespace, count)
    created = time.monotonic()
    await _run_each(servers, lambda server: _apply_all(api, server))
    return Measured(time.monotonic() - began, time.monotonic() - created, time.process_time() - cpu)


async def _apply_all(api: KubeApi, server: Object) -> None:
    for each in render(parse(server, Platform()), Platform()):
        await _apply(api, each)
    conditions = status.merge([], status.conditions(status.Observed()), 1, "2026-01-01T00:00:00Z")
    identity = {key: server["metadata"][key] for key in ("name", "namespace", "uid")}
    body = {"apiVersion": server["apiVersion"], "kind": server["kind"], "metadata": identity}
    await _apply(api, {**body, "status": {"conditions": conditions, "observedGeneration": 1}}, "status")


async def _apply(api: KubeApi, body: Object, subresource: str | None = None) -> None:
    metadata = body["metadata"]
    path = KINDS[body["kind"]].path(metadata["namespace"], metadata["name"], subresource)
    await api.send("PATCH", path, [("fieldManager", MANAGER), ("force", "true")], body, APPLY)


async def _run_each(items: Any, run: Callable[[Any], Awaitable[Any]]) -> list[Any]:
    slots = asyncio.Semaphore(WORKERS)

    async def one(item: Any) -> Any:
        async with slots:
            return await run(item)

    return await asyncio.gather(*map(one, items))


async def run_controller(api: KubeApi, cluster: Cluster, namespace: str, count: int) -> Outcome:
    """So many MCPServers at once in an empty namespace, then the controller killed and started again."""
    with running(_command(cluster, namespace), {}) as program:
        await _wait_for_metrics(program, lambda text: "kmcp_controller_leader 1.0" in text)
        cpu, began = program.cpu_seconds(), time.monotonic()
        await _create_servers(api, namespace, count)
        created = time.monotonic()
        await _wait_for_metrics(program, lambda text: _writes(text).get("mcpservers/status", 0) >= count)
        ended = time.monotonic()
        await _check(api, namespace, count)
        writes = _writes(await _wait_until_quiet(program))
        spent = program.cpu_seconds() - cpu
        ours = Measured(ended - began, ended - created, spent, program.peak_mib())
        program.process.kill()
    with running(_command(cluster, namespace), {}) as program:
        enough = re.compile(r'^kmcp_controller_reconciles_total\{result="ok"\} (\S+)', re.MULTILINE)
        await _wait_for_metrics(program, lambda text: float((enough.findall(text) or [0])[0]) >= count)
        return Outcome(ours, writes, _writes(await _wait_until_quiet(program)), program.cpu_seconds())


def _command(cluster: Cluster, namespace: str) -> list[str]:
    flags = ["--kubeconfig", str(cluster.kubeconfig), "--watch-namespaces", namespace, "--workers", str(WORKERS)]
    flags += ["--controller-namespace", namespace, "--controller-pod", "bench", "--health-address", ""]
    return [sys.executable, "-c", _PROGRAM, *flags, "--catalog-port", "0", "--metrics-address", "127.0.0.1:{port}"]


async def _check(api: KubeApi, namespace: str, count: int) -> None:
    found = await api.get(KINDS["MCPServer"].path(namespace))
    programmed = [
        each
        for each in found["items"]
        for condition in each["status"]["conditions"]
        if (condition["type"], condition["status"]) == ("Programmed", "True")
    ]
    if len(programmed) != count:
        raise RuntimeError(f"{len(programmed)} of {count} MCPServers are Programmed")


def _writes(text: str) -> dict[str, int]:
    """Writes by resource, but for the Lease, which is renewed as long as a controller runs."""
    found: dict[str, int] = {}
    for line in text.splitlines():
        if (match := _WRITE.match(line)) and match[1] != "leases":
            found[match[1]] = found.get(match[1], 0) + int(float(match[2]))
    return found


async def _wait_for_metrics(program: Program, holds: Callable[[str], bool]) -> str:
    """The metrics once that holds."""
    async with httpx2.AsyncClient(trust_env=False) as http:

        async def look() -> str:
            return (await http.get(program.url.replace("/mcp", "/metrics"))).text

        return await until(look, holds, 600, "what the metrics should show", pause=0.5)


async def _wait_until_quiet(program: Program) -> str:
    """The metrics once nothing was written for a while."""
    text = await _wait_for_metrics(program, bool)
    while True:
        await asyncio.sleep(_QUIET_SECONDS)
        # Events are written behind the statuses, so the last status is not the last write.
        before, text = text, await _wait_for_metrics(program, bool)
        if _writes(before) == _writes(text):
            return text


def _goals(plain: Measured, found: Outcome, count: int) -> list[Goal]:
    ours = found.ours
    for name, each in (("plain", plain), ("ours", ours)):
        print(
            f"{name:6} {each.seconds:5.1f} s, {each.after_creation:5.1f} s after the last create, CPU {each.cpu:.2f} s"
        )
    print(f"start over {count} servers: CPU {found.restart_cpu:.2f} s, writes {found.restart_writes}")
    print(f"load of the machine {os.getloadavg()[0]:.1f}\n")
    writes = sum(found.writes.values()) - found.writes.get("configmaps", 0)  # the catalog's, at most one in 10 s
    return [
        Goal("seconds from the last create until all are Programmed", ours.after_creation, 10),
        Goal("time until all are Programmed: ours / plain applies", ours.seconds / plain.seconds, 2),
        Goal("writes a server: three objects, a status, an Event", writes / count, 5),
        Goal("memory, MiB", ours.memory_mib, 120),
        Goal("writes of a start over servers that are as they should be", sum(found.restart_writes.values()), 0),
    ]
