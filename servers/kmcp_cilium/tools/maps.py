"""BPF maps, from the copies that the agent keeps of them."""

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field

from kmcp_cilium.agents import failures
from kmcp_cilium.agents.agent import Agent
from kmcp_cilium.arguments import OneNode, check_operand
from kmcp_cilium.client import Cilium
from kmcp_cilium.declaring import agent_tool
from kmcp_runtime import Cursor, Effect, Limit, Page, ToolFailure, check_name, nearest, not_found, quoted_list

MapName = Annotated[str, AfterValidator(check_name), AfterValidator(check_operand), "Such as cilium_ipcache_v2"]


class BpfMap(BaseModel):
    """A map that the agent has opened."""

    name: str
    entries: int | None = Field(default=None, description="Absent when the agent keeps no copy")
    errors: int
    cache_enabled: bool


class BpfMaps(Page[BpfMap]):
    """Maps, by name."""

    node: str


class MapEntry(BaseModel):
    """An entry of the agent's copy."""

    key: str
    value: str
    desired_action: str | None = None
    last_error: str | None = None


class MapEntries(Page[MapEntry]):
    """Entries, by key."""

    node: str
    path: str | None = None
    cached: bool = Field(description="Whether the agent keeps a copy")


class MapEvent(BaseModel):
    """A change of a map."""

    timestamp: str | None = None
    key: str = ""
    value: str = ""
    action: str | None = None
    desired_action: str | None = None
    last_error: str | None = None


class MapEvents(Page[MapEvent]):
    """Changes, the newest last."""

    node: str


@agent_tool(Effect.READ)
async def cilium_list_bpf_maps(
    cilium: Cilium, node_name: OneNode = None, limit: Limit = 200, cursor: Cursor = None
) -> BpfMaps:
    """List an agent's BPF maps with their number of entries and errors."""
    agent = await cilium.find_one_agent(node_name)
    maps = sorted(await _list_maps(agent), key=lambda each: each.name)
    return cilium.page(BpfMaps, maps, limit, cursor, node=agent.node)


@agent_tool(Effect.READ)
async def cilium_get_bpf_map(
    cilium: Cilium,
    map_name: MapName,
    node_name: OneNode = None,
    limit: Limit = 200,
    cursor: Cursor = None,
) -> MapEntries:
    """Show the entries of a BPF map as the agent wants them, and those that it could not write."""
    agent = await cilium.find_one_agent(node_name)
    answer = await _read_map(agent, map_name, "get")
    cache = answer.get("cache")
    entries = sorted((_entry(each) for each in cache or () if each), key=lambda entry: entry.key)
    hint = None
    if cache is None:
        hint = "The agent keeps no copy of this map; its content is only in the kernel."
    path, cached = answer.get("path"), cache is not None
    return cilium.page(MapEntries, entries, limit, cursor, hint, node=agent.node, path=path, cached=cached)


@agent_tool(Effect.READ)
async def cilium_list_bpf_map_events(
    cilium: Cilium, map_name: MapName, node_name: OneNode = None, limit: Limit = 100
) -> MapEvents:
    """Show the newest changes of a BPF map: what was written to it, when, and what failed."""
    agent = await cilium.find_one_agent(node_name)
    events = [_event(each) for each in await _read_map(agent, map_name, "events")]
    hint = None
    if not events:
        hint = "No events: the agent keeps them only for maps in its option bpf-map-event-buffers."
    # The newest are at the end.
    shown = events[-limit:]
    more = len(events) > limit
    hint = "Older events are left out: raise limit." if more else hint
    return MapEvents(items=shown, total=len(events), truncated=more, node=agent.node, hint=hint)


async def _list_maps(agent: Agent) -> list[BpfMap]:
    return [_map(each) for each in (await agent.call_json("map", "list")).get("maps") or ()]


async def _read_map(agent: Agent, map_name: str, command: str) -> Any:
    """The answer about a map; the failure for an unknown one names similar maps."""
    try:
        if command == "get":
            return await agent.call_json("map", "get", "--", map_name)
        return list(_documents(await agent.call("map", "events", "-o", "json", "--", map_name)))
    except ToolFailure as failure:
        if failure.code != "not_found":
            raise
        # The list has every map that the agent has opened, with or without a copy.
        names = [each.name for each in await _list_maps(agent)]
        # The agent answers 404 also for a map that it has opened without keeping a copy.
        if map_name in names:
            return {} if command == "get" else []
        near = nearest(map_name, names)
        hint = f"did you mean {quoted_list(near)}?" if near else "cilium_list_bpf_maps lists them"
        raise not_found(f"map_name: the agent {agent.where} has no open map {map_name!r}", hint) from None


def _documents(text: str) -> Iterator[Mapping[str, Any]]:
    """Each of several JSON documents, one after another."""
    # The command prints a document for each event, without a separator.
    decoder, position = json.JSONDecoder(), 0
    while text[position:].strip():
        position += len(text[position:]) - len(text[position:].lstrip())
        try:
            found, position = decoder.raw_decode(text, position)
        except ValueError:
            raise failures.unreadable("cilium-dbg map events", text[position:]) from None
        yield found


def _map(each: Mapping[str, Any]) -> BpfMap:
    cache = each.get("cache")
    entries = [entry for entry in cache or () if entry]
    return BpfMap(
        name=str(each.get("path", "")).rpartition("/")[2],
        cache_enabled=cache is not None,
        entries=len(entries) if cache is not None else None,
        errors=sum(1 for entry in entries if entry.get("last-error")),
    )


def _entry(each: Mapping[str, Any]) -> MapEntry:
    return MapEntry(
        key=each.get("key", ""),
        value=each.get("value", ""),
        desired_action=each.get("desired-action"),
        last_error=each.get("last-error"),
    )


def _event(each: Mapping[str, Any]) -> MapEvent:
    return MapEvent(**{name: each[name.replace("_", "-")] for name in MapEvent.model_fields if _is_there(each, name)})


def _is_there(each: Mapping[str, Any], name: str) -> bool:
    return name.replace("_", "-") in each
