"""The data sources that are configured."""

import asyncio

from pydantic import BaseModel

from kmcp_prometheus.api import implementations
from kmcp_prometheus.api.implementations import Kind
from kmcp_prometheus.api.sources import Datasource
from kmcp_prometheus.client import PrometheusBackend
from kmcp_runtime import Effect, Page, tool


class Known(BaseModel):
    """One data source and whether it answers."""

    name: str
    url: str | None = None
    ready: bool
    backend: Kind | None = None
    version: str | None = None
    error: str | None = None


class Datasources(Page[Known]):
    """Data sources, the default first."""


@tool(Effect.READ, extra=True, when="several data sources are configured")
async def prometheus_list_datasources_tool(backend: PrometheusBackend) -> Datasources:
    """List the configured data sources, the values of datasource, and whether they answer."""
    # At once: one that does not answer would otherwise hold up the list by its whole deadline.
    found = await asyncio.gather(*(_read_state(backend, source) for source in backend.sources()))
    return Datasources(items=list(found), total=len(found))


async def _read_state(backend: PrometheusBackend, source: Datasource) -> Known:
    return Known(name=source.name, **await implementations.read_state(backend.reach(source)))
