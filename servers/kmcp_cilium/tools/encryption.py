"""Encryption between nodes."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field

from kmcp_cilium.agents.agent import Agent
from kmcp_cilium.agents.answers import SpreadPage
from kmcp_cilium.arguments import EveryNode, OneNode
from kmcp_cilium.changes import AgentChange
from kmcp_cilium.client import Cilium
from kmcp_cilium.declaring import agent_tool
from kmcp_cilium.state.fields import part
from kmcp_runtime import DryRun, Effect, bad_argument, live_state, unavailable

IPSEC = "IPsec"
_LARGEST_SPI = 15
_PLAIN = "Traffic between pods of different nodes may pass unencrypted, or be dropped, until the keys are back."
_NODE_ID = re.compile(r"[1-9]\d{0,4}|0x0*[1-9a-fA-F][0-9a-fA-F]{0,3}")


class Interface(BaseModel):
    """A WireGuard interface."""

    name: str
    public_key: str | None = None
    listen_port: int | None = None
    peers: int


class Encryption(BaseModel):
    """How one node encrypts traffic."""

    node: str
    mode: str
    keys_in_use: int | None = Field(default=None, description="IPsec keys; more than one while keys rotate")
    max_seq_number: str | None = None
    errors: int | None = None
    error_counts: dict[str, int] | None = None
    interfaces: list[Interface] | None = None
    message: str | None = None


class Encryptions(SpreadPage[Encryption]):
    """Encryption by node."""

    consistent: bool = Field(description="Whether all nodes use the same mode and keys")


class Flush(AgentChange):
    """What was removed from the kernel; the numbers are absent when everything was."""

    deleted_states: int | None = None
    deleted_policies: int | None = None


def _check_node_id(value: str | None) -> str | None:
    if value is not None and not _NODE_ID.fullmatch(value):
        raise ValueError(f"{value!r} is not a node ID: use 1 to 65535, or hexadecimal such as 0xa1")
    return value


@agent_tool(Effect.READ, why="the real agent encrypts nothing; keys of IPsec and peers of WireGuard are a stand-in's")
async def cilium_display_encryption_state(cilium: Cilium, node_name: EveryNode = None) -> Encryptions:
    """Show whether and how each node encrypts traffic: IPsec keys and errors, WireGuard peers."""
    answers = await cilium.ask_agents(node_name, _read_state)
    items = [state for _, state in answers]
    # Equal modes with different numbers of keys mean that a rotation is under way, or stuck.
    same = len({(state.mode, state.keys_in_use) for state in items}) == 1
    return Encryptions(items=items, total=len(items), consistent=same, unreachable=answers.unreachable)


@agent_tool(
    Effect.DESTROY,
    verified="cli",
    why="IPsec is off on the agent of the tests: the refusal is the real agent's, the flush a stand-in's",
)
async def cilium_flush_ipsec_state(
    cilium: Cilium,
    node_name: OneNode = None,
    spi: Annotated[int | None, "Only this key", Field(ge=1, le=_LARGEST_SPI)] = None,
    node_id: Annotated[str | None, AfterValidator(_check_node_id), "Only this node: 7 or 0x7"] = None,
    stale: Annotated[bool, "Only those of nodes that are gone"] = False,
    dry_run: DryRun = False,
) -> Flush:
    """Remove a node's IPsec states and policies, such as those of nodes that are gone (stale)."""
    if stale and (spi is not None or node_id is not None):
        raise bad_argument("stale cannot be combined with spi or node_id", "make two calls")
    agent = await cilium.find_one_agent(node_name)
    state = await _read_state(agent)
    if state.mode != IPSEC:
        raise unavailable(
            f"encryption is {state.mode} {agent.where}: there is no IPsec state to flush",
            "the chart's values encryption.enabled=true and encryption.type=ipsec switch IPsec on",
        )
    # Neither errors nor sequence numbers: they grow with the traffic.
    live_state.bind(f"IPsec state {agent.where}", {"mode": state.mode, "keys": state.keys_in_use})
    if dry_run:
        # The command has no dry run, so nothing is asked of it.
        return Flush(node=agent.node, changed=False, dry_run=True, result="would be flushed", warnings=[_PLAIN])
    words = [*(("--spi", str(spi)) if spi else ()), *(("--node-id", node_id) if node_id else ())]
    answer = await agent.call("encrypt", "flush", "-f", *words, *(("--stale",) if stale else ()))
    states, policies = _count("states", answer), _count("policies", answer)
    # With nothing to delete the command says so in a sentence.
    if states is None and "have been deleted" not in answer:
        return Flush(node=agent.node, changed=False, result=answer.strip(), deleted_states=0, deleted_policies=0)
    return Flush(
        node=agent.node,
        changed=states is None or bool(states or policies),
        result="flushed",
        deleted_states=states,
        deleted_policies=policies,
        warnings=[_PLAIN],
    )


async def _read_state(agent: Agent) -> Encryption:
    answer = await agent.call_json("encrypt", "status")
    # An agent that cannot read its state answers with a message alone.
    if set(answer) <= {"msg"}:
        raise unavailable(f"the agent {agent.where} does not report its encryption: {answer.get('msg')}", agent.look)
    ipsec, wireguard = part(answer, "ipsec"), part(answer, "wireguard")
    return Encryption(
        node=agent.node,
        mode=answer["mode"],
        message=answer.get("msg"),
        keys_in_use=ipsec.get("keys-in-use"),
        max_seq_number=ipsec.get("max-seq-number"),
        errors=ipsec.get("error-count", 0) if ipsec else None,
        error_counts=ipsec.get("xfrm-errors") or None,
        interfaces=[_interface(each) for each in wireguard.get("interfaces") or ()] or None,
    )


def _interface(each: dict[str, Any]) -> Interface:
    return Interface(
        name=each.get("name", ""),
        public_key=each.get("public-key"),
        listen_port=each.get("listen-port"),
        peers=each.get("peer-count", 0),
    )


def _count(what: str, answer: str) -> int | None:
    found = re.search(rf"Deleted (\d+) XFRM {what}", answer)
    return int(found[1]) if found else None
