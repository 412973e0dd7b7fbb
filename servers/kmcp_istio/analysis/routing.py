"""Checks of VirtualServices and Gateways: what they refer to must exist, and no two may define the same host."""

from collections.abc import Iterator, Mapping
from typing import Any

from kmcp_istio.analysis.findings import Finding, Origin, finding
from kmcp_istio.analysis.hosts import EVERYWHERE, Hosts, destinations, full_name, matches, scopes
from kmcp_istio.analysis.snapshot import Snapshot, identity, labels, selects, spec

Found = tuple[Origin, Finding]
_MESH = "mesh"
_DOMAIN = "svc.cluster.local"


def check(snapshot: Snapshot) -> Iterator[Found]:
    gateways = {identity(each): each for each in snapshot.of("gateways")}
    hosts, subsets = Hosts(snapshot), set(_subsets(snapshot))
    for each in snapshot.of("virtualservices"):
        origin = Origin("VirtualService", *identity(each))
        # Of what was not read whole, nothing is missing that was not seen.
        if snapshot.has_all("gateways"):
            yield from _gateways_of(origin, spec(each), gateways)
        if snapshot.has_all("services", "serviceentries", "destinationrules"):
            yield from _destinations_of(origin, spec(each), hosts, subsets)
    yield from _claims(snapshot)
    for key, gateway in gateways.items() if snapshot.has_all("pods", "services") else ():
        yield from _workloads_of(Origin("Gateway", *key), spec(gateway), snapshot)


def _missing(origin: Origin, what: str, value: str) -> Found:
    return finding("IST0101", "Error", origin, f'Referenced {what} not found: "{value}"')


def _gateways_of(
    origin: Origin, wanted: Mapping[str, Any], gateways: Mapping[tuple[str, str], Mapping[str, Any]]
) -> Iterator[Found]:
    for reference in wanted.get("gateways") or ():
        # mesh means the sidecars, and a full host name is a Kubernetes gateway: neither is a Gateway object.
        if reference == _MESH or reference.endswith(_DOMAIN):
            continue
        namespace, _, name = reference.rpartition("/")
        # Without a namespace the reference is to the VirtualService's own.
        key = (namespace or origin.namespace, name)
        if key not in gateways:
            yield _missing(origin, "gateway", reference)
        hosts = list(wanted.get("hosts") or ())
        # istioctl reports both for a missing gateway: the reference and its hosts.
        if not _served(gateways.get(key, {}), key[0], hosts, origin.namespace):
            yield finding(
                "IST0132",
                "Warning",
                origin,
                f"one or more host [{' '.join(hosts)}] defined in VirtualService "
                f"{origin.namespace}/{origin.name} not found in Gateway {'/'.join(key)}.",
            )


def _served(gateway: Mapping[str, Any], home: str, hosts: list[str], namespace: str) -> bool:
    """Whether a gateway accepts one of the hosts from a VirtualService of that namespace."""
    offered = [host for server in spec(gateway).get("servers") or () for host in server.get("hosts") or ()]
    for each in offered:
        scope, _, name = each.rpartition("/")
        # namespace/host: a dot is the gateway's own namespace, nothing or a star any.
        visible = scope in ("", EVERYWHERE, namespace) or (scope == "." and home == namespace)
        if visible and any(matches(name, host) for host in hosts):
            return True
    return False


def _destinations_of(
    origin: Origin, wanted: Mapping[str, Any], hosts: Hosts, subsets: set[tuple[str, str]]
) -> Iterator[Found]:
    for kind, destination in destinations(wanted):
        host, subset = destination.get("host", ""), destination.get("subset", "")
        if not hosts.known(host, origin.namespace):
            # istioctl says "mirror host" here, but "mirror+subset" below.
            yield _missing(origin, "mirror host" if kind == "mirror" else kind, host)
        if subset and (full_name(host, origin.namespace), subset) not in subsets:
            yield _missing(origin, f"{kind}+subset in destinationrule", f"{host}+{subset}")


def _subsets(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    for rule in snapshot.of("destinationrules"):
        host = full_name(spec(rule).get("host", ""), identity(rule)[0])
        for subset in spec(rule).get("subsets") or ():
            yield host, subset.get("name", "")


def _claims(snapshot: Snapshot) -> Iterator[Found]:
    """VirtualServices for the mesh's own traffic that define the same host."""
    claims: dict[tuple[str, str], list[Origin]] = {}
    for each in snapshot.of("virtualservices"):
        origin, wanted = Origin("VirtualService", *identity(each)), spec(each)
        # Without gateways a VirtualService is for the mesh.
        if _MESH in (wanted.get("gateways") or [_MESH]):
            for scope in scopes(wanted.get("exportTo") or (), origin.namespace):
                for host in wanted.get("hosts") or ():
                    claims.setdefault((scope, full_name(host, origin.namespace)), []).append(origin)
    reported: set[Origin] = set()
    for (scope, host), origins in claims.items():
        # One that is exported everywhere also meets those of a single namespace.
        rivals = origins + (claims.get((EVERYWHERE, host), []) if scope != EVERYWHERE else [])
        names = ",".join(sorted(f"{each.namespace}/{each.name}" for each in rivals))
        for origin in rivals if len(rivals) > 1 else ():
            # istioctl reports a VirtualService once, however many hosts it shares.
            if origin not in reported:
                reported.add(origin)
                yield finding(
                    "IST0109",
                    "Error",
                    origin,
                    f"The VirtualServices {names} associated with mesh gateway define the "
                    f"same host {scope}/{host} which can lead to undefined behavior. This can be fixed by merging the "
                    "conflicting VirtualServices into a single resource.",
                )


def _workloads_of(origin: Origin, wanted: Mapping[str, Any], snapshot: Snapshot) -> Iterator[Found]:
    selector: Mapping[str, str] = wanted.get("selector") or {}
    pods = [pod for pod in snapshot.of("pods") if selects(selector, labels(pod))]
    shown = ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
    if not pods:
        yield _missing(origin, "selector", shown)
        return
    open_ports = _ports_before(pods, snapshot)
    for server in wanted.get("servers") or ():
        port = (server.get("port") or {}).get("number")
        if port and port not in open_ports:
            yield finding(
                "IST0162",
                "Warning",
                origin,
                f"The gateway is listening on a target port (port {port}) that is not "
                f"defined in the Service associated with its workload instances (Pod selector {shown}). If you need to "
                "access the gateway port through the gateway Service, it will not be available.",
            )


def _ports_before(pods: list[Any], snapshot: Snapshot) -> set[int]:
    """Ports and target ports of the Services that select one of the pods."""
    found: set[int] = set()
    for service in snapshot.of("services"):
        selector = spec(service).get("selector") or {}
        if any(identity(pod)[0] == identity(service)[0] and selects(selector, labels(pod)) for pod in pods):
            for port in spec(service).get("ports") or ():
                target = port.get("targetPort")
                # A named target port cannot be compared with the number of a listener.
                found |= {port["port"], target if isinstance(target, int) else port["port"]}
    return found
