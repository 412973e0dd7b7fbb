"""Whether proxies have what istiod sent them: `/debug/syncz`, in the words of `istioctl proxy-status`."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, Field

Status = Literal["SYNCED", "NOT SENT", "STALE", "ERROR"]
# The version that Istio's own debug clients give themselves (pkg/adsc), istioctl among them.
_NO_VERSION = "65536.65536.65536"
_ENVOY = "type.googleapis.com/envoy."
TYPES = {
    "cds": (f"{_ENVOY}config.cluster.v3.Cluster", "cluster"),
    "lds": (f"{_ENVOY}config.listener.v3.Listener", "listener"),
    "eds": (f"{_ENVOY}config.endpoint.v3.ClusterLoadAssignment", "endpoint"),
    "rds": (f"{_ENVOY}config.route.v3.RouteConfiguration", "route"),
    "ecds": (f"{_ENVOY}config.core.v3.TypedExtensionConfig", "extensionconfig"),
}
"""Type URL, and the prefix of the fields that istiod before 1.27 has instead."""


class ProxyStatus(BaseModel):
    """One proxy as one istiod sees it; types that the proxy does not subscribe to are absent."""

    proxy: str = Field(description="pod.namespace")
    type: str | None = None
    cluster: str | None = None
    istiod: str
    version: str | None = None
    cds: Status | None = None
    lds: Status | None = None
    eds: Status | None = None
    rds: Status | None = None
    ecds: Status | None = None
    others: dict[str, Status] | None = Field(default=None, description="Other types, such as those of ztunnels")
    last_error: str | None = Field(default=None, description="Why the proxy rejected what was sent")


def proxies(connected: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The clients that are proxies; others, such as istioctl while it asks, have no version."""
    return [one for one in connected if one.get("istio_version") != _NO_VERSION]


def rows(connected: Iterable[Mapping[str, Any]], istiod: str) -> list[ProxyStatus]:
    return [_row(proxy, istiod) for proxy in proxies(connected)]


def _row(proxy: Mapping[str, Any], istiod: str) -> ProxyStatus:
    # Older istiods have a pair of fields for each type instead of a map by type URL.
    resources: Mapping[str, Mapping[str, str]] = proxy.get("resources") or _older(proxy)
    known = {url: name for name, (url, _) in TYPES.items()}
    by_name = {known.get(url, _short(url)): _status(resource) for url, resource in resources.items()}
    errors = [resource["lastError"] for resource in resources.values() if resource.get("lastError")]
    others = {name: status for name, status in sorted(by_name.items()) if name not in TYPES}
    return ProxyStatus(
        proxy=str(proxy.get("proxy", "")),
        type=proxy.get("proxy_type"),
        cluster=proxy.get("cluster_id"),
        istiod=istiod,
        version=proxy.get("istio_version"),
        others=others or None,
        last_error=errors[0] if errors else None,
        **{name: by_name.get(name) for name in TYPES},
    )


def _older(proxy: Mapping[str, Any]) -> dict[str, Mapping[str, str]]:
    return {
        url: {"sent": str(proxy.get(f"{field}_sent") or ""), "acked": str(proxy.get(f"{field}_acked") or "")}
        for url, field in TYPES.values()
    }


def _status(resource: Mapping[str, str]) -> Status:
    if resource.get("lastError"):
        return "ERROR"
    if not resource.get("sent"):
        return "NOT SENT"
    # A nonce that the proxy has acknowledged is the one that was sent last.
    return "SYNCED" if resource.get("sent") == resource.get("acked") else "STALE"


def _short(url: str) -> str:
    return url.rpartition("/")[2].rpartition(".")[2]


def state(row: ProxyStatus) -> Literal["error", "stale", "synced"]:
    """The worst status among a proxy's types."""
    seen = {getattr(row, name) for name in TYPES} | set((row.others or {}).values())
    return "error" if "ERROR" in seen else "stale" if "STALE" in seen else "synced"


def counts(found: Iterable[ProxyStatus]) -> dict[str, int]:
    states = [state(row) for row in found]
    return {"proxies": len(states), **{name: states.count(name) for name in ("synced", "stale", "error")}}
