"""The live catalog over HTTP, read-only: documents, exports, the MCP Registry API, and the page."""

import asyncio
import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from kmcp_runtime import serving
from kmcp_runtime.catalog import (
    CLIENTS,
    LISTINGS,
    Connection,
    ServerEntry,
    docker_entry,
    listing,
    server_json,
)
from kmcp_runtime.worker import run_in_thread

from .audience import Audience, TurnedAwayError
from .console import Console
from .live_document import LiveDocument, now
from .live_server import document as view
from .page.finding import Index
from .page.views import HEADERS
from .pages import Pages
from .registry import Query, QueryError, Registry
from .registry_rules import RegistryRules

_ONE = {"docker": docker_entry, "server-json": server_json}  # what a single server is in these formats
_VIEWS = 32  # of one state of the catalog: by the namespaces that callers may see
_PUBLISHING = ("POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True)
class _Body:
    document: Mapping[str, Any]
    text: bytes
    packed: bytes
    registry: Registry
    index: Index


class Site:
    """What the routes share."""

    def __init__(
        self,
        live: LiveDocument,
        entries: Mapping[str, ServerEntry],
        registry_namespace: str,
        commands: Callable[[], tuple[Connection, ...]] | None,
        sized: Callable[[int], None] | None,
        audience: Audience | None,
        console: Console | None,
    ) -> None:
        self._live, self._entries, self._registry_namespace = live, entries, registry_namespace
        self._commands, self._sized, self._audience = commands, sized, audience
        self._document: Mapping[str, Any] = {}
        self._made: dict[frozenset[str] | None, asyncio.Future[_Body]] = {}
        self._pages = Pages(live, self._make_index, self._connections, console, local=commands is not None)

    def routes(self) -> list[Route]:
        servers = "/v0.1/servers"
        return [
            *self._pages.routes(),
            Route("/healthz", _healthz),
            Route("/catalog.json", self._show_catalog),
            Route("/catalog/{namespace}/{name}.json", self._show_server),
            Route("/export/{format}", self._show_export),
            Route(servers, self._list_servers, methods=["GET"]),
            Route(servers + "/{name:path}/versions", self._list_versions, methods=["GET"]),
            Route(servers + "/{name:path}/versions/{version}", self._show_version, methods=["GET"]),
            Route("/v0.1/publish", _refuse_write, methods=[*_PUBLISHING]),
            Route(servers + "{rest:path}", _refuse_write, methods=[*_PUBLISHING]),
        ]

    async def _make_body(self, request: Request) -> _Body:
        """What the caller may see; made once for each state of the catalog, as hundreds of servers take a second."""
        seen = await self._list_visible(request)
        if self._document is not (document := self._live.document()):
            self._document, self._made = document, {}
        if seen not in self._made:
            # Callers with other rights see other documents: a bound, so that many of them cannot fill the memory.
            if len(self._made) >= _VIEWS:
                self._made.clear()
            # A task of its own, so that callers who come meanwhile wait for this one and do not make it again.
            making = asyncio.ensure_future(run_in_thread(self._view, document, list(self._live.removed()), seen))
            self._made[seen] = making
            making.add_done_callback(lambda done: self._forget_failed(seen, done))
        return await asyncio.shield(self._made[seen])

    def _forget_failed(self, seen: frozenset[str] | None, done: asyncio.Future[_Body]) -> None:
        if done.cancelled() or done.exception() is not None:
            self._made.pop(seen, None)

    def end_streams(self) -> None:
        self._pages.news.end()

    async def _make_index(self, request: Request) -> Index:
        return (await self._make_body(request)).index

    async def _list_visible(self, request: Request) -> frozenset[str] | None:
        """Namespaces; None: all."""
        if self._audience is None:
            return None
        listed = (*self._live.document()["servers"], *self._live.removed())
        return await self._audience.list_namespaces(request.headers, (each["namespace"] for each in listed))

    def _view(
        self, document: Mapping[str, Any], gone: Sequence[Mapping[str, Any]], seen: frozenset[str] | None
    ) -> _Body:
        removed = [each for each in gone if seen is None or each["namespace"] in seen]
        if seen is not None:
            document = view(each for each in document["servers"] if each["namespace"] in seen)
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        registry = Registry(document, removed, self._entries, self._registry_namespace)
        if self._sized and seen is None:
            self._sized(len(text))
        return _Body(document, text, gzip.compress(text, 5, mtime=0), registry, Index(document["servers"]))

    async def _show_catalog(self, request: Request) -> Response:
        body = await self._make_body(request)
        return _tagged(request, body.text, body.document["hash"], body.packed)

    async def _show_server(self, request: Request) -> Response:
        given = request.path_params
        seen, found = await self._list_visible(request), self._live.get(given["namespace"], given["name"])
        if found is None or (seen is not None and found["namespace"] not in seen):
            return PlainTextResponse("no such server\n", 404)
        return _tagged(request, json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode(), found["hash"])

    async def _show_export(self, request: Request) -> Response:
        form, transport = request.path_params["format"], request.query_params.get("transport", "http")
        if form not in (*CLIENTS, *LISTINGS) or transport not in ("http", "stdio"):
            known = ", ".join([*CLIENTS, *LISTINGS])
            return PlainTextResponse(f"formats: {known}; transport: http, stdio\n", 404)
        wanted = request.query_params.get("server")  # <namespace>/<name>
        seen = await self._make_body(request)
        servers = [each for each in seen.document["servers"] if wanted in (None, _path(each))]
        if wanted and not servers:
            return PlainTextResponse("no such server; server: <namespace>/<name>\n", 404)
        if form in CLIENTS:
            client, found = CLIENTS[form], self._connections(servers, transport)
            return Response(client.text(found), media_type=f"application/{client.language}", headers=HEADERS)
        entries = [seen.registry.live_listed(each) for each in servers]
        body = _ONE[form](entries[0]) if wanted and form in _ONE else listing(form, entries, now())
        return JSONResponse(body, headers=HEADERS)

    def _connections(self, servers: Sequence[Mapping[str, Any]], transport: str) -> tuple[Connection, ...]:
        if transport == "stdio":
            names = {server["name"] for server in servers}
            return tuple(each for each in (self._commands() if self._commands else ()) if each.name in names)
        shared = Counter(server["name"] for server in servers)
        # A client's configuration has one namespace of names: what two namespaces share is told apart by its path.
        names_of = {_path(each): each["name"] if shared[each["name"]] == 1 else _path(each) for each in servers}
        return tuple(
            Connection(names_of[_path(each)].replace("/", "-"), each["url"]) for each in servers if each["url"]
        )

    async def _list_servers(self, request: Request) -> Response:
        try:
            query = Query.of(request.query_params)
            return JSONResponse((await self._make_body(request)).registry.servers(query))
        except QueryError as error:
            return _problem(400, str(error))

    async def _list_versions(self, request: Request) -> Response:
        return _found((await self._make_body(request)).registry.versions(request.path_params["name"]))

    async def _show_version(self, request: Request) -> Response:
        given = request.path_params
        return _found((await self._make_body(request)).registry.version(given["name"], given["version"]))


def app(
    live: LiveDocument,
    entries: Mapping[str, ServerEntry],
    *,
    hosts: Iterable[str] | None = None,
    registry_namespace: str = "local.cluster",
    commands: Callable[[], tuple[Connection, ...]] | None = None,
    sized: Callable[[int], None] | None = None,
    audience: Audience | None = None,
    console: Console | None = None,
) -> Starlette:
    """`hosts`: the only names it answers to, any where None. `commands`: the servers a client could start itself.

    `sized` gets the bytes of each new catalog.json. `audience` decides who sees what; None: everyone sees everything.
    `console` calls tools from their pages; it needs `hosts` or `audience`, since either keeps strange pages out.
    """
    if console and hosts is None and audience is None:
        raise ValueError("a console needs the names of its host, or an audience")
    site = Site(live, entries, registry_namespace, commands, sized, audience, console)
    checks = [] if hosts is None else [Middleware(TrustedHostMiddleware, allowed_hosts=[*hosts], www_redirect=False)]
    packing = Middleware(GZipMiddleware, minimum_size=1024)
    handlers = {TurnedAwayError: _answer_turned_away}
    # On one machine the pages of the web are strangers; in a cluster the registry is as open as its network.
    rules = Middleware(RegistryRules, local=hosts is not None)
    made = Starlette(routes=site.routes(), middleware=[*checks, rules, packing], exception_handlers=handlers)
    setattr(made.state, serving.END_STREAMS, site.end_streams)
    return made


def _tagged(request: Request, text: bytes, tag: str, packed: bytes | None = None) -> Response:
    """The ETag is the hash, and a digest of all of the body, so that a change of readiness is never answered with 304.

    A client that sends the bare hash only wants to know about tools.
    """
    etag = f'"{tag}-{hashlib.sha256(text).hexdigest()[:12]}"'
    # Authorization: the same URL answers callers with other rights with other documents.
    headers = {"ETag": etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding, Authorization", **HEADERS}
    known = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
    if {etag, f'"{tag}"'} & set(known):
        return Response(status_code=304, headers=headers)
    if packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(packed, media_type="application/json", headers={**headers, "Content-Encoding": "gzip"})
    return Response(text, media_type="application/json", headers=headers)


async def _healthz(request: Request) -> Response:
    return PlainTextResponse("ok\n")


async def _answer_turned_away(request: Request, error: Exception) -> Response:
    assert isinstance(error, TurnedAwayError)
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}
    return PlainTextResponse(f"{error}\n", error.status, headers)


async def _refuse_write(request: Request) -> Response:
    return _problem(501, "this registry is read-only: it lists the MCPServers of a cluster; create one of those")


def _found(body: dict[str, Any] | None) -> Response:
    return _problem(404, "no such server or version") if body is None else JSONResponse(body)


def _problem(status: int, detail: str) -> Response:
    titles = {400: "Bad Request", 404: "Not Found", 501: "Not Implemented"}
    return JSONResponse({"title": titles[status], "status": status, "detail": detail}, status)


def _path(server: Mapping[str, Any]) -> str:
    return f"{server['namespace']}/{server['name']}"
