"""An agent's status: `cilium-dbg status -o json`, narrowed to what was requested."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field

from kmcp_cilium.state.endpoint_state import Controller, failing
from kmcp_cilium.state.fields import part


class Part(BaseModel):
    """The state of one part of an agent, and its message."""

    state: str | None = None
    message: str | None = None


class Ipam(BaseModel):
    """IPAM: the addresses for pods."""

    status: str | None = None
    allocated_ipv4: int
    allocated_ipv6: int
    allocations: dict[str, str] | None = Field(default=None, description="Address to owner")


class Proxy(BaseModel):
    """The L7 proxy."""

    mode: str | None = None
    port_range: str | None = None
    redirects: int
    redirect_list: list[dict[str, Any]] | None = None


class Masquerading(BaseModel):
    """Masquerading: whether traffic of pods leaves with their node's address."""

    enabled: bool
    mode: str | None = None
    ipv4: bool
    ipv6: bool
    not_for: str | None = Field(default=None, description="Range that is not masqueraded")


class Remote(BaseModel):
    """A connected cluster as one agent sees it."""

    name: str
    connected: bool
    ready: bool
    status: str | None = None
    nodes: int
    endpoints: int
    identities: int
    services: int
    failures: int


class Reachability(BaseModel):
    """Whether one node's health probe reaches another."""

    name: str
    host: str = Field(description="ok, or what failed")
    endpoint: str
    latency_ms: float | None = None


class DaemonStatus(BaseModel):
    """One agent."""

    node: str
    state: str
    message: str | None = None
    kubernetes: Part | None = None
    kvstore: Part | None = None
    ipam: Ipam | None = None
    controllers: list[Controller] | None = Field(default=None, description="Failing ones")
    controllers_all: list[dict[str, Any]] | None = None
    proxy: Proxy | None = None
    masquerading: Masquerading | None = None
    encryption: str | None = None
    hubble: Part | None = None
    kube_proxy_replacement: str | None = None
    cluster_mesh: list[Remote] | None = None
    bpf_maps: dict[str, int] | None = Field(default=None, description="Sizes")
    nodes: list[str] | None = None
    reachability: list[Reachability] | None = None
    reachability_error: str | None = Field(default=None, description="Why reachability could not be read")


@dataclass(frozen=True)
class Wanted:
    """What to show: only the agent's own state, or which details beyond the summary."""

    brief: bool = False
    controllers: bool = False
    addresses: bool = False
    redirects: bool = False
    clusters: bool = False


def daemon_status(node: str, answer: Mapping[str, Any], wanted: Wanted) -> DaemonStatus:
    """The status in an agent's answer."""
    cilium = part(answer, "cilium")
    state = DaemonStatus(node=node, state=cilium.get("state") or "Unknown", message=cilium.get("msg"))
    return state if wanted.brief else state.model_copy(update=_whole(answer, wanted))


def _whole(answer: Mapping[str, Any], wanted: Wanted) -> dict[str, Any]:
    controllers = answer.get("controllers") or []
    return {
        "kubernetes": _part(answer, "kubernetes"),
        "kvstore": _part(answer, "kvstore"),
        "hubble": _part(answer, "hubble"),
        "ipam": _ipam(part(answer, "ipam"), wanted.addresses),
        "proxy": _proxy(part(answer, "proxy"), wanted.redirects),
        # Hundreds of controllers run on a node; those that work are listed on request only.
        "controllers": failing(controllers),
        "controllers_all": [_controller(each) for each in controllers] if wanted.controllers else None,
        "masquerading": _masquerading(part(answer, "masquerading")),
        "encryption": part(answer, "encryption").get("mode"),
        "kube_proxy_replacement": part(answer, "kube-proxy-replacement").get("mode"),
        "cluster_mesh": remotes(answer, ready_too=wanted.clusters),
        "bpf_maps": {each["name"]: each.get("size", 0) for each in part(answer, "bpf-maps").get("maps") or ()},
    }


def remotes(answer: Mapping[str, Any], ready_too: bool = True) -> list[Remote]:
    """The connected clusters, or only those that are not ready."""
    clusters = part(answer, "cluster-mesh").get("clusters") or ()
    return [_remote(each) for each in clusters if ready_too or not each.get("ready")]


def reachability(answer: Mapping[str, Any]) -> list[Reachability]:
    """The nodes in an answer of `cilium-health status -o json`."""
    return [_reached(each) for each in answer.get("nodes") or ()]


def _part(answer: Mapping[str, Any], name: str) -> Part | None:
    found = part(answer, name)
    return Part(state=found.get("state"), message=found.get("msg")) if found else None


def _ipam(ipam: Mapping[str, Any], addresses: bool) -> Ipam | None:
    if not ipam:
        return None
    return Ipam(
        # The text ends with a comma where the agent has only one family.
        status=str(ipam.get("status") or "").rstrip(", ") or None,
        allocated_ipv4=len(ipam.get("ipv4") or ()),
        allocated_ipv6=len(ipam.get("ipv6") or ()),
        allocations=ipam.get("allocations") if addresses else None,
    )


def _proxy(proxy: Mapping[str, Any], redirects: bool) -> Proxy | None:
    if not proxy:
        return None
    return Proxy(
        mode=proxy.get("envoy-deployment-mode"),
        port_range=proxy.get("port-range"),
        redirects=proxy.get("total-redirects", 0),
        redirect_list=(proxy.get("redirects") or []) if redirects else None,
    )


def _masquerading(answer: Mapping[str, Any]) -> Masquerading | None:
    if not answer:
        return None
    protocols = part(answer, "enabledProtocols")
    # Older agents have one field, without the family.
    not_for = answer.get("snat-exclusion-cidr-v4") or answer.get("snat-exclusion-cidr")
    return Masquerading(
        enabled=answer.get("enabled", False),
        mode=answer.get("mode"),
        ipv4=protocols.get("ipv4", False),
        ipv6=protocols.get("ipv6", False),
        not_for=not_for,
    )


def _controller(each: Mapping[str, Any]) -> dict[str, Any]:
    status = part(each, "status")
    names = ("success-count", "failure-count", "consecutive-failure-count", "last-failure-msg")
    return {"name": each["name"], **{name: status[name] for name in names if status.get(name)}}


def _remote(each: Mapping[str, Any]) -> Remote:
    counts = {name: each.get(f"num-{name}", 0) for name in ("nodes", "endpoints", "identities", "failures")}
    return Remote(
        name=each["name"],
        connected=each.get("connected", False),
        ready=each.get("ready", False),
        status=each.get("status"),
        services=each.get("num-shared-services", 0),
        **counts,
    )


def _reached(each: Mapping[str, Any]) -> Reachability:
    host = part(each, "host", "primary-address")
    endpoint = part(each, "health-endpoint", "primary-address") or part(each, "endpoint")
    latency = part(host, "http").get("latency") or part(host, "icmp").get("latency")
    return Reachability(
        name=each.get("name") or "",
        host=_path(host),
        endpoint=_path(endpoint),
        # Agents report nanoseconds.
        latency_ms=round(latency / 1e6, 2) if latency else None,
    )


def _path(path: Mapping[str, Any]) -> str:
    """`ok`, or what each failed probe said; `not probed` before the first probe."""
    probes: Sequence[tuple[str, Any]] = [(name, path.get(name)) for name in ("icmp", "http") if path.get(name)]
    # A probe without a status has succeeded.
    failed = [f"{name}: {probe['status']}" for name, probe in probes if probe.get("status")]
    return "; ".join(failed) if failed else "ok" if probes else "not probed"
