"""Proxies: whether they have what istiod sent, and what an Envoy really has."""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import BaseModel, Field

from kmcp_istio import differences, istiod, pods, sync
from kmcp_istio.client import Mesh, Object
from kmcp_istio.envoy import bootstrap, clusters, endpoints, extensions, listeners, logging, routes, secrets, statistics
from kmcp_istio.envoy.dump import Dump, Section
from kmcp_istio.envoy.entries import Entry, Filter, objects
from kmcp_istio.words import PodName, Revision
from kmcp_runtime.arguments import Cursor, Limit, Namespace, OptionalNamespace, Word
from kmcp_runtime.errors import bad_argument, did_you_mean, not_found
from kmcp_runtime.output.results import Page
from kmcp_runtime.output.slices import sliced
from kmcp_runtime.tool import Effect, Rule, injected, tool

FORWARD = Rule("", ("pods/portforward",), ("get", "create"))
WORKLOADS = Rule("apps", ("deployments", "statefulsets", "daemonsets"), ("get",))
ConfigType = Literal["all", "bootstrap", "cluster", "ecds", "endpoint", "listener", "log", "route", "secret", "stats"]
_WITH_PORTS = ("all", "cluster", "endpoint", "listener", "route")
_HEAD = 3


class ProxyStatuses(Page[sync.ProxyStatus]):
    """Proxies by name, as every istiod sees them."""

    counts: dict[str, int] = Field(description="Proxies, and how many are synced, stale, in error")
    unreachable: list[istiod.Unreachable] | None = Field(default=None, description="Each istiod that did not answer")
    diff: dict[str, differences.Difference] | None = Field(default=None, description="Names that only one side has")


@tool(Effect.READ, needs=(Rule("", ("pods",), ("get", "list")), WORKLOADS, FORWARD))
async def istio_proxy_status(
    pod_name: PodName | None = None,
    namespace: OptionalNamespace = None,
    diff: Annotated[bool, Word("Compare names with the pod's proxy")] = False,
    revision: Revision = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    mesh: Mesh = injected(),
) -> ProxyStatuses:
    """Show whether proxies have the configuration that istiod sent; start here when a change has no effect."""
    if diff and not pod_name:
        raise bad_argument("diff: it compares one proxy", "name it with pod_name")
    istiods = await istiod.all_of(mesh, revision)
    pod = await _pod(mesh, pod_name, namespace, diff)
    answers = await istiod.ask_all(
        mesh, istiods, f"/debug/syncz{f'?namespace={quote(namespace)}' if namespace else ''}"
    )
    every = [row for one, proxies in answers.given for row in sync.rows(proxies, one.pod)]
    found = sorted(_chosen(every, pod_name, namespace, pod), key=lambda row: (row.proxy, row.istiod))
    bound_to = {"context": mesh.context.name, "pod": pod_name, "namespace": namespace, "revision": revision}
    return sliced(
        ProxyStatuses, found, limit, cursor, bound_to, counts=sync.counts(found),
        unreachable=answers.unreachable or None, hint=None if found else _why_no_proxies(namespace),
        diff=await differences.between(mesh, istiods, pod) if diff and pod else None,
    )  # fmt: skip


async def _pod(mesh: Mesh, pod_name: str | None, namespace: str | None, diff: bool) -> Object | None:
    """The pod itself, where its name alone does not do."""
    if not pod_name or not (diff or "/" in pod_name):
        return None
    pod = await pods.named(mesh, pod_name, namespace or "default")
    if diff:
        await pods.check_envoy(mesh, pod)
    return pod


def _chosen(
    every: Sequence[sync.ProxyStatus], pod_name: str | None, namespace: str | None, pod: Object | None
) -> list[sync.ProxyStatus]:
    wanted = _proxy_of(pod) if pod else pod_name
    found = [row for row in every if _is_wanted(row.proxy, wanted, namespace)]
    if wanted and not found:
        near = did_you_mean(wanted, [row.proxy for row in every] + [row.proxy.rpartition(".")[0] for row in every])
        explains = f"istio_proxy_config pod_name={wanted} tells whether it has a proxy at all"
        raise not_found(f"no istiod knows a proxy {wanted!r}", near or explains)
    return found


def _proxy_of(pod: Object) -> str:
    return f"{pod['metadata']['name']}.{pod['metadata']['namespace']}"


def _is_wanted(proxy: str, wanted: str | None, namespace: str | None) -> bool:
    name, _, home = proxy.rpartition(".")
    if namespace and home != namespace and proxy != wanted:
        return False
    return wanted is None or wanted in (proxy, name)


def _why_no_proxies(namespace: str | None) -> str:
    where = f"from namespace {namespace} " if namespace else ""
    return f"No proxy {where}is connected to istiod: are pods injected, or is the mesh ambient (istio_ztunnel_config)?"


class Overview(BaseModel):
    """One type of configuration."""

    type: str
    count: int
    head: list[str] = Field(description="The first names")


Row = (
    Overview | bootstrap.Bootstrap | clusters.Cluster | extensions.Extension | endpoints.Endpoint
    | listeners.Listener | logging.Logger | routes.Route | secrets.Secret | statistics.Statistic
)  # fmt: skip


class ProxyConfig(Page[Row | dict[str, Any]]):
    """Rows of one type, or the objects that Envoy has."""

    untrusted = True

    pod: str
    namespace: str
    config_type: str


@tool(Effect.READ, needs=(Rule("", ("pods",), ("get", "list")), WORKLOADS, FORWARD))
async def istio_proxy_config(
    pod_name: PodName,
    namespace: Namespace = "default",
    config_type: Annotated[ConfigType, Word("What")] = "all",
    name: Annotated[str | None, Word("Part of the name")] = None,
    port: Annotated[int | None, Word("Port", ge=1, le=65535)] = None,
    fqdn: Annotated[str | None, Word("Part of a host")] = None,
    output: Annotated[Literal["summary", "json"], Word("Shape")] = "summary",
    limit: Limit = 50,
    cursor: Cursor = None,
    mesh: Mesh = injected(),
) -> ProxyConfig:
    """Show what a pod's Envoy really has; all counts each type, then narrow by type, name, port or fqdn."""
    _check_filters(config_type, port, fqdn, output)
    pod = await pods.named(mesh, pod_name, namespace)
    await pods.check_envoy(mesh, pod)
    wanted = Filter(name, port, fqdn)
    found = await _entries(mesh, pod, config_type, wanted)
    kept = [entry for entries in found.values() for entry in wanted.of(entries)]
    items = objects(kept) if output == "json" else [entry.row for entry in kept]
    if config_type == "all":
        items = [_overview(kind, wanted.of(entries)) for kind, entries in found.items()]
    bound_to = {
        "context": mesh.context.name, "pod": _proxy_of(pod), "type": config_type, "name": name, "port": port,
        "fqdn": fqdn, "output": output,
    }  # fmt: skip
    return sliced(
        ProxyConfig, items, limit, cursor, bound_to, pod=pod["metadata"]["name"],
        namespace=pod["metadata"]["namespace"], config_type=config_type,
        hint=_hint(config_type, found, bool(items), output),
    )  # fmt: skip


def _check_filters(config_type: str, port: int | None, fqdn: str | None, output: str) -> None:
    given = {"port": port, "fqdn": fqdn}
    useless = [argument for argument, value in given.items() if value is not None and config_type not in _WITH_PORTS]
    if useless:
        raise bad_argument(
            f"{useless[0]}: config_type={config_type} has none", f"it applies to {', '.join(_WITH_PORTS)}; name to all"
        )
    if config_type == "all" and output == "json":
        raise bad_argument("output=json: the whole configuration is too large", "choose a config_type")


_SECTIONS: Mapping[str, tuple[str, Callable[[Section], list[Entry]]]] = {
    "bootstrap": ("Bootstrap", bootstrap.entries), "cluster": ("Clusters", clusters.entries),
    "listener": ("Listeners", listeners.entries), "route": ("Routes", routes.entries),
    "secret": ("Secrets", secrets.entries), "ecds": ("Ecds", extensions.entries),
}  # fmt: skip


async def _entries(mesh: Mesh, pod: Object, config_type: str, wanted: Filter) -> dict[str, list[Entry]]:
    """Every entry by type: of the one that is asked for, or of each that has entries of interest."""
    source = f"the proxy of {pods.title(pod)}"
    if config_type == "log":
        return {"log": logging.entries((await pods.admin(mesh, pod, "/logging", "POST")).decode(errors="replace"))}
    if config_type == "stats":
        part = f"&filter={quote(re.escape(wanted.name))}" if wanted.name else ""
        return {"stats": statistics.entries(await pods.admin(mesh, pod, f"/stats?format=json{part}"), source)}
    if config_type == "endpoint":
        return {"endpoint": await _endpoints(mesh, pod, source)}
    if config_type in _SECTIONS:
        dump = Dump(await pods.admin(mesh, pod, "/config_dump?include_eds"), source)
        return {config_type: _read(dump, config_type)}
    content, found = await asyncio.gather(
        pods.admin(mesh, pod, "/config_dump?include_eds"), _endpoints(mesh, pod, source)
    )
    dump = Dump(content, source)
    return {**{kind: _read(dump, kind) for kind in _SECTIONS}, "endpoint": found}


async def _endpoints(mesh: Mesh, pod: Object, source: str) -> list[Entry]:
    return endpoints.entries(await pods.admin(mesh, pod, "/clusters?format=json"), source)


def _read(dump: Dump, kind: str) -> list[Entry]:
    section, entries = _SECTIONS[kind]
    return entries(dump.section(section))


def _overview(kind: str, entries: Sequence[Entry]) -> Overview:
    names = list(dict.fromkeys(entry.name for entry in entries))
    return Overview(type=kind, count=len(objects(entries)), head=names[:_HEAD])


def _hint(config_type: str, found: Mapping[str, Sequence[Entry]], shown: bool, output: str) -> str | None:
    if config_type == "all":
        return "Choose a config_type for its rows; log and stats are further ones."
    if shown:
        return None if output == "json" else "output=json shows the whole objects; narrow with name first."
    present = sum(len(entries) for entries in found.values())
    return f"None of {present} match the filters." if present else f"The proxy has no {config_type}."
