"""NetworkPolicies in words: an empty selector takes every pod, and no rule at all lets nothing through."""

from collections.abc import Iterator, Mapping
from typing import Any

from kmcp_kubernetes.description.facts import Facts, Look
from kmcp_runtime.kube.selectors import selector_of

Part = Mapping[str, Any]
_DIRECTIONS = {"Ingress": ("ingress", "from"), "Egress": ("egress", "to")}


async def describe_network_policy(look: Look) -> Facts:
    """Which pods a policy takes, and what it lets through in each direction that it restricts."""
    spec = look.spec
    types = spec.get("policyTypes") or ()
    details = {"pods": f"{_pods(spec.get('podSelector') or {})} of this namespace", "policy_types": list(types)}
    for word, (key, peers) in _DIRECTIONS.items():
        rules = [_rule(rule, peers) for rule in spec.get(key) or ()]
        details[key] = (
            (rules or ["nothing is let through: these pods are isolated"])
            if word in types
            else ["not restricted by this policy"]
        )
    return Facts(details)


def _rule(rule: Part, word: str) -> str:
    """`from pods app=web of namespaces team=a, 10.0.0.0/8 except 10.1.0.0/16; on 8080/TCP`."""
    peers = [_peer(each) for each in rule.get(word) or ()]
    ports = list(_ports(rule.get("ports") or ()))
    return f"{word} {', '.join(peers) or 'everywhere'}; on {', '.join(ports) or 'every port'}"


def _peer(peer: Part) -> str:
    block = peer.get("ipBlock")
    if block:
        apart = f" except {', '.join(block['except'])}" if block.get("except") else ""
        return f"{block.get('cidr')}{apart}"
    pods = _pods(peer.get("podSelector") or {})
    if "namespaceSelector" not in peer:
        return f"{pods} of this namespace"
    chosen = selector_of({"selector": peer["namespaceSelector"] or {}})
    return f"{pods} of {f'namespaces {chosen}' if chosen else 'every namespace'}"


def _pods(selector: Part) -> str:
    chosen = selector_of({"selector": selector})
    return f"pods {chosen}" if chosen else "all pods"


def _ports(ports: Any) -> Iterator[str]:
    for each in ports:
        last = f"-{each['endPort']}" if each.get("endPort") else ""
        yield f"{each.get('port', 'every port')}{last}/{each.get('protocol', 'TCP')}"
