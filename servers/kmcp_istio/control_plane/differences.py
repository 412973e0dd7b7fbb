"""Names that only istiod or only the proxy has: what a proxy lacks, and what it should have removed."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel

from kmcp_istio import pods
from kmcp_istio.client import Mesh, Object
from kmcp_istio.control_plane import istiod
from kmcp_istio.control_plane.istiod import Istiod
from kmcp_istio.envoy.dump import Dump, Section
from kmcp_istio.envoy.fields import at, each, text
from kmcp_runtime import ToolFailure, unavailable


class Difference(BaseModel):
    """The names of one type that only one side has."""

    only_istiod: list[str]
    only_proxy: list[str]


async def compare_with_proxy(mesh: Mesh, istiods: Iterable[Istiod], pod: Object) -> dict[str, Difference]:
    """Differences by type: cds, lds, rds (clusters, listeners, routes)."""
    wanted, present = await asyncio.gather(
        _read_istiod_dump(mesh, istiods, pod), pods.ask_admin(mesh, pod, "/config_dump")
    )
    there = Dump(present, f"the proxy of {pods.title(pod)}")
    return {name: _difference(names(wanted), names(there)) for name, names in _NAMES.items()}


async def _read_istiod_dump(mesh: Mesh, istiods: Iterable[Istiod], pod: Object) -> Dump:
    """The dump of the istiod that the proxy is connected to; `unavailable` when it is connected to none."""
    proxy = pods.proxy_of(pod)
    failures: list[ToolFailure] = []
    # Only the istiod that a proxy is connected to has a dump for it; the others answer 404.
    for one in istiods:
        try:
            answer = await istiod.read_debug(mesh, one, f"/debug/config_dump?proxyID={quote(proxy)}")
        except ToolFailure as failure:
            failures.append(failure)
            continue
        if answer.status == 200:
            return Dump(answer.content, f"istiod {one.pod}")
    if failures:
        raise failures[0]
    raise unavailable(
        f"{pods.title(pod)} is not connected to any istiod",
        f"k8s_get_pod_logs pod_name={pod['metadata']['name']} "
        f"namespace={pod['metadata']['namespace']} container={pods.PROXY} shows why",
    )


def _difference(wanted: set[str], present: set[str]) -> Difference:
    # Names only: versions differ between two dumps that were not taken at the same instant.
    return Difference(only_istiod=sorted(wanted - present), only_proxy=sorted(present - wanted))


def _clusters(dump: Dump) -> set[str]:
    section = dump.section("Clusters")
    # Static parts come from the bootstrap, which istiod does not send and so does not list.
    parts = [*each(section, "dynamic_active_clusters"), *each(section, "dynamic_warming_clusters")]
    return {text(one, "cluster", "name") for one in parts}


def _listeners(dump: Dump) -> set[str]:
    return {_listener(one) for one in each(dump.section("Listeners"), "dynamic_listeners")}


def _listener(one: Any) -> str:
    state = at(one, "active_state") or at(one, "warming_state")
    return text(state, "listener", "name") or text(one, "name")


def _routes(dump: Dump) -> set[str]:
    section: Section = dump.section("Routes")
    return {text(one, "route_config", "name") for one in each(section, "dynamic_route_configs")}


_NAMES: dict[str, Callable[[Dump], set[str]]] = {"cds": _clusters, "lds": _listeners, "rds": _routes}
