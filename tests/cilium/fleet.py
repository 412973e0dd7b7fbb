"""Many agents without a cluster: a loopback HTTP server that lists pods and runs commands as the API server does.

For what one machine cannot have: several nodes, nodes that are away, agents of several versions at once.
"""

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.kubernetes.making import kubeconfig

NAMESPACE = "kube-system"
VERSION = "1.19.5"
Argv = tuple[str, ...]


@dataclass(frozen=True)
class Output:
    """How a command ends."""

    stdout: str = ""
    stderr: str = ""
    code: int = 0
    """127 as the container runtime reports a program that the image does not have."""
    hangs: bool = False


def document(content: Any) -> Output:
    return Output(json.dumps(content))


@dataclass
class FakeAgent:
    """One node's agent: what it answers to each command line, and which ones it was asked."""

    node: str
    answer: Callable[[Argv], Output]
    ready: bool = True
    label: str = "k8s-app=cilium"
    ip: str = "10.0.0.1"
    version: str = VERSION
    asked: list[Argv] = field(default_factory=list)

    @property
    def pod(self) -> str:
        return f"cilium-{self.node}"

    def row(self) -> list[Any]:
        state = ("1/1", "Running") if self.ready else ("0/1", "CrashLoopBackOff")
        return [self.pod, *state, "0", "5m", self.ip, self.node, "<none>", "<none>"]

    def run(self, argv: Argv) -> Output:
        self.asked.append(argv)
        if argv == ("cilium-dbg", "version", "-o", "json"):
            return document({"Client": {"Version": self.version}, "Daemon": {"Version": self.version}})
        return self.answer(argv)


NOT_RECORDED = Output(stderr="Error: not recorded", code=1)


def answering(answers: Mapping[str, Any]) -> Callable[[Argv], Output]:
    """An agent that knows these command lines, without the program's name; a text is printed, all else is JSON."""

    def answer(argv: Argv) -> Output:
        found = answers.get(" ".join(argv[1:]), NOT_RECORDED)
        if isinstance(found, Output):
            return found
        return Output(found) if isinstance(found, str) else document(found)

    return answer


_AGENTS = web.AppKey("agents", dict[str, FakeAgent])
_OBJECTS = web.AppKey("objects", Mapping[str, Any])
KINDS = {
    "": {"pods": "Pod", "services": "Service", "secrets": "Secret", "configmaps": "ConfigMap", "nodes": "Node"},
    "apps": {"daemonsets": "DaemonSet", "deployments": "Deployment"},
    "cilium.io": {
        "ciliumendpoints": "CiliumEndpoint",
        "ciliumbgpnodeconfigs": "CiliumBGPNodeConfig",
        "ciliumnetworkpolicies": "CiliumNetworkPolicy",
    },
}
"""Kinds that the API server knows, by group and plural."""
_CLUSTER_SCOPED = ("nodes", "ciliumbgpnodeconfigs")


@asynccontextmanager
async def fleet(folder: Path, agents: list[FakeAgent], objects: Mapping[str, Any] | None = None) -> AsyncIterator[Path]:
    """A kubeconfig of a cluster that has these agents, and at these paths these objects (or lists of them)."""
    app = web.Application()
    app[_AGENTS] = {agent.pod: agent for agent in agents}
    app[_OBJECTS] = objects or {}
    app.router.add_get(f"/api/v1/namespaces/{NAMESPACE}/pods", _table)
    app.router.add_get("/api/v1/pods", _names)
    app.router.add_get(f"/api/v1/namespaces/{NAMESPACE}/pods/{{pod}}/exec", _exec)
    app.router.add_get("/api", _discovery)
    app.router.add_get("/apis", _discovery)
    app.router.add_get("/{path:.*}", _object)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield kubeconfig(str(site.name), folder)
    finally:
        await runner.cleanup()


async def _discovery(request: web.Request) -> web.Response:
    core = request.path == "/api"
    groups = {group: kinds for group, kinds in KINDS.items() if (group == "") is core}
    items = [_group(group, kinds) for group, kinds in groups.items()]
    return web.json_response({"kind": "APIGroupDiscoveryList", "items": items})


def _group(group: str, kinds: Mapping[str, str]) -> dict[str, Any]:
    version = "v2" if group == "cilium.io" else "v1"
    resources = [
        {
            "resource": plural,
            "singularResource": kind.lower(),
            "verbs": ["get", "list"],
            "scope": "Cluster" if plural in _CLUSTER_SCOPED else "Namespaced",
            "responseKind": {"group": group, "version": version, "kind": kind},
        }
        for plural, kind in kinds.items()
    ]
    return {"metadata": {"name": group}, "versions": [{"version": version, "resources": resources}]}


async def _object(request: web.Request) -> web.Response:
    """An object, or a page of a list; the continue token is the number of items that went before."""
    found = request.app[_OBJECTS].get(request.path)
    if found is None:
        return web.json_response({"kind": "Status", "message": f"{request.path} not found"}, status=404)
    if not isinstance(found, list):
        return web.json_response(found)
    start, limit = int(request.query.get("continue", 0)), int(request.query.get("limit", 500))
    more = str(start + limit) if start + limit < len(found) else ""
    body = {"kind": "List", "metadata": {"continue": more}, "items": found[start : start + limit]}
    rows = [{"cells": [item["metadata"]["name"]]} for item in found]
    return web.json_response({**body, "rows": rows} if "as=Table" in request.headers["Accept"] else body)


def _agents(request: web.Request) -> dict[str, FakeAgent]:
    return request.app[_AGENTS]


async def _table(request: web.Request) -> web.Response:
    names = ("Name", "Ready", "Status", "Restarts", "Age", "IP", "Node", "Nominated Node", "Readiness Gates")
    label = request.query.get("labelSelector", "")
    rows = [{"cells": agent.row()} for agent in _agents(request).values() if agent.label == label]
    columns = [{"name": name} for name in names]
    return web.json_response({"kind": "Table", "metadata": {}, "columnDefinitions": columns, "rows": rows})


async def _names(request: web.Request) -> web.Response:
    if "as=Table" in request.headers["Accept"]:
        return web.json_response(
            {"kind": "Table", "rows": [{"cells": agent.row()} for agent in _agents(request).values()]}
        )
    items = [{"metadata": {"name": pod, "namespace": NAMESPACE}} for pod in _agents(request)]
    # The API server writes null where there is none.
    return web.json_response({"kind": "PartialObjectMetadataList", "metadata": {}, "items": items or None})


async def _exec(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(protocols=("v5.channel.k8s.io",))
    await socket.prepare(request)
    output = _agents(request)[request.match_info["pod"]].run(tuple(request.query.getall("command")))
    if output.hangs:
        await socket.receive()  # the client leaving
        return socket
    for frame in _frames(output):
        await socket.send_bytes(frame)
    await socket.close()
    return socket


def _frames(output: Output) -> Iterator[bytes]:
    for channel, text in ((1, output.stdout), (2, output.stderr)):
        if text:
            yield bytes([channel]) + text.encode()
    yield bytes([3]) + json.dumps(_status(output.code)).encode()


def _status(code: int) -> dict[str, Any]:
    if not code:
        return {"status": "Success"}
    if code == 127:
        return {"status": "Failure", "message": "error executing command: executable file not found in $PATH"}
    return {"status": "Failure", "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]}}
