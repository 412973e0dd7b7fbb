"""The catalog over HTTP, on loopback: the document, client configuration, and a page to read. No script, no asset."""

import base64
import hashlib
import json
from collections.abc import Callable
from html import escape
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from kmcp_runtime.catalog import FORMATS, Connection, export

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c1e21}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.3rem .6rem;"
    "border-bottom:1px solid #ddd}code,pre{font:14px/1.4 ui-monospace,monospace}"
    "pre{background:#f4f5f7;padding:.8rem;overflow:auto}.no{color:#a3210b}.yes{color:#17682a}summary{cursor:pointer}"
)
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
Connections = Callable[[str], tuple[Connection, ...]]  # by transport: http or stdio


def app(document: Callable[[], dict[str, Any]], connections: Connections, host: str) -> Starlette:
    async def catalog(request: Request) -> Response:
        found = document()
        return _tagged(request, found, found["hash"])

    async def one(request: Request) -> Response:
        wanted = request.path_params["namespace"], request.path_params["name"]
        for server in document()["servers"]:
            if (server["namespace"], server["name"]) == wanted:
                return _tagged(request, server, server["hash"])
        return PlainTextResponse("no such server\n", 404)

    async def exported(request: Request) -> Response:
        form, transport = request.path_params["format"], request.query_params.get("transport", "http")
        if form not in FORMATS or transport not in ("http", "stdio"):
            return PlainTextResponse(f"formats: {', '.join(FORMATS)}; transport: http, stdio\n", 404)
        return JSONResponse(export(form, connections(transport)), headers=_HEADERS)

    async def page(request: Request) -> Response:
        query, effect = request.query_params.get("q", ""), request.query_params.get("effect", "")
        return HTMLResponse(_page(document(), connections, query, effect), headers=_HEADERS)

    async def healthz(request: Request) -> Response:
        return PlainTextResponse("ok\n")

    hosts = ["127.0.0.1", "localhost", "[::1]", host]  # another Host is a rebound name: a web page reading along
    return Starlette(
        routes=[
            Route("/", page),
            Route("/healthz", healthz),
            Route("/catalog.json", catalog),
            Route("/catalog/{namespace}/{name}.json", one),
            Route("/export/{format}", exported),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=hosts)],
    )


def _tagged(request: Request, body: dict[str, Any], tag: str) -> Response:
    """With an ETag over all of the body, readiness too, so that a reader of the page is never told old news."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    etag = f'"{tag}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"'
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers={"ETag": etag})
    return Response(text, media_type="application/json", headers={"ETag": etag, **_HEADERS})


def _page(document: dict[str, Any], connections: Connections, query: str, effect: str) -> str:
    options = "".join(
        f"<option{' selected' if each == effect else ''}>{each}</option>" for each in ("", "read", "write", "destroy")
    )
    servers = "".join(_server(server, query.lower(), effect) for server in document["servers"])
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>kmcp-suite catalog</title>'
        f"<style>{_STYLE}</style><h1>Catalog</h1>"
        f'<form><label>Search <input name="q" value="{escape(query)}"></label> '
        f'<label>Effect <select name="effect">{options}</select></label> <button>Show</button></form>'
        f'{servers}<h2>Connect a client</h2>{_clients(connections)}<p><a href="/catalog.json">catalog.json</a>'
    )


def _server(server: dict[str, Any], query: str, effect: str) -> str:
    rows = "".join(_tool(tool) for tool in server["tools"] if _shown(server, tool, query, effect))
    state, style = ("Ready", "yes") if server["ready"] else (f"not ready: {server['reason']}", "no")
    conditions = "".join(
        f"<tr><td>{escape(each['type'])}<td>{escape(each['status'])}<td>{escape(each['reason'])}"
        f"<td>{escape(each['message'])}"
        for each in server["conditions"]
    )
    message = "" if server["ready"] else f"<p>{escape(server['message'] or '')}"
    return (
        f'<h2>{escape(server["name"])} <small class="{style}">{escape(state)}</small></h2>{message}'
        f"<p><code>{escape(server['url'])}</code> — {server['toolCount']} tools, {server['tokens']} tokens"
        f"<details><summary>Conditions</summary><table>{conditions}</table></details>"
        f"<table><tr><th>Tool<th>Effect<th>What it does{rows}</table>"
    )


def _shown(server: dict[str, Any], tool: dict[str, Any], query: str, effect: str) -> bool:
    text = f"{server['name']} {tool['name']} {tool['title']} {tool['description']}".lower()
    return query in text and effect in ("", tool["effect"])


def _tool(tool: dict[str, Any]) -> str:
    schema = escape(json.dumps(tool["inputSchema"], indent=1, ensure_ascii=False))
    problems = "".join(f'<p class="no">{escape(problem)}' for problem in tool["problems"])
    return (
        f"<tr><td><code>{escape(tool['name'])}</code><td>{escape(tool['effect'])}<td>{escape(tool['description'])}"
        f"{problems}<details><summary>Arguments</summary><pre>{schema}</pre></details>"
    )


def _clients(connections: Connections) -> str:
    shown = [(form, transport) for transport in ("http", "stdio") for form in FORMATS]
    return "".join(
        f"<details><summary>{form}, {transport}</summary><pre>"
        f"{escape(json.dumps(export(form, connections(transport)), indent=2))}</pre></details>"
        for form, transport in shown
    )
