"""The cluster's API server as one that lacks API groups or objects, which may be there for other tests."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.failures import StatusFailure
from tests.kubernetes.making import kubeconfig
from tests.serving import served

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@asynccontextmanager
async def without_groups(api: KubeApi, folder: Path, *groups: str) -> AsyncIterator[Path]:
    """A kubeconfig of it, for as long as the block lasts; every request is the administrator's."""

    async def answer(request: Request) -> Response:
        # The raw path: what a proxy path names may hold encoded slashes.
        path = request.scope["raw_path"].decode()
        if _is_of(path, groups):
            return Response(json.dumps({"kind": "Status", "message": "404 page not found"}), 404)
        status, content = await _forward(api, request, path)
        return Response(_hidden(path, content, groups), status, media_type="application/json")

    async with _answering(answer, folder) as config:
        yield config


@asynccontextmanager
async def without_labelled(api: KubeApi, folder: Path, selector: str) -> AsyncIterator[Path]:
    """`without_groups` for the objects that this label selector finds, in every namespace."""

    async def answer(request: Request) -> Response:
        status, content = await _forward(api, request, request.scope["raw_path"].decode())
        if request.query_params.get("labelSelector") == selector:
            # An empty list is null in what Go programs answer, and clients must take it so.
            content = json.dumps({**json.loads(content), "items": None}).encode()
        return Response(content, status, media_type="application/json")

    async with _answering(answer, folder) as config:
        yield config


@asynccontextmanager
async def _answering(answer: Callable[[Request], Awaitable[Response]], folder: Path) -> AsyncIterator[Path]:
    async with served(Starlette(routes=[Route("/{path:path}", answer, methods=_METHODS)])) as url:
        yield kubeconfig(url, folder)


async def _forward(api: KubeApi, request: Request, path: str) -> tuple[int, bytes]:
    body = await request.body()
    try:
        return 200, await api.raw(
            request.method,
            path,
            list(request.query_params.multi_items()),
            json.loads(body) if body else None,
            request.headers.get("content-type", ""),
            request.headers.get("accept", ""),
        )
    except StatusFailure as failure:
        return failure.http_status, json.dumps(failure.status).encode()


def _hidden(path: str, content: bytes, groups: tuple[str, ...]) -> bytes:
    """What names groups, without these."""
    if path == "/apis":
        found = json.loads(content)
        found["items"] = [item for item in found["items"] if item["metadata"]["name"] not in groups]
        return json.dumps(found).encode()
    if path == "/openapi/v3":
        found = json.loads(content)
        found["paths"] = {key: value for key, value in found["paths"].items() if not _is_of(key, groups)}
        return json.dumps(found).encode()
    return content


def _is_of(path: str, groups: tuple[str, ...]) -> bool:
    return any(part in groups for part in path.split("/"))
