"""Listeners: which connections a proxy accepts, and where they go."""

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel, Field

from kmcp_istio.envoy import matchers
from kmcp_istio.envoy.dump import Section
from kmcp_istio.envoy.entries import Entry
from kmcp_istio.envoy.fields import address, at, each, number, text
from kmcp_istio.envoy.routes import match_of

_HTTP = "envoy.filters.network.http_connection_manager"
_TCP = "envoy.filters.network.tcp_proxy"
_BLACK_HOLE = "BlackHoleCluster"


class Listener(BaseModel):
    """One filter chain of one listener."""

    address: str
    port: int | None = None
    match: str
    destination: str
    name: str = Field(description="Of the listener")


def entries(section: Section) -> list[Entry]:
    found = sorted(all_of(section), key=_order)
    return [entry for listener in found for entry in _entries(listener)]


def all_of(section: Section) -> Iterator[Any]:
    # A listener that is still warming has no active state yet.
    for wrapped in each(section, "dynamic_listeners"):
        listener = at(wrapped, "active_state", "listener") or at(wrapped, "warming_state", "listener")
        if listener is not None:
            yield listener
    for wrapped in each(section, "static_listeners"):
        listener = at(wrapped, "listener")
        if listener is not None:
            yield listener


def _entries(listener: Any) -> Iterator[Entry]:
    name, port = text(listener, "name"), number(listener, "address", "socket_address", "port_value")
    where = ", ".join([_host(listener), *(_host(more) for more in each(listener, "additional_addresses"))])
    # The default chain takes what no other matches, and comes last.
    default = at(listener, "default_filter_chain")
    for chain in [*each(listener, "filter_chains"), *([default] if default is not None else [])]:
        for match in matchers.of(listener, chain):
            row = Listener(
                address=where,
                port=port or None,
                match=match,
                destination=_destination(chain),
                name=name,
            )
            yield Entry(name, row, listener, frozenset({port} - {0}), f"{row.match} {row.destination}")


def _host(node: Any) -> str:
    found = at(node, "address")
    return text(found, "socket_address", "address") or (address(found) if found is not None else "internal")


def _destination(chain: Any) -> str:
    for one in each(chain, "filters"):
        settings = at(one, "typed_config")
        if text(one, "name") == _HTTP:
            return _of_http(settings)
        # The black hole drops traffic for unknown ports; istioctl does not show it as a destination.
        if text(one, "name") == _TCP and _BLACK_HOLE not in text(settings, "cluster"):
            return _of_tcp(settings)
    return "Non-HTTP/Non-TCP"


def _of_http(settings: Any) -> str:
    inline = at(settings, "route_config")
    if inline is not None:
        return _only_cluster(inline) or f"Inline Route: {_inline(inline)}"
    name = text(settings, "rds", "route_config_name")
    return f"Route: {name}" if name else "HTTP"


def _of_tcp(settings: Any) -> str:
    weighted = [
        f"{text(one, 'name')} ({number(one, 'weight')})" for one in each(settings, "weighted_clusters", "clusters")
    ]
    if weighted:
        return f"Clusters: {', '.join(weighted)}"
    return _cluster(text(settings, "cluster"))


def _cluster(name: str) -> str:
    # PassthroughCluster and the like are shown by their name alone, as istioctl does.
    return name if "Cluster" in name else f"Cluster: {name}"


def _only_cluster(route: Any) -> str | None:
    """The cluster of an inline route that sends everything to one place."""
    hosts = each(route, "virtual_hosts")
    routes = each(hosts[0], "routes") if len(hosts) == 1 and each(hosts[0], "domains") == ["*"] else []
    if len(routes) != 1 or text(routes[0], "match", "prefix") != "/":
        return None
    cluster = text(routes[0], "route", "cluster")
    return _cluster(cluster) if cluster else None


def _inline(route: Any) -> str:
    return "; ".join(_host_routes(host) for host in each(route, "virtual_hosts"))


def _host_routes(host: Any) -> str:
    domains: Sequence[str] = each(host, "domains")
    routes = ", ".join(match_of(at(one, "match")) for one in each(host, "routes"))
    return routes if domains == ["*"] else f"{'/'.join(domains)} {routes}"


def _order(listener: Any) -> tuple[int, str, str]:
    return number(listener, "address", "socket_address", "port_value"), _host(listener), text(listener, "name")
