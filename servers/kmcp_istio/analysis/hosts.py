"""Hosts: short and full names of Services, what ServiceEntries add, and who may see them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kmcp_istio.analysis.snapshot import Snapshot, identity, spec

EVERYWHERE = "*"
_LOCAL = "."
_DOMAIN = ".svc.cluster.local"
_EXPORT_TO = "networking.istio.io/exportTo"


def full_name(host: str, namespace: str) -> str:
    """`reviews` as `reviews.shop.svc.cluster.local`; a name with a dot, or with a wildcard, is one already."""
    return host if "." in host or host.startswith("*") else f"{host}.{namespace}{_DOMAIN}"


def matches(pattern: str, host: str) -> bool:
    """Whether one of two names, each perhaps with a wildcard at its beginning, covers the other."""
    if pattern.startswith("*") and host.startswith("*"):
        shorter, longer = sorted((pattern[1:], host[1:]), key=len)
        return longer.endswith(shorter)
    if pattern.startswith("*"):
        return host.endswith(pattern[1:])
    return pattern.endswith(host[1:]) if host.startswith("*") else pattern == host


def scopes(export_to: Iterable[str], namespace: str) -> list[str]:
    """The namespaces that see something; `*` for all."""
    named = [namespace if each == _LOCAL else each for each in export_to]
    return [EVERYWHERE] if not named or EVERYWHERE in named else named


class Hosts:
    """Every host of the mesh, by the namespace that sees it."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._seen: dict[str, set[str]] = {}
        for service in snapshot.of("services"):
            namespace, name = identity(service)
            annotation = (service["metadata"].get("annotations") or {}).get(_EXPORT_TO, "")
            visible = [part.strip() for part in annotation.split(",") if part.strip()]
            self._add(full_name(name, namespace), scopes(visible, namespace))
        for entry in snapshot.of("serviceentries"):
            namespace, _ = identity(entry)
            for host in spec(entry).get("hosts") or ():
                self._add(full_name(host, namespace), scopes(spec(entry).get("exportTo") or (), namespace))

    def known(self, host: str, namespace: str) -> bool:
        """Whether a namespace can reach that host."""
        name = full_name(host, namespace)
        visible = self._seen.get(EVERYWHERE, set()) | self._seen.get(namespace, set())
        return name in visible or any(each.startswith("*") and name.endswith(each[1:]) for each in visible)

    def _add(self, host: str, seen_by: Sequence[str]) -> None:
        for scope in seen_by:
            self._seen.setdefault(scope, set()).add(host)


def destinations(virtual_service: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Where a VirtualService sends or mirrors traffic to: what it is called in messages, and the destination."""
    found = [
        ("host", route.get("destination") or {})
        for protocol in ("tcp", "tls", "http")
        for rule in virtual_service.get(protocol) or ()
        for route in rule.get("route") or ()
    ]
    for rule in virtual_service.get("http") or ():
        mirrors = [
            *([rule["mirror"]] if rule.get("mirror") else []),
            *(each.get("destination") or {} for each in rule.get("mirrors") or ()),
        ]
        found += [("mirror", mirror) for mirror in mirrors]
    return found
