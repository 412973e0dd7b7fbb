"""The controller as a process: settings, what it serves, and the watches until a signal."""

import asyncio
import uuid
from pathlib import Path

from starlette.types import ASGIApp

from kmcp_controller.catalog.audience import Audience
from kmcp_controller.catalog.site import app
from kmcp_controller.cluster import watches
from kmcp_controller.cluster.access import Access
from kmcp_controller.cluster.client import Cluster
from kmcp_controller.reconcile.options import Options
from kmcp_runtime.catalog import Catalog, load_parts
from kmcp_runtime.catalog_changes import merged
from kmcp_runtime.kube import credentials
from kmcp_runtime.kube.api import KubeApi, Limits
from kmcp_runtime.kube.config import load_contexts
from kmcp_runtime.settings import listed
from kmcp_runtime.watchdog import Watchdog

from .controller import Controller, Place
from .live_catalog import LiveCatalog
from .management import exposition, health, serve
from .settings import ControllerSettings


async def run(settings: ControllerSettings) -> None:
    contexts = load_contexts(settings.kubeconfig)
    context = contexts.named(None)
    api = KubeApi(contexts, context, Limits(pool=settings.workers * 2))
    shipped = _shipped(settings.catalog_file)
    cluster = Cluster(api, settings.requests_per_second)
    controller = Controller(cluster, options(settings, shipped), place(settings))
    catalogue = LiveCatalog(
        controller,
        cluster,
        settings.controller_namespace,
        shipped,
        settings.platform(),
        ask_interval=settings.discovery_interval,
        pin=settings.pin,
        discovery=settings.discovery,
    )
    access = Access(cluster)
    pages = app(
        catalogue.live,
        shipped.servers if shipped else {},
        registry_namespace=settings.registry_namespace,
        sized=cluster.metrics.catalog_size.labels("http").set,
        audience=Audience(access) if settings.catalog_auth == "kubernetes" else None,
    )
    # Before the watches start: the kubelet asks for health while the first lists are read.
    serving = asyncio.create_task(_serve(controller, pages, access, settings))
    try:
        async with Watchdog(cluster.metrics.registry).watching():
            await watches.run(
                controller,
                await credentials.load(contexts, context),
                context,
                namespaces=await controller.watchable() or controller.place.namespaces,
                identity=controller.place.identity,
            )
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        await api.close()


async def _serve(controller: Controller, pages: ASGIApp, access: Access, settings: ControllerSettings) -> None:
    """Health, the catalog and metrics, until cancelled."""
    await asyncio.gather(
        serve(health(controller.health), settings.health_address),
        serve(pages, f":{settings.catalog_port}" if settings.catalog_port else ""),
        serve(
            exposition(controller.cluster.metrics, access if settings.metrics_certificate else None),
            settings.metrics_address,
            settings.metrics_certificate,
        ),
    )


def place(settings: ControllerSettings) -> Place:
    return Place(
        namespaces=listed(settings.watch_namespaces),
        lease_namespace=settings.controller_namespace if settings.leader_election else "",
        identity=settings.controller_pod or f"controller-{uuid.uuid4().hex[:8]}",
        deployment=settings.controller_deployment,
        workers=settings.workers,
    )


def _shipped(file: str) -> Catalog | None:
    """The shipped catalog, and those of servers of others. Errors: ValueError where two of them have one server."""
    parts = [load_parts(Path(each)) for each in listed(file)]
    return merged(parts) if parts else None


def options(settings: ControllerSettings, shipped: Catalog | None) -> Options:
    return Options(
        platform=settings.platform(),
        entries=shipped.servers if shipped else {},
        former_managers=listed(settings.former_managers),
        secrets=settings.reference_secrets,
        max_rollouts=settings.max_concurrent_rollouts,
        tenancy=settings.tenancy(),
    )
