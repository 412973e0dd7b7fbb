"""Clusters: the destinations that traffic can have."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, Field

from kmcp_istio.envoy.dump import Section
from kmcp_istio.envoy.entries import Entry
from kmcp_istio.envoy.fields import at, each, text

_SEPARATOR = "|"
_SEPARATOR_IN_SNI = "_."


class Cluster(BaseModel):
    """One cluster; fields that its name does not contain are absent."""

    fqdn: str
    port: int | None = None
    subset: str | None = None
    direction: str | None = None
    type: str
    destination_rule: str | None = Field(default=None, description="name.namespace")


def entries(section: Section) -> list[Entry]:
    found = [_entry(cluster) for cluster in all_of(section)]
    return sorted(found, key=_order)


def all_of(section: Section) -> Iterator[Any]:
    """Active clusters, static ones, and those that are still warming."""
    for part in ("dynamic_active_clusters", "static_clusters", "dynamic_warming_clusters"):
        for wrapped in each(section, part):
            cluster = at(wrapped, "cluster")
            if cluster is not None:
                yield cluster


def parts_of(name: str) -> tuple[str, str, str, int | None]:
    """Direction, subset, host and port of a cluster's name, `outbound|9080|v1|reviews.default.svc.cluster.local`."""
    # As a server name for TLS the parts are joined with _. instead, since | is not allowed there.
    separator = _SEPARATOR_IN_SNI if name.startswith(("inbound_.", "outbound_.")) else _SEPARATOR
    parts = name.split(separator)
    if len(parts) < 4:
        return "", "", name, None
    port = int(parts[1]) if parts[1].isdigit() else None
    return parts[0], parts[2], parts[3], port


def managed_by(metadata: Any) -> str | None:
    """`name.namespace` of the Istio object that a part of the configuration comes from."""
    path = text(metadata, "filter_metadata", "istio", "config").split("/")
    # /apis/networking.istio.io/v1/namespaces/shop/destination-rule/reviews: an absolute path of seven parts.
    if len(path) == 8 and path[2] == "networking.istio.io":
        return f"{path[7]}.{path[5]}"
    return None


def _entry(cluster: Any) -> Entry:
    name = text(cluster, "name")
    direction, subset, host, port = parts_of(name)
    row = Cluster(
        fqdn=host,
        port=port,
        subset=subset or None,
        direction=direction or None,
        type=_type(cluster),
        destination_rule=managed_by(at(cluster, "metadata")),
    )
    return Entry(name, row, cluster, frozenset({port} if port else ()), host)


def _type(cluster: Any) -> str:
    # The first value of an enumeration is left out of the JSON.
    return text(cluster, "type") or text(cluster, "cluster_type", "name") or "STATIC"


def _order(entry: Entry) -> tuple[str, str, int, str]:
    direction, subset, host, port = parts_of(entry.name)
    # Order of `istioctl proxy-config cluster`.
    return host, subset, port or 0, direction
