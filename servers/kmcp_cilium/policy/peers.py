"""Peers of a policy rule in words. What is not known here is shown as the agent writes it, never as `*`."""

import json
from collections.abc import Mapping
from typing import Any

from kmcp_cilium.state.labels import selector

EVERYBODY = "*"
_NARROWING = ("fromRequires", "toRequires")
"""They admit nobody: they narrow what the other rules of the policy's endpoints admit."""
_KINDS = {"fromNodes": "node", "toNodes": "node", "toServices": "service", "fromGroups": "group", "toGroups": "group"}


def peers_of(rule: Mapping[str, Any]) -> list[str] | None:
    """Whom a rule of one direction is about: `fromEndpoints`, `toCIDR`, `toServices` …; None when no field says it."""
    lists = {key: value for key, value in rule.items() if is_peers(key) and key not in _NARROWING}
    if not lists and not any(key in rule for key in _NARROWING):
        return None
    return [_peer(key, each) for key, value in lists.items() for each in _listed(value)]


def requirements_of(rule: Mapping[str, Any]) -> list[str]:
    return [selector(each) for key in _NARROWING for each in rule.get(key) or ()]


def is_peers(key: str) -> bool:
    """Whether a field of a rule names peers: it begins with a direction and is not about ports."""
    return key.startswith(("from", "to")) and key != "toPorts"


def peer_text(given: Any) -> str:
    """One peer: a name, a range with its exceptions, a group of ranges, or a selector of labels."""
    if not isinstance(given, Mapping):
        return selector(given)
    known = {"cidr", "cidrGroupRef", "cidrGroupSelector", "except"}
    if not given or not known >= given.keys():
        return selector(given)
    group = given.get("cidrGroupSelector")
    named = given.get("cidr") or (f"cidrgroup:{given['cidrGroupRef']}" if given.get("cidrGroupRef") else None)
    base = str(named or f"cidrgroup {selector(group)}")
    left_out = given.get("except")
    return f"{base} except {', '.join(map(str, left_out))}" if left_out else base


def _peer(key: str, given: Any) -> str:
    kind = _KINDS.get(key)
    if kind == "node":
        return f"node {selector(given)}"
    if kind == "service" and isinstance(given, Mapping):
        return f"service {_service(given)}"
    if kind == "group":
        return f"group {_compact(given)}"
    return (
        peer_text(given)
        if key.endswith(("Endpoints", "CIDR", "CIDRSet", "Entities", "FQDNs"))
        else _unknown(key, given)
    )


def _service(given: Mapping[str, Any]) -> str:
    plain, chosen = given.get("k8sService"), given.get("k8sServiceSelector")
    if plain and given.keys() == {"k8sService"}:
        return "/".join(filter(None, (plain.get("namespace"), plain.get("serviceName"))))
    if chosen and given.keys() == {"k8sServiceSelector"}:
        where = f" in {chosen['namespace']}" if chosen.get("namespace") else ""
        return f"{selector(chosen.get('selector'))}{where}"
    return _compact(given)


def _unknown(key: str, given: Any) -> str:
    return f"{key} {_compact(given)}"


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _compact(given: Any) -> str:
    return json.dumps(given, ensure_ascii=False, sort_keys=True)
