"""Routes: where requests for each domain and path go."""

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel, Field

from kmcp_istio.envoy.clusters import managed_by
from kmcp_istio.envoy.dump import Section
from kmcp_istio.envoy.entries import Entry
from kmcp_istio.envoy.fields import at, each, text

_PASSTHROUGH = "PassthroughCluster"
_MOST_DOMAINS = 2


class Route(BaseModel):
    """One match of one virtual host."""

    name: str
    domains: str
    match: str
    virtual_service: str | None = Field(default=None, description="name.namespace; 404 when the host has no route")


def entries(section: Section) -> list[Entry]:
    return sorted((entry for route in all_of(section) for entry in _entries(route)), key=_order)


def all_of(section: Section) -> Iterator[Any]:
    for part in ("dynamic_route_configs", "static_route_configs"):
        for wrapped in each(section, part):
            route = at(wrapped, "route_config")
            if route is not None:
                yield route


def match_of(match: Any) -> str:
    """The condition on the path, without conditions on headers."""
    conditions = [f"{found}*" for found in [text(match, "prefix")] if found]
    conditions += [f"PathPrefix:{found}" for found in [text(match, "path_separated_prefix")] if found]
    conditions += [found for found in [text(match, "path")] if found]
    conditions += [f"regex {found}" for found in [text(match, "safe_regex", "regex")] if found]
    return " ".join(conditions)


def _entries(route: Any) -> Iterator[Entry]:
    for host in each(route, "virtual_hosts"):
        domains = each(host, "domains")
        shown = _shown(domains)
        # Routes that only pass traffic through are left out, as istioctl leaves them out.
        routes = [one for one in each(host, "routes") if text(one, "route", "cluster") != _PASSTHROUGH]
        for one in routes:
            managed = managed_by(at(one, "metadata"))
            yield _entry(
                route,
                domains,
                Route(
                    name=text(route, "name"),
                    domains=shown,
                    match=match_of(at(one, "match")),
                    virtual_service=managed,
                ),
            )
        if not each(host, "routes"):
            row = Route(name=text(route, "name"), domains=shown, match="/*", virtual_service="404")
            yield _entry(route, domains, row)


def _entry(route: Any, domains: Sequence[str], row: Route) -> Entry:
    # Outbound route configs are named after their port, and domains may end with one.
    ports = {int(part) for part in [row.name, *(domain.rpartition(":")[2] for domain in domains)] if part.isdigit()}
    return Entry(row.name, row, route, frozenset(ports), " ".join(domains))


def _shown(domains: Sequence[str]) -> str:
    """The domains in short: without ports, and one form of each Service's name."""
    if len(domains) < 2:
        return "".join(domains)
    # A bracket at the end is an IPv6 address, whose colons do not separate a port.
    without_port = [domain for domain in domains if ":" not in domain or domain.endswith("]")]
    present = set(without_port)
    kept = [domain for domain in without_port if not _is_longer_form(domain, present)]
    more = len(kept) - _MOST_DOMAINS
    shown = ", ".join(kept[:_MOST_DOMAINS])
    return f"{shown} + {more} more..." if more > 0 else shown


def _is_longer_form(domain: str, present: set[str]) -> bool:
    shorter = {domain.removesuffix(".svc.cluster.local"), domain.removesuffix(".svc")} - {domain}
    return bool(shorter & present)


def _order(entry: Entry) -> tuple[bool, int, str]:
    # By port as numbers, then the other names: the order of istioctl.
    return not entry.name.isdigit(), int(entry.name) if entry.name.isdigit() else 0, entry.name
