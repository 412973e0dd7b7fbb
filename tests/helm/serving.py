"""A chart repository and an OCI registry over real HTTP on loopback, with what the helm binary packaged."""

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

from tests.helm.conftest import CHARTS, Cli
from tests.serving import served

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def package(cli: Cli, folder: Path, *versions: str) -> list[Path]:
    """Archives of the chart `web` in these versions."""
    folder.mkdir(exist_ok=True)
    for version in versions:
        cli("package", str(CHARTS / "web"), "--version", version, "--destination", str(folder))
    return sorted(folder.glob("*.tgz"))


@asynccontextmanager
async def repository(cli: Cli, folder: Path, *versions: str) -> AsyncIterator[str]:
    """The URL of a repository that holds the chart in these versions; the folder can change while it is served."""
    package(cli, folder, *versions)
    cli("repo", "index", str(folder))
    app = Starlette()
    app.mount("/", StaticFiles(directory=folder))
    async with served(app, lifespan="off") as url:
        yield url


@asynccontextmanager
async def registry(archive: Path, name: str, version: str) -> AsyncIterator[str]:
    """`host:port` of a registry that holds one chart, as helm pushes it."""
    blobs, manifest = _artifact(archive)

    async def manifests(request: Request) -> Response:
        found = request.path_params["reference"] in (version, _digest(manifest))
        if request.path_params["name"] != name or not found:
            return JSONResponse({"errors": [{"code": "MANIFEST_UNKNOWN"}]}, 404)
        headers = {"Docker-Content-Digest": _digest(manifest)}
        return Response(manifest, media_type=MANIFEST, headers=headers)

    async def blob(request: Request) -> Response:
        content = blobs.get(request.path_params["digest"])
        return Response(content or b"", 200 if content else 404, media_type="application/octet-stream")

    async def tags(request: Request) -> Response:
        return JSONResponse({"name": name, "tags": [version]})

    async def base(request: Request) -> Response:
        return JSONResponse({})

    routes = [
        Route("/v2/", base),
        Route("/v2/{name:path}/manifests/{reference}", manifests, methods=["GET", "HEAD"]),
        Route("/v2/{name:path}/blobs/{digest}", blob, methods=["GET", "HEAD"]),
        Route("/v2/{name:path}/tags/list", tags),
    ]
    async with served(Starlette(routes=routes), lifespan="off") as url:
        yield url.removeprefix("http://")


def _artifact(archive: Path) -> tuple[dict[str, bytes], bytes]:
    content, config = archive.read_bytes(), b'{"name":"web","version":"1.2.3","apiVersion":"v2"}'
    chart_type = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": _described("application/vnd.cncf.helm.config.v1+json", config),
        "layers": [_described(chart_type, content)],
    }
    return {_digest(content): content, _digest(config): config}, json.dumps(manifest).encode()


def _described(media_type: str, content: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": _digest(content), "size": len(content)}


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
