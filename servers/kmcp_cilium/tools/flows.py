"""Flows that Hubble has seen, with verdicts and drop reasons."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from kmcp_cilium.agents.answers import Spread
from kmcp_cilium.arguments import EveryNode, check_operand
from kmcp_cilium.client import Cilium
from kmcp_cilium.declaring import agent_tool
from kmcp_cilium.state import hubble_flows
from kmcp_cilium.state.hubble_flows import Flow, Seen
from kmcp_runtime import Duration, Effect, OptionalNamespace, bad_argument

Verdict = Literal["FORWARDED", "DROPPED", "AUDIT", "REDIRECTED", "ERROR", "TRACED", "TRANSLATED"]


def _check(value: str | None) -> str | None:
    return value and check_operand(value)


Pod = Annotated[str | None, AfterValidator(_check), "Name or namespace/name"]
Value = Annotated[str | None, AfterValidator(_check)]


class Flows(Spread):
    """Flows, the newest last."""

    cuttable = "items"
    keeps_end = True

    items: list[Flow]
    returned: int
    truncated: bool = False
    counts: dict[str, int] = Field(description="By verdict and by drop reason")
    lost_events: int | None = Field(default=None, description="Events that Hubble lost")


@agent_tool(Effect.READ, extra=True)
async def cilium_hubble_observe(
    cilium: Cilium,
    namespace: OptionalNamespace = None,
    pod: Pod = None,
    from_pod: Pod = None,
    to_pod: Pod = None,
    verdict: Annotated[Verdict | None, "Only these"] = None,
    protocol: Annotated[Value, "Such as tcp, udp, dns, http"] = None,
    port: Annotated[int | None, "Port", Field(ge=1, le=65_535)] = None,
    fqdn: Annotated[Value, "Name of a peer"] = None,
    since: Duration = 300.0,
    limit: Annotated[int, "Newest", Field(ge=1, le=500)] = 50,
    node_name: EveryNode = None,
) -> Flows:
    """Show recent flows with verdict and policy; verdict=DROPPED shows which traffic is denied and why."""
    if pod and (from_pod or to_pod):
        raise bad_argument("pod means either end and cannot be combined with from_pod or to_pod", "omit pod")
    named = {"--pod": pod, "--from-pod": from_pod, "--to-pod": to_pod}
    words = hubble_flows.words(named, namespace)
    given = {"--verdict": verdict, "--protocol": protocol, "--port": port and str(port), "--fqdn": fqdn}
    words += [word for flag, value in given.items() if value for word in (flag, value)]
    # The agent's own filters: flows of a busy node would not fit into an answer.
    words += ["--since", f"{max(1, round(since))}s", "--last", str(limit), "-o", "json"]
    answers = await cilium.ask_agents(node_name, lambda agent: hubble_flows.observe(agent, words))
    return _merged([seen for _, seen in answers], limit).model_copy(update={"unreachable": answers.unreachable})


def _merged(seen: list[Seen], limit: int) -> Flows:
    merged = sorted((flow for each in seen for flow in each.flows), key=lambda flow: flow.time)
    lost = sum(each.lost for each in seen)
    hint = None if merged else "No such flow: raise since or remove a filter; Hubble keeps the newest few thousand."
    return Flows(
        # Each node was asked for the newest; the newest of all may be on one node.
        items=merged[-limit:],
        returned=min(limit, len(merged)),
        truncated=len(merged) > limit,
        counts=hubble_flows.counts(merged),
        lost_events=lost or None,
        hint=hint,
    )
