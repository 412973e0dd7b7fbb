"""The controller as a process: settings, logs, health, and the watches until a signal."""

import asyncio
import json
import logging
import sys
import uuid
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from kmcp_runtime import serving
from kmcp_runtime.catalog import Catalog, load
from kmcp_runtime.kube.api import KubeApi, Limits
from kmcp_runtime.kube.config import load_contexts
from kmcp_runtime.kube.credentials import native
from kmcp_runtime.output import redact
from kmcp_runtime.settings import listed
from kmcp_runtime.version import VERSION

from . import handlers
from .cataloguing import Catalogue
from .cluster import Cluster
from .control import Controller, Place
from .reconcile import Options
from .settings import ControllerSettings
from .site import app


async def run(settings: ControllerSettings) -> None:
    contexts = load_contexts(settings.kubeconfig)
    context = contexts.named(None)
    api = KubeApi(contexts, context, Limits(pool=settings.workers * 2), native)
    place = Place(
        namespaces=listed(settings.watch_namespaces),
        lease_namespace=settings.controller_namespace if settings.leader_election else "",
        identity=settings.controller_pod or f"controller-{uuid.uuid4().hex[:8]}",
        deployment=settings.controller_deployment,
        workers=settings.workers,
    )
    cluster = Cluster(api, settings.requests_per_second)
    controller = Controller(cluster, options(settings), place)
    shipped = _shipped(settings)
    catalogue = Catalogue(
        controller,
        cluster,
        settings.controller_namespace,
        shipped,
        settings.platform(),
        version=VERSION,
        ask_interval=settings.discovery_interval,
        pin=settings.pin,
        discovery=settings.discovery,
    )
    pages = app(catalogue.live, shipped.servers if shipped else {}, registry_namespace=settings.registry_namespace)
    serving = asyncio.gather(
        _serve(health(controller), settings.health_address),
        _serve(pages, f":{settings.catalog_port}" if settings.catalog_port else ""),
    )
    try:
        await handlers.run(controller, await native(contexts, context), context)
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        await api.close()


def options(settings: ControllerSettings) -> Options:
    shipped = _shipped(settings)
    return Options(
        platform=settings.platform(),
        entries=shipped.servers if shipped else {},
        former_managers=listed(settings.former_managers),
        read_secrets=settings.reference_secrets != "none",
    )


def _shipped(settings: ControllerSettings) -> Catalog | None:
    file = settings.catalog_file
    return load(Path(file).read_text(), file) if file else None


def health(controller: Controller) -> Starlette:
    """`/healthz`: the process runs. `/readyz`: the API server has answered lately; a restart would not help it."""

    async def healthz(request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(request: Request) -> Response:
        if controller.answering:
            return PlainTextResponse("ok\n")
        return PlainTextResponse("the API server has not answered for a minute\n", 503)

    return Starlette(routes=[Route("/healthz", healthz), Route("/readyz", readyz)])


async def _serve(app: Starlette, address: str) -> None:
    if not address:
        return
    host, _, port = address.rpartition(":")
    await serving.server(app, host or "0.0.0.0", int(port)).serve()  # noqa: S104 - other pods ask the pod's address


class JSONLines(logging.Formatter):
    """One JSON object a line; `object` is the `namespace/name` that it concerns."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": self.formatTime(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "object": getattr(record, "object", None),
            "message": redact.text(record.getMessage()),
            "error": redact.text(self.formatException(record.exc_info)) if record.exc_info else None,
        }
        return json.dumps({key: value for key, value in line.items() if value is not None}, ensure_ascii=False)


def configure_logs(level: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JSONLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in ("httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(logging.WARNING)
