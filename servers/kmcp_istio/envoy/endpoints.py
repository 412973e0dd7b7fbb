"""Endpoints: the addresses behind clusters, and their health as Envoy sees it."""

import json
from typing import Any

from pydantic import BaseModel, Field

from kmcp_istio.envoy.clusters import parts_of
from kmcp_istio.envoy.entries import Entry
from kmcp_istio.envoy.fields import address, at, each, number, text
from kmcp_runtime import unavailable


class Endpoint(BaseModel):
    """One address of one cluster."""

    address: str
    status: str = Field(description="HEALTHY, UNHEALTHY, DRAINING, TIMEOUT, DEGRADED, UNKNOWN")
    outlier: str = Field(description="OK, or FAILED when outlier detection ejected it")
    cluster: str


def entries(content: bytes, source: str) -> list[Entry]:
    """The entries of an answer of `/clusters?format=json`."""
    try:
        # From /clusters rather than the dump: only that has the health of each host.
        statuses = each(json.loads(content), "cluster_statuses")
    except ValueError:
        raise unavailable(f"{source} did not answer with a list of clusters: {content[:80]!r}") from None
    found = [_entry(cluster, host) for cluster in statuses for host in each(cluster, "host_statuses")]
    return sorted(found, key=lambda entry: (entry.name, entry.hosts))


def _entry(cluster: Any, host: Any) -> Entry:
    name, where = text(cluster, "name"), address(at(host, "address"))
    health = at(host, "health_status")
    row = Endpoint(
        address=where,
        status=text(health, "eds_health_status") or "UNKNOWN",
        outlier="FAILED" if at(health, "failed_outlier_check") else "OK",
        cluster=name,
    )
    port = number(host, "address", "socket_address", "port_value")
    return Entry(f"{where} {name}", row, {"cluster": name, **host}, frozenset({port} - {0}), parts_of(name)[2])
