"""The controller as a process: settings, what it serves, and the watches until a signal."""

import asyncio
import uuid

from starlette.types import ASGIApp

from kmcp_controller.catalog.audience import Audience
from kmcp_controller.catalog.current import CurrentCatalog
from kmcp_controller.catalog.site import app
from kmcp_controller.cluster import watches
from kmcp_controller.cluster.access import Access
from kmcp_controller.cluster.client import Cluster
from kmcp_controller.reconcile.options import Options
from kmcp_runtime.kube import credentials
from kmcp_runtime.kube.api import KubeApi, Limits
from kmcp_runtime.kube.config import load_contexts
from kmcp_runtime.settings import listed
from kmcp_runtime.watchdog import Watchdog

from .catalog_sources import CatalogSources, KeptCatalogs, sources_of
from .controller import Controller, Place
from .live_catalog import LiveCatalog
from .management import exposition, health, serve
from .settings import ControllerSettings


async def run(settings: ControllerSettings) -> None:
    contexts = load_contexts(settings.kubeconfig)
    api = KubeApi(contexts, context := contexts.named(None), Limits(pool=settings.workers * 2))
    cluster = Cluster(api, settings.requests_per_second)
    sources, current = catalogs(settings, cluster)
    controller = Controller(cluster, options(settings, current), place(settings))
    catalogue = LiveCatalog(
        controller,
        cluster,
        settings.controller_namespace,
        current,
        settings.platform(),
        ask_interval=settings.discovery_interval,
        pin=settings.pin,
        discovery=settings.discovery,
        trusted=settings.trusted_remotes(),
    )
    access = Access(cluster)
    pages = _pages(catalogue, current, access, settings)
    sources.changed = catalogue.compare_again
    # Before the rest: the kubelet asks for health while an address is slow, and while the first lists are read.
    tasks = [asyncio.create_task(_serve(controller, pages, access, settings))]
    try:
        await sources.start()
        tasks.append(asyncio.create_task(sources.run()))
        async with Watchdog(cluster.metrics.registry).watching():
            await watches.run(
                controller,
                await credentials.load(contexts, context),
                context,
                namespaces=await controller.watchable() or controller.place.namespaces,
                identity=controller.place.identity,
            )
    finally:
        await _end(tasks)
        await api.close()


def _pages(catalogue: LiveCatalog, current: CurrentCatalog, access: Access, settings: ControllerSettings) -> ASGIApp:
    return app(
        catalogue.live,
        current,
        registry_namespace=settings.registry_namespace,
        sized=catalogue.metrics.catalog_size.labels("http").set,
        audience=Audience(access) if settings.catalog_auth == "kubernetes" else None,
    )


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


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


def catalogs(settings: ControllerSettings, cluster: Cluster) -> tuple[CatalogSources, CurrentCatalog]:
    """The catalogs that are to be read. Errors: SourceError for an address without a pin."""
    kept = KeptCatalogs(cluster, settings.controller_namespace, settings.controller_deployment)
    current, show = CurrentCatalog(), cluster.metrics.catalog_sources
    found = sources_of(listed(settings.catalog_file), kept)
    return CatalogSources(found, current, lambda state, count: show.labels(state).set(count)), current


def options(settings: ControllerSettings, current: CurrentCatalog) -> Options:
    return Options(
        platform=settings.platform(),
        entries=current,
        former_managers=listed(settings.former_managers),
        secrets=settings.reference_secrets,
        max_rollouts=settings.max_concurrent_rollouts,
        tenancy=settings.tenancy(),
    )
