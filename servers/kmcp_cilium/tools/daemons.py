"""Agents: their status, the load of their nodes, and debugging information."""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from kmcp_cilium.agents.agent import Agent, parsed
from kmcp_cilium.agents.answers import SpreadPage
from kmcp_cilium.arguments import EveryNode, OneNode
from kmcp_cilium.client import Cilium
from kmcp_cilium.declaring import agent_tool
from kmcp_cilium.state import daemon_status
from kmcp_cilium.state.daemon_status import DaemonStatus, Wanted
from kmcp_runtime import Body, Cursor, Effect, bad_argument, cursors

# Without it the command fails when the API server is away, just when its status is of interest.
_NO_KUBERNETES = "--require-k8s-connectivity=false"
Section = Literal[
    "cilium-version",
    "kernel-version",
    "cilium-status",
    "environment-variables",
    "endpoint-list",
    "service-list",
    "policy",
    "cilium-memory-map",
    "subsystem",
    "encryption",
]
_PAGE_BYTES = 14_000


class DaemonStatuses(SpreadPage[DaemonStatus]):
    """Agents, by node."""


class Process(BaseModel):
    """A process of the node that uses much CPU."""

    name: str
    cpu_percent: float
    memory_percent: float


class Usage(BaseModel):
    """Megabytes of memory."""

    total: int
    used: int
    free: int


class Load(BaseModel):
    """The load of one node."""

    node: str
    load: list[float] = Field(description="Over 1, 5 and 15 minutes")
    memory: Usage | None = None
    swap: Usage | None = None
    processes: list[Process] = Field(description="Those over 1 % CPU")


class Loads(SpreadPage[Load]):
    """Nodes, by name."""


class DebugInformation(Body):
    """Sections of an agent's debugging information, as JSON in pages."""

    cuttable = "content"

    node: str
    version: str
    kernel: str
    sizes: dict[str, int] = Field(description="Bytes of each section")
    content: str | None = None
    bytes_returned: int | None = None
    cursor: str | None = Field(default=None, description="Pass it for the next page")


@agent_tool(Effect.READ)
async def cilium_get_daemon_status(
    cilium: Cilium,
    node_name: EveryNode = None,
    brief: Annotated[bool, "Only the overall state"] = False,
    show_health: Annotated[bool, "Reachability of other nodes"] = False,
    show_all_controllers: Annotated[bool, "Not only failing"] = False,
    show_all_nodes: Annotated[bool, "Names"] = False,
    show_all_addresses: Annotated[bool, "Owners"] = False,
    show_all_redirects: Annotated[bool, "Proxy's"] = False,
    show_all_clusters: Annotated[bool, "Not only faulty"] = False,
) -> DaemonStatuses:
    """Show the state of agents: Kubernetes, addresses, failing controllers, proxy, Hubble, mesh, encryption."""
    wanted = Wanted(brief, show_all_controllers, show_all_addresses, show_all_redirects, show_all_clusters)
    words = ("status", *(("--brief",) if brief else ()), _NO_KUBERNETES)

    async def ask(agent: Agent) -> DaemonStatus:
        reply = daemon_status.daemon_status(agent.node, await agent.call_json(*words), wanted)
        if show_health:
            await _add_health(reply, agent)
        reply.nodes = [each["name"] for each in await agent.call_json("node", "list")] if show_all_nodes else None
        return reply

    answers = await cilium.ask_agents(node_name, ask)
    items = [reply for _, reply in answers]
    if len(items) > 1:  # Twenty lines for each agent, the same on all.
        items = [reply.model_copy(update={"bpf_maps": None}) for reply in items]
    hint = _health_hint(items)
    return DaemonStatuses(items=items, total=len(items), unreachable=answers.unreachable, hint=hint)


@agent_tool(Effect.READ)
async def cilium_show_load_information(cilium: Cilium, node_name: EveryNode = None) -> Loads:
    """Show load, memory and the busiest processes of nodes; use it when an agent is slow."""
    answers = await cilium.ask_agents(node_name, lambda agent: agent.call("loadinfo"))
    items = [_load(node, text) for node, text in answers]
    return Loads(items=items, total=len(items), unreachable=answers.unreachable)


@agent_tool(Effect.READ)
async def cilium_request_debugging_information(
    cilium: Cilium,
    sections: Annotated[list[Section] | None, "Omit for their sizes"] = None,
    node_name: OneNode = None,
    cursor: Cursor = None,
) -> DebugInformation:
    """Read an agent's debugging information by section; omit sections for their sizes (the whole is several MB)."""
    agent = await cilium.find_one_agent(node_name)
    reply = parsed(await agent.call("debuginfo", "--output", "json"), "cilium-dbg debuginfo")
    found = DebugInformation(
        node=agent.node,
        version=reply.get("cilium-version", ""),
        kernel=reply.get("kernel-version", ""),
        sizes={name: len(json.dumps(content)) for name, content in sorted(reply.items())},
    )
    if not sections:
        found.hint = "Give sections to read them."
        return found
    return _page(found, {name: _steady(reply.get(name)) for name in sections}, cursor, [agent.node, *sections])


async def _add_health(reply: DaemonStatus, agent: Agent) -> None:
    """Add what the agent's health server has probed, or why that could not be read."""
    # The health server is apart from the agent's API and starts later: the status is shown even while it is away.
    ended = await agent.run("cilium-health", "status", "-o", "json")
    if ended.exit_code:
        reply.reachability_error = ended.stderr.decode(errors="replace").strip()
    else:
        answer = parsed(ended.stdout.decode(errors="replace"), "cilium-health status")
        reply.reachability = daemon_status.reachability(answer)


def _health_hint(items: list[DaemonStatus]) -> str | None:
    if any(reply.reachability_error for reply in items):
        return (
            "Health could not be read: is health checking on (enable-health-checking), or is its server still starting?"
        )
    if any(reply.reachability == [] for reply in items):
        return "An agent has not probed any node yet; it does so about once a minute."
    return None


def _steady(section: Any) -> Any:
    """The section, with the lines of a list of texts sorted."""
    is_texts = isinstance(section, list) and all(isinstance(each, str) for each in section)
    # Go iterates maps in random order; pages of two calls must fit together.
    return sorted(section) if is_texts else section


def _page(found: DebugInformation, asked: Mapping[str, Any], cursor: str | None, bound: list[str]) -> DebugInformation:
    """A page of lines of the requested sections, from the cursor on."""
    bound_to = {"sections": bound}
    lines = json.dumps(asked, indent=1).splitlines()
    start = cursors.decode(cursor, bound_to, o=cursors.COUNT).get("o", 0) if cursor else 0
    if start >= len(lines):
        raise bad_argument(
            "cursor: it is beyond the end", "the agent's answer has become shorter; start without cursor"
        )
    end, length = start, 0
    while end < len(lines) and (end == start or length + len(lines[end]) < _PAGE_BYTES):
        length += len(lines[end]) + 1
        end += 1
    found.content = "\n".join(lines[start:end])
    found.bytes_total, found.bytes_returned = sum(len(line) + 1 for line in lines), length
    found.truncated = end < len(lines)
    found.cursor = cursors.encode({"o": end}, bound_to) if found.truncated else None
    return found


_LOAD = re.compile(r"Load 1-min: ([\d.]+) 5-min: ([\d.]+) 15min: ([\d.]+)")
_USAGE = re.compile(r"^(Memory|Swap): Total: (\d+) Used: (\d+) \([^)]*\) Free: (\d+)", re.MULTILINE)
# Command lines follow `CMDLINE:` and may contain anything, so names are read before it only.
_PROCESS = re.compile(r"^NAME (.*?) STATUS \S+ PID \d+ CPU: ([\d.]+)% MEM: ([\d.]+)%", re.MULTILINE)


def _load(node: str, text: str) -> Load:
    averages = _LOAD.search(text)
    usage = {
        kind: Usage(total=int(total), used=int(used), free=int(free))
        for kind, total, used, free in _USAGE.findall(text)
    }
    processes = [
        Process(name=name, cpu_percent=float(cpu), memory_percent=float(memory))
        for name, cpu, memory in _PROCESS.findall(text)
    ]
    return Load(
        node=node,
        load=[float(number) for number in averages.groups()] if averages else [],
        memory=usage.get("Memory"),
        swap=usage.get("Swap"),
        processes=sorted(processes, key=lambda process: -process.cpu_percent),
    )
