"""Packet recorders of agents up to 1.18."""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from kmcp_cilium.agents import failures
from kmcp_cilium.agents.agent import Agent
from kmcp_cilium.arguments import OneNode
from kmcp_cilium.changes import AgentChange
from kmcp_cilium.client import Cilium
from kmcp_cilium.declaring import agent_tool
from kmcp_cilium.prefixes import prefix
from kmcp_runtime import Cursor, DryRun, Effect, Limit, Page, Result, ToolFailure, live_state, not_found

_OLD = "removed in 1.19: the real agent shows the refusal, a stand-in that answers as 1.18.4 does the command itself"
_PROTOCOLS = ("TCP", "UDP", "ANY")
_PARTS = 5
_PORT = re.compile(r"\d{1,5}")


def check_filter(text: str) -> str:
    """A filter `srcCIDR srcPort dstCIDR dstPort proto` in the agent's spelling; a `ValueError` for anything else."""
    words = text.split()
    if len(words) != _PARTS:
        raise ValueError(f"{text!r} is not a filter: write srcCIDR srcPort dstCIDR dstPort proto")
    # Five words in a fixed order, as the command takes them in one argument.
    source, source_port, target, target_port, protocol = words
    if protocol.upper() not in _PROTOCOLS:
        raise ValueError(f"{text!r}: the protocol must be one of {', '.join(_PROTOCOLS)}")
    if not _PORT.fullmatch(source_port) or not _PORT.fullmatch(target_port):
        raise ValueError(f"{text!r}: a port must be a number, 0 for any")
    return " ".join((prefix(source), source_port, prefix(target), target_port, protocol.upper()))


def _at_commas(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


RecorderId = Annotated[int, "Number", Field(ge=1)]


class Recorder(BaseModel):
    """A recorder and what it captures."""

    id: int
    capture_length: int = Field(description="Bytes of each packet; 0 is all")
    filters: list[str] = Field(description="srcCIDR srcPort dstCIDR dstPort proto")


class Recorders(Page[Recorder]):
    """Recorders, by number."""

    node: str


class RecorderInformation(Result):
    """One recorder."""

    node: str
    recorder: Recorder


class RecorderChange(AgentChange):
    """A recorder that was created, changed or removed."""

    id: int
    created: bool | None = None
    deleted: bool | None = None
    filters: list[str] | None = None


@agent_tool(Effect.READ, verified="stand-in", why=_OLD)
async def cilium_list_pcap_recorders(
    cilium: Cilium, node_name: OneNode = None, limit: Limit = 100, cursor: Cursor = None
) -> Recorders:
    """List the packet recorders of an agent up to 1.18; for flows use cilium_hubble_observe."""
    agent = await cilium.find_one_agent(node_name)
    return cilium.page(Recorders, await _list(agent), limit, cursor, node=agent.node)


@agent_tool(Effect.READ, verified="stand-in", why=_OLD)
async def cilium_get_pcap_recorder(
    cilium: Cilium, recorder_id: RecorderId, node_name: OneNode = None
) -> RecorderInformation:
    """Show one packet recorder of an agent up to 1.18."""
    agent = await cilium.find_one_agent(node_name)
    found = await _find(agent, recorder_id)
    if found is None:
        raise _unknown(agent, recorder_id)
    return RecorderInformation(node=agent.node, recorder=found)


@agent_tool(Effect.WRITE, verified="stand-in", why=_OLD, ignored=("id",), idempotent=True)
async def cilium_update_pcap_recorder(
    cilium: Cilium,
    recorder_id: RecorderId,
    filters: Annotated[
        list[Annotated[str, AfterValidator(check_filter)]],
        BeforeValidator(_at_commas),
        "srcCIDR srcPort dstCIDR dstPort proto",
        Field(min_length=1),
    ],
    caplen: Annotated[int, "Bytes of a packet; 0 all", Field(ge=0, le=65_535)] = 0,
    node_name: OneNode = None,
    dry_run: DryRun = False,
) -> RecorderChange:
    """Create or change a packet recorder of an agent up to 1.18."""
    agent = await cilium.find_one_agent(node_name)
    before = await _find(agent, recorder_id)
    if not dry_run:
        joined = ",".join(filters)
        words = ("--id", str(recorder_id), "--caplen", str(caplen), "--filters", joined)
        await agent.call("recorder", "update", *words)
    # Writing the same recorder again changes nothing.
    same = before is not None and (before.capture_length, before.filters) == (caplen, filters)
    result = "updated" if before else "created"
    return RecorderChange(
        node=agent.node,
        id=recorder_id,
        created=before is None,
        filters=filters,
        dry_run=dry_run or None,
        result=f"would be {result}" if dry_run else result,
        changed=not dry_run and not same,
    )


@agent_tool(Effect.DESTROY, verified="stand-in", why=_OLD)
async def cilium_delete_pcap_recorder(
    cilium: Cilium, recorder_id: RecorderId, node_name: OneNode = None, dry_run: DryRun = False
) -> RecorderChange:
    """Remove a packet recorder of an agent up to 1.18."""
    agent = await cilium.find_one_agent(node_name)
    before = await _find(agent, recorder_id)
    if before is None:
        raise _unknown(agent, recorder_id)
    live_state.bind(f"recorder {recorder_id} {agent.where}", before.model_dump())
    if not dry_run:
        await agent.call("recorder", "delete", str(recorder_id))
    return RecorderChange(
        node=agent.node,
        id=recorder_id,
        deleted=not dry_run,
        filters=before.filters,
        changed=not dry_run,
        result="would be deleted" if dry_run else "deleted",
        dry_run=dry_run or None,
    )


async def _list(agent: Agent) -> list[Recorder]:
    text = await agent.call("recorder", "list", "-o", "json")
    try:
        # A second document follows: the masks that the filters add up to.
        answer, _ = json.JSONDecoder().raw_decode(text.lstrip())
    except ValueError:
        raise failures.unreadable("cilium-dbg recorder list", text) from None
    return sorted((_recorder(each) for each in answer or ()), key=lambda recorder: recorder.id)


async def _find(agent: Agent, number: int) -> Recorder | None:
    answer = await agent.call_json_or(("not_found",), None, "recorder", "get", str(number))
    return _recorder(answer) if answer else None


def _recorder(each: Mapping[str, Any]) -> Recorder:
    spec = (each.get("status") or {}).get("realized") or each.get("spec") or {}
    names = ("src-prefix", "src-port", "dst-prefix", "dst-port", "protocol")
    filters = [" ".join(str(given.get(name) or "0") for name in names) for given in spec.get("filters") or ()]
    return Recorder(id=spec["id"], capture_length=spec.get("capture-length", 0), filters=filters)


def _unknown(agent: Agent, number: int) -> ToolFailure:
    return not_found(f"recorder_id: no recorder {number} {agent.where}", "cilium_list_pcap_recorders lists them")
