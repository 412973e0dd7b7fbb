"""The configuration that one Envoy really has."""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import BaseModel, Field

from kmcp_istio import pods
from kmcp_istio.arguments import PodName
from kmcp_istio.client import Mesh, Object
from kmcp_istio.envoy import bootstrap, clusters, endpoints, extensions, listeners, logging, routes, secrets, statistics
from kmcp_istio.envoy.dump import Dump, Section
from kmcp_istio.envoy.entries import Entry, Filter, objects
from kmcp_istio.rights import FORWARD, PODS, WORKLOADS
from kmcp_runtime import Cursor, Effect, Limit, OptionalNamespace, Page, bad_argument, sliced, tool

ConfigType = Literal["all", "bootstrap", "cluster", "ecds", "endpoint", "listener", "log", "route", "secret", "stats"]
_WITH_PORTS = ("all", "cluster", "endpoint", "listener", "route")
_HEAD = 3


class Overview(BaseModel):
    """One type of configuration, with its number of objects."""

    type: str
    count: int
    head: list[str] = Field(description="The first names")


Row = (
    Overview
    | bootstrap.Bootstrap
    | clusters.Cluster
    | extensions.Extension
    | endpoints.Endpoint
    | listeners.Listener
    | logging.Logger
    | routes.Route
    | secrets.Secret
    | statistics.Statistic
)


# Left to right: an object of Envoy must not be taken for a row that happens to have the same fields.
Shown = Annotated[dict[str, Any] | Row, Field(union_mode="left_to_right")]


class ProxyConfig(Page[Shown]):
    """Rows of one type, or Envoy's own objects."""

    pod: str
    namespace: str
    config_type: str


@tool(
    Effect.READ,
    needs=(PODS, WORKLOADS, FORWARD),
    verified="stand-in",
    why="no Envoy could be had: recorded dumps of two versions, and configuration of a real istiod shown as Envoy does",
)
async def istio_proxy_config(
    mesh: Mesh,
    pod_name: PodName,
    namespace: OptionalNamespace = None,
    config_type: Annotated[ConfigType, "Type"] = "all",
    name: Annotated[str | None, "Part of the name"] = None,
    port: Annotated[int | None, "Port", Field(ge=1, le=65535)] = None,
    fqdn: Annotated[str | None, "Part of a host"] = None,
    output: Annotated[Literal["summary", "json"], "Shape"] = "summary",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> ProxyConfig:
    """Show what a pod's Envoy really has; all counts each type, then narrow by type, name, port or fqdn."""
    _check_filters(config_type, port, fqdn, output)
    namespace = mesh.namespace(namespace)
    pod = await pods.find_pod(mesh, pod_name, namespace)
    await pods.check_envoy(mesh, pod)
    wanted = Filter(name, port, fqdn)
    found = await _read_entries(mesh, pod, config_type, wanted)
    items = _items(config_type, found, wanted, output)
    bound_to = {
        "context": mesh.context.name,
        "pod": pods.proxy_of(pod),
        "type": config_type,
        "name": name,
        "port": port,
        "fqdn": fqdn,
        "output": output,
    }
    return sliced(
        ProxyConfig,
        items,
        limit,
        cursor,
        bound_to,
        pod=pod["metadata"]["name"],
        namespace=pod["metadata"]["namespace"],
        config_type=config_type,
        hint=_hint(config_type, found, bool(items), output),
    ).written_as("json" if output == "json" else None)


def _items(
    config_type: str, found: Mapping[str, Sequence[Entry]], wanted: Filter, output: str
) -> Sequence[BaseModel | Mapping[str, Any]]:
    """What is listed: a count of each type, Envoy's own objects, or a row for each entry."""
    if config_type == "all":
        return [_overview(kind, wanted.of(entries)) for kind, entries in found.items()]
    kept = [entry for entries in found.values() for entry in wanted.of(entries)]
    return objects(kept) if output == "json" else [entry.row for entry in kept]


def _check_filters(config_type: str, port: int | None, fqdn: str | None, output: str) -> None:
    given = {"port": port, "fqdn": fqdn}
    useless = [argument for argument, value in given.items() if value is not None and config_type not in _WITH_PORTS]
    if useless:
        raise bad_argument(
            f"{useless[0]}: does not apply to config_type={config_type}",
            f"it applies to {', '.join(_WITH_PORTS)}; name applies to all",
        )
    if config_type == "all" and output == "json":
        raise bad_argument("output=json: the whole configuration is too large", "choose a config_type")


_SECTIONS: Mapping[str, tuple[str, Callable[[Section], list[Entry]]]] = {
    "bootstrap": ("Bootstrap", bootstrap.entries),
    "cluster": ("Clusters", clusters.entries),
    "listener": ("Listeners", listeners.entries),
    "route": ("Routes", routes.entries),
    "secret": ("Secrets", secrets.entries),
    "ecds": ("Ecds", extensions.entries),
}


async def _read_entries(mesh: Mesh, pod: Object, config_type: str, wanted: Filter) -> dict[str, list[Entry]]:
    """The entries by type: of the requested one, or of every type that the summary counts."""
    source = f"the proxy of {pods.title(pod)}"
    if config_type == "log":
        return {"log": logging.entries((await pods.ask_admin(mesh, pod, "/logging", "POST")).decode(errors="replace"))}
    if config_type == "stats":
        # Envoy filters by a regular expression before it answers, so thousands of values stay there.
        part = f"&filter={quote(re.escape(wanted.name))}" if wanted.name else ""
        return {"stats": statistics.entries(await pods.ask_admin(mesh, pod, f"/stats?format=json{part}"), source)}
    if config_type == "endpoint":
        return {"endpoint": await _read_endpoints(mesh, pod, source)}
    if config_type in _SECTIONS:
        dump = Dump(await pods.ask_admin(mesh, pod, "/config_dump?include_eds"), source)
        return {config_type: _read(dump, config_type)}
    # Two pages of one Envoy: the dump has no health, and /clusters no configuration.
    content, found = await asyncio.gather(
        pods.ask_admin(mesh, pod, "/config_dump?include_eds"), _read_endpoints(mesh, pod, source)
    )
    dump = Dump(content, source)
    return {**{kind: _read(dump, kind) for kind in _SECTIONS}, "endpoint": found}


async def _read_endpoints(mesh: Mesh, pod: Object, source: str) -> list[Entry]:
    return endpoints.entries(await pods.ask_admin(mesh, pod, "/clusters?format=json"), source)


def _read(dump: Dump, kind: str) -> list[Entry]:
    section, entries = _SECTIONS[kind]
    return entries(dump.section(section))


def _overview(kind: str, entries: Sequence[Entry]) -> Overview:
    names = list(dict.fromkeys(entry.name for entry in entries))
    return Overview(type=kind, count=len(objects(entries)), head=names[:_HEAD])


def _hint(config_type: str, found: Mapping[str, Sequence[Entry]], shown: bool, output: str) -> str | None:
    if config_type == "all":
        return "Choose a config_type to see its rows; log and stats are other types."
    if shown:
        whole = output == "json" or config_type in ("log", "stats")
        return None if whole else "output=json shows the whole objects; narrow with name first."
    present = sum(len(entries) for entries in found.values())
    return f"None of {present} match the filters." if present else f"The proxy has no {config_type}."
