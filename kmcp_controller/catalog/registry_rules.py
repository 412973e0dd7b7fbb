"""What the registry API asks beside its lists: cross-origin requests, slashes at the end, health, ping and version."""

import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kmcp_runtime.version import VERSION

PREFIX = "/v0.1/"
_OF_THIS_MACHINE = re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?")
_ALLOWED = {
    # GitHub asks for these on each answer, and by name; for browsers the star does not stand for Authorization.
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, *",
}
_BODIES = {
    "/v0.1/health": {"status": "ok"},
    "/v0.1/ping": {"pong": True},
    "/v0.1/version": {"version": VERSION, "git_commit": "", "build_time": ""},
}


class RegistryRules:
    """ASGI middleware of the paths below `/v0.1/`; others pass through.

    `local`: only pages that this machine serves may read answers. Else any may: the API is public by its standard, and
    no browser sends credentials along.
    """

    def __init__(self, app: ASGIApp, local: bool) -> None:
        self._app, self._local = app, local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self._app(scope, receive, send)
            return
        # The standard's clients append one, and a redirect would lose what they asked.
        path = scope["path"].rstrip("/")
        scope = {**scope, "path": path, "raw_path": scope.get("raw_path", b"").rstrip(b"/")}
        allowed = self._allowed_origin(Headers(scope=scope).get("origin", ""))

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.add_vary_header("Origin")
                if allowed:
                    headers.update({"Access-Control-Allow-Origin": allowed, **_ALLOWED})
            await send(message)

        await (_own_answer(scope) or self._app)(scope, receive, answer)

    def _allowed_origin(self, origin: str) -> str:
        if not self._local:
            return "*"
        return origin if _OF_THIS_MACHINE.fullmatch(origin) else ""


def _own_answer(scope: Scope) -> Response | None:
    if scope["method"] == "OPTIONS":
        return Response(status_code=204, headers={**_ALLOWED, "Access-Control-Max-Age": "3600"})
    if scope["method"] in ("GET", "HEAD") and scope["path"] in _BODIES:
        return JSONResponse(_BODIES[scope["path"]])
    return None
