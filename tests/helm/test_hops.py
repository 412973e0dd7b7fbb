"""Every hop and every reference of a chart is held to the configuration (H5): a trap on another port is never asked."""

import json
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from kmcp_runtime.helm.schemas import check
from tests.helm.conftest import CHARTS, Cli
from tests.helm.serving import package
from tests.helm.test_repositories import serving
from tests.mcp import ToolCaller
from tests.serving import served


@pytest.fixture
def cli(helm: Path, tmp_path: Path) -> Cli:
    return Cli(helm, tmp_path)


@dataclass
class Trap:
    """A server that the configuration does not name, with the paths that it was asked for."""

    url: str
    asked: list[str] = field(default_factory=list)


@asynccontextmanager
async def trap(content: bytes) -> AsyncIterator[Trap]:
    found = Trap("")

    async def answer(request: Request) -> Response:
        found.asked.append(request.url.path)
        return Response(content)

    async with served(Starlette(routes=[Route("/{path:path}", answer)]), lifespan="off") as url:
        found.url = url
        yield found


def redirecting(place: str, **more: Any) -> Starlette:
    """Answers every path with a redirect there, but for those of `more`."""

    async def answer(request: Request) -> Response:
        path = request.path_params["path"]
        if path in more:
            return JSONResponse(more[path]) if isinstance(more[path], dict) else Response(more[path])
        return RedirectResponse(f"{place}/{path}", 302)

    return Starlette(routes=[Route("/{path:path}", answer)])


INDEX = {"apiVersion": "v1", "entries": {"web": [{"name": "web", "version": "1.0.0", "apiVersion": "v2"}]}}


def index(*urls: str) -> bytes:
    document = json.loads(json.dumps(INDEX))
    document["entries"]["web"][0]["urls"] = list(urls)
    return yaml.safe_dump(document).encode()


async def refused(tools: ToolCaller, chart: str, **more: Any) -> str:
    error = await tools.fails("helm_show", chart=chart, **more)
    assert error["code"] == "denied", error
    return str(error["message"])


async def test_a_redirect_to_a_host_that_is_not_allowed(helm: Path, cli: Cli, tmp_path: Path) -> None:
    (archive,) = package(cli, tmp_path / "archives", "1.0.0")
    async with trap(archive.read_bytes()) as other:
        async with served(redirecting(other.url), lifespan="off") as url, serving(helm, chart_hosts=url) as tools:
            assert "a redirect leads to" in await refused(tools, f"{url}/web-1.0.0.tgz")
            error = await tools.fails("helm_repo_add", name="new", url=url)
            assert (error["code"], other.url in error["message"]) == ("denied", True)
            assert other.asked == []
        # A host that is configured may be the end of a redirect.
        both = redirecting(other.url)
        async with served(both, lifespan="off") as url, serving(helm, chart_hosts=f"{url},{other.url}") as tools:
            assert (await tools.ok("helm_show", chart=f"{url}/web-1.0.0.tgz"))["version"] == "1.0.0"


async def test_a_redirect_to_no_address(helm: Path) -> None:
    async with served(redirecting("http://[x"), lifespan="off") as url, serving(helm, chart_hosts=url) as tools:
        error = await tools.fails("helm_show", chart=f"{url}/web-1.0.0.tgz")
    assert (error["code"], "redirects to what is not an address" in error["message"]) == ("unavailable", True), error


@pytest.mark.parametrize(
    "form", ["http:{place}/x.tgz", "{place}/x.tgz", "http://169.254.169.254/x.tgz", "\\\\{place}/x.tgz"]
)
async def test_an_index_that_points_elsewhere(helm: Path, form: str) -> None:
    async with trap(b"") as other:
        place = other.url.removeprefix("http:")
        app = redirecting(other.url, **{"index.yaml": index(form.format(place=place))})
        async with served(app, lifespan="off") as url, serving(helm, chart_repositories=f"stable={url}") as tools:
            error = await tools.fails("helm_show", chart="stable/web")
        assert error["code"] in ("denied", "bad_argument"), error
        assert other.asked == []


async def test_an_archive_beside_the_index_that_redirects(helm: Path) -> None:
    async with trap(b"") as other:
        app = redirecting(other.url, **{"index.yaml": index("charts/web.tgz")})
        async with served(app, lifespan="off") as url, serving(helm, chart_repositories=f"stable={url}") as tools:
            assert other.url in await refused(tools, "stable/web")
        assert other.asked == []


def _registry(place: str, realm: str | None) -> Starlette:
    """A registry whose blobs are elsewhere, or that asks for a token from elsewhere."""
    layer = {"mediaType": "application/vnd.cncf.helm.chart.content.v1.tar+gzip", "digest": f"sha256:{'0' * 64}"}

    async def manifests(request: Request) -> Response:
        if realm and "authorization" not in request.headers:
            challenge = f'Bearer realm="{realm}",service="x",scope="repository:charts/web:pull"'
            return Response(status_code=401, headers={"WWW-Authenticate": challenge})
        return JSONResponse({"layers": [layer]})

    async def blob(request: Request) -> Response:
        return RedirectResponse(f"{place}/blob", 307)

    return Starlette(
        routes=[Route("/v2/charts/web/manifests/{tag}", manifests), Route("/v2/charts/web/blobs/{digest}", blob)]
    )


@pytest.mark.parametrize("asks", ["blob", "token"])
async def test_a_registry_that_leads_elsewhere(helm: Path, asks: str) -> None:
    async with trap(b'{"token": "planted"}') as other:
        app = _registry(other.url, f"{other.url}/token" if asks == "token" else None)
        async with served(app, lifespan="off") as url, serving(helm, chart_hosts=url) as tools:
            place = url.removeprefix("http://")
            assert other.url in await refused(tools, f"oci://{place}/charts/web", version="1.0.0")
        assert other.asked == []


async def test_a_login_does_not_follow_to_another_host(helm: Path, cli: Cli, tmp_path: Path) -> None:
    seen: list[dict[str, str]] = []
    (archive,) = package(cli, tmp_path / "archives", "1.0.0")

    async def answer(request: Request) -> Response:
        seen.append(dict(request.headers))
        return Response(archive.read_bytes())

    async with served(Starlette(routes=[Route("/{path:path}", answer)]), lifespan="off") as other:
        app = redirecting(other, **{"index.yaml": index("web.tgz")})
        async with served(app, lifespan="off") as url:
            entry = {"name": "private", "url": url, "username": "me", "password": "planted-repository-password"}
            path = tmp_path / "repositories.yaml"
            path.write_text(yaml.safe_dump({"apiVersion": "", "repositories": [entry]}))
            async with serving(helm, helm_repositories=str(path), chart_hosts=other) as tools:
                assert (await tools.ok("helm_show", chart="private/web"))["version"] == "1.0.0"
    assert [request.get("authorization") for request in seen] == [None]


def chart_with(folder: Path, schema: Any, where: str = "values.schema.json") -> Path:
    """An archive of a chart with this schema."""
    root = folder / "web"
    path = root / where
    path.parent.mkdir(parents=True, exist_ok=True)
    (root / "Chart.yaml").write_text("apiVersion: v2\nname: web\nversion: 1.0.0\n")
    path.write_text(json.dumps(schema))
    archive = folder / "web-1.0.0.tgz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(root, "web")
    return archive


OUTSIDE: list[Any] = [
    {"$ref": "http://127.0.0.1:9/x"},
    {"$ref": "https://localhost/x#/definitions/a"},
    {"$ref": "file:///etc/passwd"},
    {"$ref": "other.json"},
    {"$ref": "/etc/passwd"},
    {"properties": {"a": {"allOf": [{"$ref": "//host/x"}]}}},
    {"$schema": "http://127.0.0.1:9/meta"},
    {"$dynamicRef": "http://127.0.0.1:9/x#a"},
    {"$id": "http://127.0.0.1:9/a/", "$ref": "b"},
    {"enum": [{"$id": "http://127.0.0.1:9/x"}], "properties": {"a": {"$ref": "http://127.0.0.1:9/x"}}},
    {"$ref": " HTTP://127.0.0.1:9/x"},
    {"$ref": "http://json-schema.org/draft-99/schema"},
    {"$ref": "http://json-schema.org.evil.test/schema"},
]
INSIDE: list[Any] = [
    {"$schema": "http://json-schema.org/schema#", "$ref": "#/definitions/a", "definitions": {"a": True}},
    {"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": {"a": {"$anchor": "x"}}, "$ref": "#x"},
    {"$id": "https://example.com/web.json", "properties": {"$ref": {"type": "string"}}},
    {"properties": {"a": {"$ref": "http://json-schema.org/draft-07/schema#"}}},
    {"$ref": "urn:nowhere"},
]


@pytest.mark.parametrize("schema", OUTSIDE)
@pytest.mark.parametrize("where", ["values.schema.json", "charts/sub/values.schema.json"])
async def test_a_schema_that_refers_to_another_place(helm: Path, tmp_path: Path, schema: Any, where: str) -> None:
    chart_with(tmp_path, schema, where)
    async with serving(helm, chart_directory=str(tmp_path)) as tools:
        for chart in ("web", "web-1.0.0.tgz"):
            message = await refused(tools, chart, what="template")
            assert "outside of itself" in message
            assert "root:" not in message


async def test_a_schema_in_the_archive_of_a_dependency(helm: Path, tmp_path: Path) -> None:
    inner = chart_with(tmp_path, {"$ref": "file:///etc/passwd"})
    outer = tmp_path / "outer"
    (outer / "charts").mkdir(parents=True)
    (outer / "Chart.yaml").write_text("apiVersion: v2\nname: outer\nversion: 1.0.0\n")
    inner.rename(outer / "charts" / "web-1.0.0.tgz")
    async with serving(helm, chart_directory=str(tmp_path)) as tools:
        assert "outside of itself" in await refused(tools, "outer", what="template")


@pytest.mark.parametrize("schema", INSIDE)
async def test_a_schema_that_refers_to_itself_is_taken(helm: Path, tmp_path: Path, schema: Any) -> None:
    chart_with(tmp_path, schema)
    async with serving(helm, chart_directory=str(tmp_path)) as tools:
        await tools.ok("helm_show", chart="web", what="template", values={"a": True})


def test_the_charts_of_the_tests_are_taken() -> None:
    for chart in CHARTS.iterdir():
        check(chart)
