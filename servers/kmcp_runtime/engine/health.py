"""The management port: `/healthz` (MCP is served), `/readyz` (the backends answer), `/readyz/<server>`, `/metrics`."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from kmcp_runtime import redaction
from kmcp_runtime.engine.configured import ConfiguredServer
from kmcp_runtime.errors import ToolFailure

READY_SECONDS = 5.0


def app(instances: Sequence[ConfiguredServer], serving: Callable[[], bool]) -> Starlette:
    by_name = {instance.name: instance for instance in instances}

    async def healthz(request: Request) -> Response:
        return PlainTextResponse("ok\n") if serving() else PlainTextResponse("not serving yet\n", 503)

    async def readyz(request: Request) -> Response:
        states = dict(zip(by_name, await asyncio.gather(*map(readiness, by_name.values())), strict=True))
        ready = all(state["ready"] for state in states.values())
        # No reason to be taken out of service: what reads goes on, and the other replicas may have the same full disk.
        faults = instances[0].trail.faults()
        audit = {"audit": {"written": False, "reasons": faults}} if faults else {}
        return JSONResponse({"ready": ready, "servers": states, **audit}, 200 if ready else 503)

    async def readyz_of(request: Request) -> Response:
        instance = by_name.get(request.path_params["server"])
        if instance is None:
            return JSONResponse({"ready": False, "reason": "no such server", "hint": ", ".join(by_name)}, 404)
        state = await readiness(instance)
        return JSONResponse(state, 200 if state["ready"] else 503)

    async def metrics(request: Request) -> Response:
        recorded = instances[0].metrics
        return Response(recorded.exposition(), media_type=recorded.content_type)

    return Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/readyz/{server}", readyz_of),
            Route("/metrics", metrics),
        ]
    )


async def readiness(instance: ConfiguredServer) -> dict[str, Any]:
    """`{ready, reason, hint}` of one server's backend, asked now."""
    try:
        async with asyncio.timeout(READY_SECONDS):
            await instance.backend.ready()
    except ToolFailure as failure:
        return {"ready": False, "reason": redaction.text(failure.message), "hint": failure.hint}
    except TimeoutError:
        return {"ready": False, "reason": f"the backend did not answer within {READY_SECONDS:.0f} s", "hint": None}
    return {"ready": True, "reason": None, "hint": None}
