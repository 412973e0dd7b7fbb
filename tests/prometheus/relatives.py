"""Backends that speak a part of Prometheus' API: what they lack is 404, what they do not know they ignore."""

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

BUILDS = {
    "thanos": {"version": "0.39.2", "revision": "abc", "branch": "HEAD", "goVersion": "go1.25"},
    "mimir": {"application": "Grafana Mimir", "version": "3.0.1", "revision": "abc"},
    "victoriametrics": {"version": "2.24.0"},
    "prometheus": {"version": "2.53.0", "revision": "abc"},
    "unknown": {"name": "something"},
}


def relative(answers: dict[str, Any], methods: tuple[str, ...] = ("GET", "POST"), **more: Any) -> Starlette:
    """An application that answers `data` by path below /api/v1, whatever is asked with it; `more` stands beside it."""

    def served(data: Any) -> Any:
        async def endpoint(request: Request) -> Response:
            return JSONResponse({"status": "success", "data": data, **more})

        return endpoint

    async def absent(request: Request, error: Exception) -> Response:
        return PlainTextResponse("404 page not found\n", 404)

    routes = [Route(f"/api/v1{path}", served(data), methods=list(methods)) for path, data in answers.items()]
    return Starlette(routes=routes, exception_handlers={404: absent})


def vector(count: int) -> dict[str, Any]:
    series = [{"metric": {"__name__": "up", "n": str(n)}, "value": [1, "1"]} for n in range(count)]
    return {"resultType": "vector", "result": series}


def groups(count: int) -> dict[str, Any]:
    """Groups of a recording and an alerting rule each."""
    return {
        "groups": [
            {
                "name": f"g{n}",
                "file": f"f{n}.yaml",
                "rules": [
                    {"name": f"r{n}", "query": "up", "health": "ok", "type": "recording", "labels": {"n": str(n)}},
                    {
                        "name": f"a{n}",
                        "query": "up",
                        "health": "ok",
                        "type": "alerting",
                        "state": "firing",
                        "duration": 0,
                        "labels": {},
                        "annotations": {},
                    },
                ],
            }
            for n in range(count)
        ]
    }
