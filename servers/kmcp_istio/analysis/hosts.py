"""Hosts: short and full names of Services, those of ServiceEntries, and the namespaces that see them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kmcp_istio.analysis.snapshot import Snapshot, identity, spec

EVERYWHERE = "*"
_LOCAL = "."
_DOMAIN = ".svc.cluster.local"
_EXPORT_TO = "networking.istio.io/exportTo"


def full_name(host: str, namespace: str) -> str:
    """`reviews.shop.svc.cluster.local` for `reviews`; names with a dot or a wildcard stay as they are."""
    # Istio takes every name with a dot for a full one, even reviews.shop (analyzers/util, ConvertHostToFQDN).
    return host if "." in host or host.startswith("*") else f"{host}.{namespace}{_DOMAIN}"


def matches(pattern: str, host: str) -> bool:
    """Whether one of two names covers the other; either may begin with a wildcard."""
    if pattern.startswith("*") and host.startswith("*"):
        # *.example.com covers *.shop.example.com: one suffix must end with the other.
        shorter, longer = sorted((pattern[1:], host[1:]), key=len)
        return longer.endswith(shorter)
    if pattern.startswith("*"):
        return host.endswith(pattern[1:])
    return pattern.endswith(host[1:]) if host.startswith("*") else pattern == host


def scopes(export_to: Iterable[str], namespace: str) -> list[str]:
    """The namespaces of an exportTo; `*` for all of them."""
    named = [namespace if each == _LOCAL else each for each in export_to]
    # Without exportTo everything is visible everywhere: the default of the mesh config.
    return [EVERYWHERE] if not named or EVERYWHERE in named else named


class Hosts:
    """Every host of the mesh, by the namespaces that see it."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._seen: dict[str, set[str]] = {}
        for service in snapshot.of("services"):
            namespace, name = identity(service)
            # A Service has no field exportTo, so it is exported by an annotation.
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
    """Where a VirtualService sends or mirrors traffic, each with the word for it in istioctl's messages."""
    found = [
        ("host", route.get("destination") or {})
        for protocol in ("tcp", "tls", "http")
        for rule in virtual_service.get(protocol) or ()
        for route in rule.get("route") or ()
    ]
    for rule in virtual_service.get("http") or ():
        mirrors = [
            # mirror is the older field for one destination; both may be set.
            *([rule["mirror"]] if rule.get("mirror") else []),
            *(each.get("destination") or {} for each in rule.get("mirrors") or ()),
        ]
        found += [("mirror", mirror) for mirror in mirrors]
    return found
