"""What the controller serves about itself: health for the kubelet, metrics for Prometheus."""

import asyncio
import logging
import ssl
from collections.abc import Callable
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from kmcp_controller.cluster.access import Access, bearer
from kmcp_controller.telemetry.metrics import Metrics
from kmcp_runtime import serving
from kmcp_runtime.errors import ToolFailure

_LOG = logging.getLogger("kmcp.controller")
_SECONDS = 30.0  # between two looks at a certificate


def health(state: Callable[[], tuple[bool, str]]) -> Starlette:
    """`/healthz`: the process runs. `/readyz`: it does its work, and what to know of it; a restart would not help."""

    async def healthz(request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(request: Request) -> Response:
        ready, text = state()
        return PlainTextResponse(f"{text}\n", 200 if ready else 503)

    return Starlette(routes=[Route("/healthz", healthz), Route("/readyz", readyz)])


def exposition(metrics: Metrics, access: Access | None) -> Starlette:
    """`/metrics`; with `access` only for callers that may get that path, like the API server's own metrics."""

    async def serve(request: Request) -> Response:
        refused = await _check_access(access, request) if access else None
        return refused or Response(metrics.exposition(), media_type=metrics.content_type)

    return Starlette(routes=[Route("/metrics", serve)])


async def _check_access(access: Access, request: Request) -> Response | None:
    try:
        user = await access.read_user(bearer(request.headers))
        if user is None:
            text = "send a valid token of this cluster: Authorization: Bearer <token>\n"
            return PlainTextResponse(text, 401)
        if not await access.check_access(user, nonResourceAttributes={"path": "/metrics", "verb": "get"}):
            text = f"{user['username']} may not get /metrics: bind a ClusterRole with get on that nonResourceURL\n"
            return PlainTextResponse(text, 403)
    except ToolFailure as failure:
        return PlainTextResponse(f"cannot verify your token, the API server did not answer: {failure.message}\n", 503)
    return None


async def serve(app: ASGIApp, address: str, certificate: str = "", look: float = _SECONDS) -> None:
    """At `host:port`, with TLS by `tls.crt` and `tls.key` of a folder; nowhere at an empty address."""
    if not address:
        return
    host, _, port = address.rpartition(":")
    folder = Path(certificate) if certificate else None
    everywhere = "0.0.0.0"  # noqa: S104 - other pods ask the pod's address
    server = serving.server(app, host or everywhere, int(port), certificate=folder)
    renewing = asyncio.create_task(_renew(server, folder, look)) if folder else None
    try:
        await serving.run(server)
    finally:
        if renewing:
            renewing.cancel()


async def _renew(server: uvicorn.Server, folder: Path, look: float) -> None:
    """Take a certificate that was exchanged for the connections to come."""
    certificate = folder / "tls.crt"
    known = certificate.read_bytes()
    while True:
        await asyncio.sleep(look)
        now = certificate.read_bytes()
        if now == known or server.config.ssl is None:
            continue
        try:
            # Into the context that is in use: connections to come get it, those that are open go on.
            server.config.ssl.load_cert_chain(certificate, folder / "tls.key")
        except (OSError, ssl.SSLError) as error:
            _LOG.warning("the new certificate in %s cannot be used: %s", folder, error)
        known = now
