"""Policy rules as agents have them, in one shape for all versions."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel, Field

from kmcp_cilium.state import labels

Way = Literal["ingress", "egress"]
# In the order of the numbers that agents write (pkg/policy/types).
_VERDICTS = ("allow", "deny", "pass")
_NOT_PEERS = ("toPorts", "icmps", "authentication")


class PolicyRule(BaseModel):
    """One rule for one direction."""

    node: str
    policy: str | None = Field(default=None, description="The object that the rule comes from")
    labels: list[str] | None = None
    subject: str = Field(description="Endpoints that the rule applies to")
    direction: Way
    verdict: str
    peers: list[str] = Field(description="Empty: nobody")
    ports: list[str] | None = Field(default=None, description="Absent: all")
    l7: list[Any] | None = None


def entries(node: str, repository: Any) -> Iterator[PolicyRule]:
    """The rules of an agent's repository."""
    for rule in repository or ():
        # From 1.19 a rule is flat, with one direction and a verdict; older ones hold lists of both directions.
        yield from _flat(node, rule) if "Subject" in rule else _nested(node, rule)


def _flat(node: str, rule: Mapping[str, Any]) -> Iterator[PolicyRule]:
    yield PolicyRule(
        **_origin(node, rule.get("Labels")),
        subject=labels.selector(rule.get("Subject")),
        direction="ingress" if rule.get("Ingress") else "egress",
        verdict=_VERDICTS[rule.get("Verdict", 0)],
        peers=[labels.selector(each) for each in rule.get("L3") or ()],
        **_ports(rule.get("L4")),
    )


def _nested(node: str, rule: Mapping[str, Any]) -> Iterator[PolicyRule]:
    subject = labels.selector(rule.get("endpointSelector") or rule.get("nodeSelector"))
    ways: tuple[tuple[str, Way, str], ...] = (
        ("ingress", "ingress", "allow"),
        ("ingressDeny", "ingress", "deny"),
        ("egress", "egress", "allow"),
        ("egressDeny", "egress", "deny"),
    )
    for key, way, verdict in ways:
        for each in rule.get(key) or ():
            yield PolicyRule(
                **_origin(node, rule.get("labels")),
                subject=subject,
                direction=way,
                verdict=verdict,
                peers=_peers(each),
                **_ports(each.get("toPorts")),
            )


def _origin(node: str, given: Any) -> dict[str, Any]:
    written = [labels.written(label) for label in given or ()]
    return {"node": node, "policy": labels.policy_of(written), "labels": labels.of_its_own(written) or None}


def _peers(rule: Mapping[str, Any]) -> list[str]:
    # fromEndpoints, toCIDR, fromEntities …: every field that begins with a direction but is not a port.
    lists = [value for key, value in rule.items() if key[:2] in ("fr", "to") and key not in _NOT_PEERS]
    return [labels.selector(each) for peers in lists if isinstance(peers, list) for each in peers] or (
        ["*"] if not lists else []
    )


def _ports(given: Any) -> dict[str, Any]:
    ports = [port for each in given or () for port in each.get("ports") or ()]
    l7 = [each["rules"] for each in given or () if each.get("rules")]
    return {"ports": [_port(port) for port in ports] or None, "l7": l7 or None}


def _port(port: Mapping[str, Any]) -> str:
    end = f"-{port['endPort']}" if port.get("endPort") else ""
    return f"{port.get('port', 'any')}{end}/{port.get('protocol', 'ANY')}"
