"""Pages in browsers: none may send requests here, or read answers, but those of the configured origins.

A page that anybody wrote can make the browser of somebody inside send requests to a server that only they can reach,
and by DNS rebinding even under a host name of its own. The protocol therefore demands that Origin is always checked.
"""

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from kmcp_runtime.engine.requests import BAD_HOST, BAD_ORIGIN
from kmcp_runtime.urls import is_loopback

_METHODS = ("GET", "POST", "DELETE")
_OF_THIS_MACHINE = ("http://127.0.0.1:*", "http://localhost:*", "http://[::1]:*")
# What a client has to read of an answer.
_EXPOSED = ("Mcp-Session-Id", "MCP-Protocol-Version", "WWW-Authenticate", "Retry-After")


def guarded(app: ASGIApp, origins: Sequence[str], hosts: Sequence[str], local: bool) -> ASGIApp:
    """`origins` are those that may use the app from a page, each exact, or with `*` as its port.

    Where hosts are named, or the server is local, Host is checked as well (by the framework), so that a page of the
    server's own origin is what it says; elsewhere only a named origin is good enough.
    """
    if origins:
        return CORSMiddleware(
            app,
            allow_origin_regex=_expression(origins),
            allow_methods=_METHODS,
            allow_headers=["*"],
            expose_headers=_EXPOSED,
        )
    return app if hosts or local else _NamedOrigins(app, ())


def fenced(app: ASGIApp, origins: Sequence[str], hosts: Sequence[str], local: bool) -> ASGIApp:
    """`guarded` for an app that is not the framework's: Host and Origin are checked here as it checks them."""
    if local or hosts:
        app = _OwnNames(app, hosts)
    if local or hosts or origins:
        app = _NamedOrigins(app, [*origins, *_OF_THIS_MACHINE])
    return guarded(app, origins, hosts, local)


def own_names_only(app: ASGIApp, host: str, hosts: Sequence[str]) -> ASGIApp:
    """A management port on loopback takes no Host that was bound to this machine afterwards (DNS rebinding).

    Elsewhere any will do: probes and scrapers use the addresses of pods, which nobody knows here.
    """
    return _OwnNames(app, hosts) if is_loopback(host) else app


def is_named(host: str, names: Iterable[str]) -> bool:
    """Whether a Host is one of these names or patterns: by what the framework goes by at the main port.

    Ports and case do not count; `*` and `?` stand for other text, and `[…]` for one of these characters.
    """
    name = _without_port(host)
    return any(fnmatchcase(name, _without_port(each)) for each in names)


def _without_port(host: str) -> str:
    host = host.strip().lower()
    if host.startswith("[") and "]" in host:
        return host[1 : host.index("]")]
    return host.rpartition(":")[0] if host.count(":") == 1 else host


class _OwnNames:
    """Refuses a Host that is neither a loopback address, nor `localhost`, nor one that is named."""

    def __init__(self, app: ASGIApp, names: Sequence[str]) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._is_own(Headers(scope=scope).get("host", "")):
            await PlainTextResponse(BAD_HOST, 421)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_own(self, host: str) -> bool:
        return is_loopback(_without_port(host)) or is_named(host, self._names)


class _NamedOrigins:
    """Refuses whatever comes from a page of another origin; programs send no Origin."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        self._app = app
        self._named = re.compile(_expression(origins)) if origins else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        origin = Headers(scope=scope).get("origin") if scope["type"] == "http" else None
        if origin is not None and not (self._named and self._named.fullmatch(origin)):
            await PlainTextResponse(BAD_ORIGIN, 403)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _expression(origins: Iterable[str]) -> str:
    return "|".join(re.escape(each).replace(r"\*", r"[0-9]+") for each in origins)
