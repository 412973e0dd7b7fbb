"""Hubble's flows: `hubble observe` in the agent's container, which prints one JSON document per line."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from kmcp_cilium.agents import failures
from kmcp_cilium.agents.agent import Agent
from kmcp_cilium.state.fields import part
from kmcp_cilium.state.labels import of_its_own
from kmcp_runtime import ToolFailure, unavailable

_PROGRAM = "hubble"
_OFF = ("hubble.sock", "connection refused", "failed to connect", "context deadline exceeded")
_ENABLE = "cilium_toggle_hubble enable=true switches Hubble on"
_MOST_LABELS = 12


class Peer(BaseModel):
    """One end of a flow."""

    namespace: str | None = None
    pod: str | None = None
    ip: str | None = None
    port: int | None = None
    identity: int | None = None
    names: list[str] | None = None
    labels: list[str] | None = None


class Flow(BaseModel):
    """One flow and its verdict."""

    time: str
    node: str | None = None
    verdict: str
    drop_reason: str | None = None
    direction: str | None = None
    source: Peer
    destination: Peer
    protocol: str | None = None
    reply: bool | None = None
    l7: Any = None
    policy: list[str] | None = None


@dataclass
class Seen:
    """The flows that one node has seen."""

    flows: list[Flow] = field(default_factory=list)
    lost: int = 0


def words(pods: Mapping[str, str | None], namespace: str | None) -> list[str]:
    """The arguments that select flows: by pods with their namespace, otherwise by namespace."""
    # hubble refuses a pod of another namespace than that of --namespace, so the namespace goes into the pod's name.
    named = [(flag, _qualified(pod, namespace)) for flag, pod in pods.items() if pod]
    if not named and namespace:
        named = [("--namespace", namespace)]
    return ["observe", "flows", *(word for pair in named for word in pair)]


async def observe(agent: Agent, argv: list[str]) -> Seen:
    """The flows of one agent; `unavailable` where Hubble is off."""
    ended = await agent.run(_PROGRAM, *argv)
    stdout, stderr = (stream.decode(errors="replace") for stream in (ended.stdout, ended.stderr))
    if ended.exit_code:
        said = failures.spoken(stderr) or failures.spoken(stdout)
        if any(sign in said for sign in _OFF):
            raise unavailable(f"Hubble does not answer {agent.where}: {said}", _ENABLE, backend=_PROGRAM)
        raise ToolFailure("bad_argument", f"hubble: {said} ({agent.where})", backend=_PROGRAM)
    seen = Seen()
    for line in stdout.splitlines():
        _add(seen, _document(line))
    return seen


def counts(flows: Iterable[Flow]) -> dict[str, int]:
    """How many flows have each verdict, and each drop reason."""
    found: Counter[str] = Counter()
    for flow in flows:
        found[flow.verdict] += 1
        if flow.drop_reason:
            found[flow.drop_reason] += 1
    return dict(found)


def _qualified(pod: str, namespace: str | None) -> str:
    return pod if "/" in pod else f"{namespace or 'default'}/{pod}"


def _document(line: str) -> Mapping[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        raise failures.unreadable("hubble observe", line) from None
    return found if isinstance(found, Mapping) else {}


def _add(seen: Seen, document: Mapping[str, Any]) -> None:
    if "flow" in document:
        seen.flows.append(_flow(document["flow"], document))
    # Hubble reports events that its ring buffer has overwritten in documents of their own.
    elif "lost_events" in document:
        seen.lost += int(part(document, "lost_events").get("num_events_lost") or 0)


def _flow(flow: Mapping[str, Any], document: Mapping[str, Any]) -> Flow:
    l4 = part(flow, "l4")
    # l4 has one field, named after the protocol.
    protocol = next(iter(l4), None)
    ports = part(l4, protocol) if protocol else {}
    ip = part(flow, "IP")
    dropped = flow.get("verdict") == "DROPPED"
    return Flow(
        time=str(flow.get("time") or document.get("time") or ""),
        node=flow.get("node_name") or document.get("node_name"),
        verdict=str(flow.get("verdict") or "UNKNOWN"),
        drop_reason=str(flow.get("drop_reason_desc") or "unknown reason") if dropped else None,
        direction=flow.get("traffic_direction"),
        protocol=protocol,
        reply=flow.get("is_reply"),
        l7=flow.get("l7"),
        source=_peer(part(flow, "source"), ip.get("source"), ports.get("source_port"), flow.get("source_names")),
        destination=_peer(
            part(flow, "destination"),
            ip.get("destination"),
            ports.get("destination_port"),
            flow.get("destination_names"),
        ),
        policy=_policies(flow) or None,
    )


def _peer(end: Mapping[str, Any], ip: str | None, port: int | None, names: list[str] | None) -> Peer:
    # Peers may have dozens of labels, and a list of flows repeats them.
    labels = of_its_own(end.get("labels") or ())[:_MOST_LABELS]
    return Peer(
        namespace=end.get("namespace") or None,
        pod=end.get("pod_name") or None,
        ip=ip,
        port=port,
        identity=end.get("identity"),
        names=names or None,
        labels=labels or None,
    )


def _policies(flow: Mapping[str, Any]) -> list[str]:
    """The policies that allowed or denied a flow, such as `ingress denied by namespace/name`."""
    found = []
    for way in ("ingress", "egress"):
        for verdict in ("allowed", "denied"):
            for policy in flow.get(f"{way}_{verdict}_by") or ():
                name = "/".join(filter(None, (policy.get("namespace"), policy.get("name"))))
                found.append(f"{way} {verdict} by {name or policy.get('kind', 'a policy')}")
    return found
