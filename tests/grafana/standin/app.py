"""The stand-in as a web application."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from tests.grafana.standin import administration, alerting, boards, objects, sources
from tests.grafana.standin.exchange import Exchange, Handler
from tests.grafana.standin.identity import allowed, identified
from tests.grafana.standin.shapes import Route, faults_of, published
from tests.grafana.standin.state import Refusal, State, new_state

HANDLERS: dict[str, Handler] = {
    **administration.HANDLERS,
    **alerting.HANDLERS,
    **boards.HANDLERS,
    **sources.HANDLERS,
    **objects.HANDLERS,
}


@dataclass
class StandIn:
    """`apis` tells whether the newer API is served; `lacks` are routes that this version does not have."""

    version: str = "13.1.0"
    apis: bool = True
    lacks: frozenset[str] = frozenset()
    state: State = field(default_factory=new_state)
    violations: list[str] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    """`METHOD template` of each request that was carried out."""
    arriving: Callable[[str, str], None] = lambda method, path: None
    """Called before each request: what somebody else does at that moment."""

    def wrote(self) -> list[str]:
        """The accepted requests that change something."""
        return [told for told in self.accepted if not told.startswith("GET ") and "/ds/query" not in told]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            request = Request(scope, receive)
            response = self._answer(request, await request.body())
            await response(scope, receive, send)

    def _answer(self, request: Request, content: bytes) -> Response:
        # Encoded slashes are part of a name, so the path is split as it was sent.
        path = request.scope["raw_path"].decode("ascii")
        self.arriving(request.method, path)
        try:
            status, body = self._carried_out(request, path, content)
        except Refusal as refusal:
            status, body = refusal.status, refusal.body
        return Response(status_code=status) if body is None else JSONResponse(body, status)

    def _carried_out(self, request: Request, path: str, content: bytes) -> tuple[int, Any]:
        if path == "/api/health":
            self.accepted.append("GET /api/health")
            return 200, {"commit": "abcdef0", "database": "ok", "version": self.version}
        route, params = self._route(request.method, path)
        identity = identified(self.state, request.headers)
        body = self._body(content)
        query = {name: request.query_params.getlist(name) for name in request.query_params}
        self._check(route, query, request, body)
        allowed(identity, route)
        exchange = Exchange(self.state, identity, params, query, body, dict(request.headers), self.version)
        answered = HANDLERS[f"{route.method} {route.template}"](exchange)
        self.accepted.append(f"{route.method} {route.template}")
        return answered

    def _route(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        known = False
        for route in (*published()[0], *objects.ROUTES):
            params = route.params(path)
            if params is None or route.template in self.lacks or (path.startswith("/apis") and not self.apis):
                continue
            known = True
            if route.method == method:
                return route, params
        if not path.startswith("/apis") and not self.lacks:
            self.violations.append(f"{method} {path} is not published")
        raise Refusal(405 if known else 404, "Not found")

    def _body(self, content: bytes) -> Any:
        try:
            return json.loads(content) if content else None
        except ValueError:
            raise Refusal(400, "bad request data") from None

    def _check(self, route: Route, query: dict[str, list[str]], request: Request, body: Any) -> None:
        found = list(faults_of(route, query, request.headers, body))
        if found:
            self.violations += [f"{route.method} {route.template}: {fault}" for fault in found]
            raise Refusal(400, f"bad request data: {'; '.join(found)}")
