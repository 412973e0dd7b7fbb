"""Endpoints: which one an argument means, on which node, and their details."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from kmcp_cilium.agents.agent import Agent
from kmcp_cilium.arguments import as_text, check_operand
from kmcp_cilium.client import Cilium
from kmcp_cilium.state.fields import part
from kmcp_cilium.state.labels import of_its_own, policy_of, selector
from kmcp_cilium.state.ports import port_text
from kmcp_cilium.state.verdicts import verdict_text
from kmcp_runtime import ToolFailure, bad_argument, live_state, not_found, read_json

PREFIXES = (
    "cep-name",
    "pod-name",
    "ipv4",
    "ipv6",
    "cni-attachment-id",
    "container-id",
    "container-name",
    "cilium-local",
)
_OF_A_POD = ("cep-name", "pod-name")
_FORMS = "use an ID, namespace/pod, or cep-name:, pod-name:, ipv4:, ipv6:, cni-attachment-id: with a value"
_POD = re.compile(r"([a-z0-9.-]+)[/:]([a-z0-9.-]+)")
MOST_ASKED = 32
"""How many other agents are asked for an endpoint that is not on the named node."""
_LOG_TAIL = 10


def check_endpoint_id(value: str) -> str:
    """Refuse what cannot be the name of an endpoint."""
    check_operand(value)
    prefix, colon, rest = value.partition(":")
    well_formed = value.isdigit() or _POD.fullmatch(value) or (colon and rest and prefix in PREFIXES)
    if not well_formed or re.search(r"\s|,", value):
        raise ValueError(f"{value!r} is not an endpoint; {_FORMS}")
    if prefix in _OF_A_POD and colon and not _POD.fullmatch(rest):
        raise ValueError(f"{value!r} does not name a pod: write {prefix}:namespace/name")
    return value


EndpointId = Annotated[
    str, BeforeValidator(as_text), AfterValidator(check_endpoint_id), "ID, namespace/pod, ipv4:…, cep-name:…"
]


@dataclass(frozen=True)
class Located:
    """An endpoint and the agent that has it."""

    agent: Agent
    found: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.found["id"])

    @property
    def pod(self) -> str | None:
        """`namespace/name`; None for the host's and the health endpoint."""
        namespace, name = pod_of(self.found)
        return f"{namespace}/{name}" if name else None


def bind(located: Located) -> None:
    """Tie the approval of this call to the endpoint: numbers are given again, its container is not."""
    whose = part(located.found, "status", "external-identifiers")
    live_state.bind(f"endpoint {located.id} {located.agent.where}", {"pod": located.pod, "identifiers": whose})


async def locate(cilium: Cilium, endpoint_id: str, node: str | None) -> Located:
    """The endpoint that is meant; the node of a pod is looked up, any other form needs it where there are several."""
    pod = _pod_in(endpoint_id)
    if pod is None:
        agent, word = await cilium.find_one_agent(node), endpoint_id
    else:
        agent, word = await cilium.find_one_agent(node or await _find_node(cilium, *pod)), f"cep-name:{pod[0]}/{pod[1]}"
    try:
        (found,) = await agent.call_json("endpoint", "get", word)
    except ToolFailure as failure:
        if failure.code != "not_found":
            raise
        raise await _explain_absence(cilium, agent, endpoint_id, word) from None
    return Located(agent, found)


def _pod_in(endpoint_id: str) -> tuple[str, str] | None:
    prefix, _, rest = endpoint_id.partition(":")
    pod = _POD.fullmatch(rest if prefix in _OF_A_POD else endpoint_id)
    # container:name also fits the pattern with a colon; only a slash makes a pod.
    return (pod[1], pod[2]) if pod and "/" in pod[0] else None


async def _find_node(cilium: Cilium, namespace: str, name: str) -> str:
    pod = await cilium.read_kind("pods", name, namespace)
    node = (pod.get("spec") or {}).get("nodeName")
    if not node:
        raise not_found(f"endpoint_id: pod {namespace}/{name} is not on a node yet", "it has no endpoint until it runs")
    if pod["spec"].get("hostNetwork"):
        raise bad_argument(
            f"endpoint_id: pod {namespace}/{name} uses the host network, so it has no endpoint",
            f"the host endpoint of node {node} has the label reserved:host",
        )
    return str(node)


async def _explain_absence(cilium: Cilium, asked: Agent, endpoint_id: str, word: str) -> ToolFailure:
    """The failure for an endpoint that is not on a node, with the nodes that have one of that name."""
    # One more than are asked: the agent that has already answered is among them.
    others = [agent for agent in await cilium.list_ready_agents(MOST_ASKED + 1) if agent.node != asked.node]

    # A failure means no here: the caller asked about another node.
    async def has(agent: Agent) -> bool:
        return bool(await agent.call_json("endpoint", "get", word))

    found = [node for node, there in await cilium.ask_each(others[:MOST_ASKED], has) if there]
    more = ", and others were not asked" if len(others) > MOST_ASKED else ""
    hint = f"node {', '.join(found)} has one" if found else f"cilium_get_endpoints_list node_name={asked.node}"
    return not_found(f"endpoint {endpoint_id!r} is not on node {asked.node}", hint + more)


class RealisedRule(BaseModel):
    """A rule that the datapath of an endpoint applies."""

    ports: str
    verdict: str = Field(default="unknown", description="What happens to its traffic: allow, deny, pass")
    peers: list[str] | None = Field(default=None, description="Absent: the agent does not say; *: everybody")
    l7: list[Any] | None = Field(default=None, description="Conditions of L7, TLS, authentication")
    policies: list[str] = Field(description="Policies that it comes from")


class Controller(BaseModel):
    """A controller of the agent that keeps failing."""

    name: str
    failures: int
    last_error: str


class LogEntry(BaseModel):
    """A change of an endpoint's state."""

    timestamp: str
    code: str
    state: str
    message: str


class Endpoint(BaseModel):
    """An endpoint in a list."""

    node: str
    id: int
    identity: int | None = None
    namespace: str | None = None
    pod: str | None = None
    state: str | None = None
    ipv4: str | None = None
    ipv6: str | None = None
    policy_ingress: str | None = Field(default=None, description="Enforced, or not")
    policy_egress: str | None = None
    health: str | None = None
    labels: list[str] | None = None


# What policy-enabled says of ingress and egress (api/v1/models, EndpointPolicyEnabled).
_POLICY = {
    "none": ("disabled", "disabled"),
    "both": ("enabled", "enabled"),
    "ingress": ("enabled", "disabled"),
    "egress": ("disabled", "enabled"),
    "audit-both": ("audit", "audit"),
    "audit-ingress": ("audit", "disabled"),
    "audit-egress": ("disabled", "audit"),
}


def pod_of(endpoint: Mapping[str, Any]) -> tuple[str | None, str | None]:
    names = part(endpoint, "status", "external-identifiers")
    namespace, _, name = str(names.get("pod-name") or "").partition("/")
    return names.get("k8s-namespace") or namespace or None, names.get("k8s-pod-name") or name or None


def address_of(endpoint: Mapping[str, Any]) -> dict[str, Any]:
    pairs = part(endpoint, "status", "networking").get("addressing") or [{}]
    return dict(pairs[0])


def entry(node: str, endpoint: Mapping[str, Any]) -> Endpoint:
    """An endpoint of an agent's answer, for a list."""
    status, address = part(endpoint, "status"), address_of(endpoint)
    identity = part(status, "identity")
    namespace, pod = pod_of(endpoint)
    ingress, egress = enforcement_of(status)
    return Endpoint(
        node=node,
        id=endpoint["id"],
        identity=identity.get("id"),
        namespace=namespace,
        pod=pod,
        state=status.get("state"),
        ipv4=address.get("ipv4") or None,
        ipv6=address.get("ipv6") or None,
        policy_ingress=ingress,
        policy_egress=egress,
        health=part(status, "health").get("overallHealth"),
        # In a list only the labels that tell endpoints apart; details show all of them.
        labels=of_its_own(identity.get("labels") or ()) or None,
    )


def enforcement_of(status: Mapping[str, Any]) -> tuple[str | None, str | None]:
    enabled = str(part(status, "policy", "realized").get("policy-enabled"))
    return _POLICY.get(enabled, (None, None))


class Detail(Endpoint):
    """One endpoint in detail."""

    mac: str | None = None
    interface: str | None = None
    disabled_labels: list[str] | None = None
    policy_revision: int | None = None
    policy_revision_wanted: int | None = Field(default=None, description="Until it is realized")
    allowed_ingress_identities: list[int] | None = None
    allowed_egress_identities: list[int] | None = None
    denied_ingress_identities: list[int] | None = None
    denied_egress_identities: list[int] | None = None
    ingress_rules: list[RealisedRule] | None = None
    egress_rules: list[RealisedRule] | None = None
    named_ports: list[dict[str, Any]] | None = None
    options: dict[str, str] | None = None
    failing_controllers: list[Controller] | None = None
    log: list[LogEntry] | None = Field(default=None, description="The newest state changes")


def detail(node: str, endpoint: Mapping[str, Any]) -> Detail:
    """One endpoint with its policy, rules and newest state changes."""
    status = part(endpoint, "status")
    realized, networking = part(status, "policy", "realized"), part(status, "networking")
    rules = part(realized, "l4")
    revision, wanted = realized.get("policy-revision"), part(status, "policy", "spec").get("policy-revision")
    listed = entry(node, endpoint).model_dump() | {"labels": sorted(part(status, "identity").get("labels") or ())}
    return Detail(
        **listed,
        mac=networking.get("mac"),
        interface=networking.get("interface-name"),
        disabled_labels=part(status, "labels").get("disabled") or None,
        policy_revision=revision,
        # Equal revisions are the normal state and not worth a field.
        policy_revision_wanted=wanted if (wanted or 0) > (revision or 0) else None,
        **{f"{kind.replace('-', '_')}": realized.get(kind) or None for kind in _IDENTITIES},
        ingress_rules=_rules(rules.get("ingress")),
        egress_rules=_rules(rules.get("egress")),
        named_ports=status.get("namedPorts") or None,
        options=part(endpoint, "spec", "options") or None,
        failing_controllers=failing(status.get("controllers") or ()) or None,
        log=[log_entry(change) for change in (status.get("log") or ())[:_LOG_TAIL]] or None,
    )


_IDENTITIES = tuple(f"{verdict}-{way}-identities" for verdict in ("allowed", "denied") for way in ("ingress", "egress"))


def failing(controllers: Any) -> list[Controller]:
    """The controllers whose last runs failed."""
    found = [(each["name"], part(each, "status")) for each in controllers]
    return [
        Controller(name=name, failures=status["consecutive-failure-count"], last_error=status["last-failure-msg"])
        for name, status in found
        if status.get("consecutive-failure-count")
    ]


def log_entry(change: Mapping[str, Any]) -> LogEntry:
    return LogEntry(**{name: str(change.get(name) or "") for name in LogEntry.model_fields})


def _rules(found: Any) -> list[RealisedRule] | None:
    return [rule for each in found or () for rule in _realised(each)] or None


def _realised(each: Mapping[str, Any]) -> list[RealisedRule]:
    """The rules of one port: one for each verdict and set of L7 rules, with the peers that it holds for."""
    # The agent puts the rule as JSON into a text.
    answer = read_json(each.get("rule") or "{}")
    by_peer = [pair for entry in answer.get("l7-rules") or () for pair in entry.items()]
    origins = {label_policy for rule in each.get("derived-from-rules") or () if (label_policy := policy_of(rule))}
    about = {"ports": port_text(answer), "policies": sorted(origins)}
    if not by_peer:
        return [RealisedRule(**about)]
    groups: dict[tuple[str, str], tuple[dict[str, Any], list[str]]] = {}
    for peer, policy in by_peer:
        verdict, rest = _policy(policy)
        groups.setdefault((verdict, json.dumps(rest, sort_keys=True)), (rest, []))[1].append(selector(peer))
    return [
        RealisedRule(**about, verdict=verdict, peers=peers, l7=[rest] if rest else None)
        for (verdict, _), (rest, peers) in groups.items()
    ]


def _policy(given: Any) -> tuple[str, dict[str, Any]]:
    """What happens to a peer's traffic, and the rest: L7 rules, authentication, listener, names of servers."""
    if given is None:
        return "allow", {}
    if not isinstance(given, Mapping):
        return "unknown", {"as the agent writes it": given}
    # `IsDeny` up to 1.18, then `verdict`; neither stands there for what is allowed.
    denied = given.get("IsDeny") or given.get("isDeny")
    rest = {key: value for key, value in given.items() if key not in ("IsDeny", "isDeny", "verdict")}
    return ("deny" if denied else verdict_text(given.get("verdict", 0))), rest
