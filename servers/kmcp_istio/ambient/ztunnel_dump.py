"""What a ztunnel knows: workloads, services, policies, certificates and connections of its `/config_dump`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, Field

from kmcp_runtime import read_json, unavailable

Item = Mapping[str, Any]
_HEALTHY = "Healthy"


class Workload(BaseModel):
    """One workload of the mesh."""

    name: str
    namespace: str
    ip: str
    node: str | None = None
    waypoint: str | None = None
    protocol: str | None = Field(default=None, description="HBONE: in the mesh; TCP: outside it")


class Service(BaseModel):
    """One service of the mesh."""

    name: str
    namespace: str
    vips: str
    waypoint: str | None = None
    endpoints: str = Field(description="healthy/all")


class Policy(BaseModel):
    """One authorization policy that ztunnel enforces."""

    name: str
    namespace: str
    action: str
    scope: str


class Certificate(BaseModel):
    """One certificate of an identity, or an identity that has none yet."""

    identity: str
    state: str
    type: str | None = Field(default=None, description="Leaf, Intermediate, Root")
    valid: bool
    serial: str | None = None
    not_after: str | None = None


class Connection(BaseModel):
    """One open connection."""

    workload: str = Field(description="name.namespace")
    direction: str
    src: str
    dst: str
    target: str | None = Field(default=None, description="The address that the caller asked for")
    protocol: str


Row = Workload | Service | Policy | Certificate | Connection


@dataclass(frozen=True)
class Shown:
    """A row, and the names that filters compare with."""

    row: Row
    namespace: str
    workload: str | None = None


class Dump:
    """One dump, of any version of ztunnel."""

    def __init__(self, content: bytes, source: str) -> None:
        try:
            found = read_json(content)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise unavailable(f"{source} did not answer with a config dump: {content[:80]!r}")
        # Keys are in camel case or in lower case, and parts are lists or maps, depending on the version of ztunnel.
        self._parts = {key.lower(): value for key, value in found.items()}

    def part(self, name: str) -> list[Item]:
        found = self._parts.get(name) or []
        return list(found.values()) if isinstance(found, dict) else list(found)

    def rows(self, kind: str) -> list[Shown]:
        return _ROWS[kind](self)


def _workloads(dump: Dump) -> list[Shown]:
    services = dump.part("services")
    found = sorted(dump.part("workloads"), key=lambda one: (one["namespace"], one["name"], one.get("node") or ""))
    return [Shown(_workload(one, services), one["namespace"], one["name"]) for one in found]


def _workload(one: Item, services: Sequence[Item]) -> Workload:
    return Workload(
        name=one["name"],
        namespace=one["namespace"],
        ip=", ".join(one.get("workloadIps") or ()) or str(one.get("hostname") or ""),
        node=one.get("node") or None,
        waypoint=_waypoint(one, services),
        protocol=one.get("protocol"),
    )


def _services(dump: Dump) -> list[Shown]:
    healthy = {one.get("uid") for one in dump.part("workloads") if one.get("status") == _HEALTHY}
    services = sorted(dump.part("services"), key=lambda one: (one["namespace"], one["name"], one["hostname"]))
    return [Shown(_service(one, services, healthy), one["namespace"]) for one in services]


def _service(one: Item, services: Sequence[Item], healthy: set[Any]) -> Service:
    endpoints = one.get("endpoints") or {}
    members = list(endpoints.values()) if isinstance(endpoints, dict) else list(endpoints)
    # An endpoint names its workload by uid; only the workload knows whether it is healthy.
    well = sum(member.get("workloadUid") in healthy for member in members)
    return Service(
        name=one["name"],
        namespace=one["namespace"],
        vips=", ".join(_ip(vip) for vip in one.get("vips") or ()),
        waypoint=_waypoint(one, services),
        endpoints=f"{well}/{len(members)}",
    )


def _waypoint(one: Item, services: Iterable[Item]) -> str | None:
    """The waypoint of a workload or service: the name of its Service, or its address when no Service has that."""
    destination = (one.get("waypoint") or {}).get("destination")
    if not destination:
        return None
    known = (
        each["name"]
        for each in services
        if destination in (f"{each['namespace']}/{each['hostname']}", *(each.get("vips") or ()))
    )
    return next(known, str(destination))


def _ip(vip: str) -> str:
    """A virtual IP without its network."""
    # network/address, as in the workload API.
    return vip.rpartition("/")[2]


def _policies(dump: Dump) -> list[Shown]:
    found = sorted(dump.part("policies"), key=lambda one: (one["namespace"], one["name"]))
    return [
        Shown(
            Policy(name=one["name"], namespace=one["namespace"], action=one["action"], scope=one["scope"]),
            one["namespace"],
        )
        for one in found
    ]


def _certificates(dump: Dump) -> list[Shown]:
    return [Shown(row, _namespace_of(row.identity)) for one in dump.part("certificates") for row in _chain(one)]


def _namespace_of(identity: str) -> str:
    """The namespace in `spiffe://cluster.local/ns/shop/sa/cart`."""
    parts = identity.split("/")
    return parts[parts.index("ns") + 1] if "ns" in parts[:-1] else ""


def _chain(one: Item) -> list[Certificate]:
    identity, reported = str(one.get("identity")), str(one.get("state"))
    # An unavailable certificate carries its error inside the state.
    state = "Unavailable" if "Unavailable" in reported else reported
    chain, roots = list(one.get("certChain") or ()), list(one.get("rootCerts") or ())
    if not chain:
        return [Certificate(identity=identity, state=state, valid=False)]
    kinds = ["Leaf", *["Intermediate"] * (len(chain) - 1)]
    if not roots and len(chain) > 1:
        kinds[-1] = "Root"  # Older ztunnels have the root at the end of the chain.
    titled = [*zip(chain, kinds, strict=True), *((root, "Root") for root in roots)]
    return [
        Certificate(
            identity=identity,
            state=state,
            type=kind,
            valid=_is_valid(certificate),
            serial=_hexadecimal(certificate.get("serialNumber")),
            not_after=certificate.get("expirationTime"),
        )
        for certificate, kind in titled
    ]


def _hexadecimal(serial: Any) -> str | None:
    # Shown in hexadecimal, as istioctl and openssl show it; the dump has it in decimal.
    return f"{int(serial):x}" if str(serial or "").isdigit() else None


def _is_valid(certificate: Item) -> bool:
    try:
        begins, ends = (datetime.fromisoformat(certificate[key]) for key in ("validFrom", "expirationTime"))
    except (KeyError, ValueError):
        return False
    return begins < datetime.now(UTC) < ends


def _connections(dump: Dump) -> list[Shown]:
    names = _names(dump)
    states = sorted(dump.part("workloadstate"), key=lambda one: (one["info"]["namespace"], one["info"]["name"]))
    return [row for state in states for row in _of_workload(state, names)]


def _of_workload(state: Item, names: Mapping[str, str]) -> list[Shown]:
    info, connections = state["info"], state.get("connections") or {}
    workload = f"{info['name']}.{info['namespace']}"
    found = []
    for direction in ("inbound", "outbound"):
        for one in connections.get(direction) or ():
            target = one.get("originalDst")
            row = Connection(
                workload=workload,
                direction=direction,
                src=_named(one["src"], names),
                dst=_named(one["actualDst"], names),
                target=_named(target, names) if target else None,
                protocol=one["protocol"],
            )
            found.append(Shown(row, info["namespace"], info["name"]))
    return found


def _names(dump: Dump) -> dict[str, str]:
    """Names by address; where both have it, the service's."""
    workloads = {ip: f"{one['name']}.{one['namespace']}" for one in dump.part("workloads") for ip in _ips(one)}
    return workloads | {_ip(vip): one["hostname"] for one in dump.part("services") for vip in one.get("vips") or ()}


def _ips(workload: Item) -> list[str]:
    return list(workload.get("workloadIps") or ())


def _named(address: str, names: Mapping[str, str]) -> str:
    host, colon, port = address.rpartition(":")
    found = names.get(host.strip("[]"))
    return f"{found}{colon}{port}" if found else address


_ROWS: Mapping[str, Callable[[Dump], list[Shown]]] = {
    "workload": _workloads,
    "service": _services,
    "policy": _policies,
    "certificate": _certificates,
    "connections": _connections,
}
KINDS = tuple(_ROWS)
