"""Policy rules as agents have them, in one shape for all versions."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, Field

from kmcp_cilium.policy.peers import EVERYBODY, is_peers, peer_text, peers_of, requirements_of
from kmcp_cilium.state import labels
from kmcp_cilium.state.ports import icmp_texts, port_text
from kmcp_cilium.state.verdicts import verdict_text

Way = Literal["ingress", "egress"]
_OF_RULE = ("toPorts", "icmps", "authentication")
_OF_PORTS = ("ports", "rules")
_OF_NESTED = (
    *("endpointSelector", "nodeSelector", "ingress", "ingressDeny", "egress", "egressDeny"),
    *("labels", "enableDefaultDeny", "description", "log"),
)
_OF_FLAT = (
    *("Tier", "Priority", "Authentication", "Log", "Subject", "L3", "L4", "Labels"),
    *("DefaultDeny", "Deny", "Verdict", "Ingress", "Node", "Requirements", "EndpointSelector"),
)
_UNKNOWN = "see further"
"""Where a part that is not known here may say more."""


class PolicyRule(BaseModel):
    """One rule for one direction."""

    node: str
    policy: str | None = Field(default=None, description="The object that the rule comes from")
    labels: list[str] | None = None
    subject: str = Field(description="Endpoints that the rule applies to")
    direction: Way
    verdict: str
    peers: list[str] = Field(description="Empty: nobody; *: everybody")
    requires: list[str] | None = Field(
        default=None, description="Labels that every rule for the subject requires of peers"
    )
    ports: list[str] | None = Field(default=None, description="Absent: all")
    l7: list[Any] | None = None
    authentication: str | None = None
    default_deny: bool | None = Field(default=None, description="False: what no rule selects stays allowed")
    further: dict[str, Any] | None = Field(default=None, description="Other conditions, as the agent writes them")


class Entry(NamedTuple):
    """A rule with every label that the agent prints for it."""

    rule: PolicyRule
    labels: list[str]


def entries(node: str, repository: Any) -> Iterator[Entry]:
    """The rules of an agent's repository."""
    for rule in repository or ():
        # From 1.19 a rule is flat, with one direction and a verdict; older ones hold lists of both directions.
        flat = "L3" in rule or "Subject" in rule
        printed = [labels.written(label) for label in rule.get("Labels" if flat else "labels") or ()]
        about = {"node": node, "policy": labels.policy_of(printed), "labels": labels.of_its_own(printed) or None}
        for found in [_flat(about, rule)] if flat else _nested(about, rule):
            yield Entry(found, printed)


def _flat(about: Mapping[str, Any], rule: Mapping[str, Any]) -> PolicyRule:
    order = {key.lower(): rule[key] for key in ("Tier", "Priority") if rule.get(key)}
    unknown = _rest(rule, _OF_FLAT)
    return PolicyRule(
        **about,
        subject=labels.selector(rule.get("Subject", rule.get("EndpointSelector"))),
        direction="ingress" if rule.get("Ingress") else "egress",
        # Agents between the two forms write `Deny`.
        verdict="deny" if rule.get("Deny") else verdict_text(rule.get("Verdict", 0)),
        peers=_flat_peers(rule, unknown),
        requires=[labels.selector({"matchExpressions": [each]}) for each in rule.get("Requirements") or ()] or None,
        authentication=_authentication(rule.get("Authentication")),
        default_deny=False if rule.get("DefaultDeny") is False else None,
        **_ports(rule.get("L4"), (), unknown, order),
    )


def _flat_peers(rule: Mapping[str, Any], unknown: Mapping[str, Any]) -> list[str]:
    """Null admits nobody; an empty list admits everybody to the ports that are named (mergeL4Filter of the agent)."""
    if "L3" not in rule:
        return [_UNKNOWN]
    wanted = rule["L3"]
    if wanted is None:
        return []
    return [peer_text(each) for each in wanted] or _without_peers(rule.get("L4"), unknown)


def _nested(about: Mapping[str, Any], rule: Mapping[str, Any]) -> Iterator[PolicyRule]:
    chosen = rule.get("endpointSelector")
    subject = labels.selector(chosen if chosen is not None else rule.get("nodeSelector"))
    ways: tuple[tuple[str, Way, str], ...] = (
        ("ingress", "ingress", "allow"),
        ("ingressDeny", "ingress", "deny"),
        ("egress", "egress", "allow"),
        ("egressDeny", "egress", "deny"),
    )
    for key, way, verdict in ways:
        for each in rule.get(key) or ():
            beside = {name: value for name, value in _rest(each, _OF_RULE).items() if not is_peers(name)}
            unknown = {**_rest(rule, _OF_NESTED), **beside}
            found = peers_of(each)
            yield PolicyRule(
                **about,
                subject=subject,
                direction=way,
                verdict=verdict,
                peers=_without_peers(each.get("toPorts") or each.get("icmps"), unknown) if found is None else found,
                requires=requirements_of(each) or None,
                authentication=_authentication(each.get("authentication")),
                default_deny=False if (rule.get("enableDefaultDeny") or {}).get(way) is False else None,
                **_ports(each.get("toPorts"), icmp_texts(each.get("icmps")), unknown),
            )


def _without_peers(ports: Any, unknown: Mapping[str, Any]) -> list[str]:
    """Whom a rule without peers is about, unless a part that is not known here may name them.

    With ports everybody; without ports nobody: `ingress: [{}]` only switches to denying what no rule allows.
    """
    if unknown:
        return [_UNKNOWN]
    return [EVERYBODY] if ports else []


def _ports(
    given: Any, icmps: Sequence[str], unknown: Mapping[str, Any], order: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Any]:
    """Ports, rules for the application layer, and whatever else narrows them."""
    parts = list(given or ())
    ports = [[port_text(port) for port in each.get("ports") or ()] for each in parts]
    # An entry without ports is about all of them, also beside one that names some.
    named = [text for each in ports for text in each or [port_text({})]] if any(ports) or icmps else []
    rest = [found for each in parts if (found := _rest(each, _OF_PORTS))]
    return {
        "ports": [*named, *icmps] or ([_UNKNOWN] if unknown else None),
        "l7": [each["rules"] for each in parts if each.get("rules")] or None,
        "further": {**order, **unknown, **({"toPorts": rest} if rest else {})} or None,
    }


def _rest(given: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    return {key: value for key, value in given.items() if key not in known and value is not None}


def _authentication(given: Any) -> str | None:
    return str(given.get("mode")) if isinstance(given, Mapping) else None
