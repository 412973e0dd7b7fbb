"""Stand-in for `kmcp-suite serve`: one tool a server; a server named `absent` has no backend."""

import argparse
import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import uvicorn
from fastmcp import FastMCP
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route


def mcp_server(name: str) -> FastMCP[None]:
    server: FastMCP[None] = FastMCP(f"kmcp-{name}", version="1.0.0")

    async def process(word: str) -> str:
        """Say which process answers."""
        return f"{word} {os.getpid()}"

    annotations = {"readOnlyHint": True, "destructiveHint": False}
    server.tool(name=f"{name}_process", title="Process", annotations=annotations)(process)
    return server


def mcp_app(names: list[str]) -> Starlette:
    apps = [mcp_server(name).http_app(path=f"/{name}/mcp", stateless_http=True) for name in names]

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for each in apps:
                await stack.enter_async_context(each.router.lifespan_context(each))
            yield

    return Starlette(routes=[route for each in apps for route in each.routes], lifespan=lifespan)


async def healthz(request: Request) -> Response:
    return PlainTextResponse("ok")


async def readyz(request: Request) -> Response:
    if request.path_params["server"] == "absent":
        return JSONResponse({"ready": False, "reason": "no cluster", "hint": "set KUBECONFIG"}, 503)
    return JSONResponse({"ready": True, "reason": None, "hint": None})


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="+")
    parser.add_argument("--transport")
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    parser.add_argument("--management-port", type=int)
    given = parser.parse_args()
    management = Starlette(routes=[Route("/healthz", healthz), Route("/readyz/{server}", readyz)])
    served = [
        uvicorn.Server(uvicorn.Config(app, given.host, port, log_level="warning"))
        for app, port in ((mcp_app(given.names), given.port), (management, given.management_port))
    ]
    await asyncio.gather(*(each.serve() for each in served))


if __name__ == "__main__":
    asyncio.run(main())
