"""Cilium's key-value store, where it has one."""

import base64
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field

from kmcp_cilium.agents.agent import Agent
from kmcp_cilium.arguments import AnyNode, check_operand
from kmcp_cilium.changes import AgentChange
from kmcp_cilium.client import Cilium
from kmcp_cilium.declaring import agent_tool
from kmcp_runtime import (
    Cursor,
    DryRun,
    Effect,
    Limit,
    Page,
    ToolFailure,
    bad_argument,
    live_state,
    not_found,
    unavailable,
)
from kmcp_runtime.judging import Verdict, destroys, foresee, writes

_WHY = (
    "the agent of the tests has no key-value store, as by default: its command line and refusal are real, the "
    "contents a stand-in's"
)
_SAFE_PREFIX = "cilium/state/"
_NONE = re.compile(r"unknown key-value store type|unsupported key-value store", re.IGNORECASE)
Key = Annotated[str, AfterValidator(check_operand), "Such as cilium/state/nodes/v1/…"]


class Pair(BaseModel):
    """A key and its value."""

    key: str
    value: str


class Pairs(Page[Pair]):
    """Keys with their values, by key."""


class KeyChange(AgentChange):
    """A key that was written."""

    key: str
    written: bool


class KeyDeletion(AgentChange):
    """Keys that were deleted."""

    key: str
    deleted: bool
    count: int
    keys: list[str]


@agent_tool(Effect.READ, verified="cli", why=_WHY)
async def cilium_get_kv_store_key(
    cilium: Cilium,
    key: Key,
    recursive: Annotated[bool, "All below it"] = False,
    node_name: AnyNode = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Pairs:
    """Read a key of Cilium's key-value store; by default there is none, and the state is in custom resources."""
    agent = await cilium.find_any_agent(node_name)
    if recursive:
        pairs = await _list_below(agent, key)
    else:
        value = await _read_value(agent, key)
        if value is None:
            raise not_found(f"no key {key!r}", "recursive=true lists the keys below a prefix")
        pairs = [Pair(key=key, value=value)]
    hint = None if pairs else f"No key is below {key!r}."
    return cilium.page(Pairs, pairs, limit, cursor, hint)


@agent_tool(Effect.WRITE, worst=Effect.DESTROY, verified="cli", why=_WHY, idempotent=True)
async def cilium_set_kv_store_key(
    cilium: Cilium,
    key: Key,
    value: Annotated[str, "Value", Field(max_length=65_536)],
    node_name: AnyNode = None,
    dry_run: DryRun = False,
) -> KeyChange:
    """Write a key of Cilium's key-value store."""
    agent = await cilium.find_any_agent(node_name)
    before = await _read_value(agent, key)
    if before == value:
        return KeyChange(node=agent.node, key=key, result="unchanged", changed=False, written=False)
    live_state.bind(f"key {key}", before)
    # The old value of a key is nowhere else.
    verdict = writes(f"creates key {key}") if before is None else destroys(f"overwrites key {key} of the kvstore")
    if dry_run:
        foresee(verdict)
        result = "would be created" if before is None else "would be changed"
        return KeyChange(node=agent.node, key=key, result=result, changed=False, written=False, dry_run=True)
    # With = in one word, so that a value with a leading - is not taken for a flag.
    await _run(agent, "set", f"--key={key}", f"--value={value}", verdict=verdict)
    # Read back: another agent may have written the same key meanwhile.
    written = await _read_value(agent, key) == value
    result = "created" if before is None else "changed"
    return KeyChange(node=agent.node, key=key, result=result, changed=written, written=written)


@agent_tool(Effect.DESTROY, verified="cli", why=_WHY)
async def cilium_delete_key_from_kv_store(
    cilium: Cilium,
    key: Key,
    recursive: Annotated[bool, "All below it"] = False,
    node_name: AnyNode = None,
    dry_run: DryRun = False,
) -> KeyDeletion:
    """Delete a key, or all below a prefix, from Cilium's key-value store."""
    # A short prefix would delete the state of the whole cluster.
    if recursive and not (key.startswith(_SAFE_PREFIX) and len(key) > len(_SAFE_PREFIX)):
        raise bad_argument(
            f"key: the prefix {key!r} is too short to delete everything below it", f"use a key below {_SAFE_PREFIX}"
        )
    agent = await cilium.find_any_agent(node_name)
    found = await _find(agent, key, recursive)
    live_state.bind(f"key {key}", found)
    keys = list(found)
    if not dry_run and keys:
        await _run(agent, "delete", *(("--recursive",) if recursive else ()), "--", key)
    return KeyDeletion(
        node=agent.node,
        key=key,
        result="would be deleted" if dry_run else "deleted",
        deleted=not dry_run,
        changed=bool(keys) and not dry_run,
        count=len(keys),
        keys=keys[:100],
        dry_run=dry_run or None,
    )


async def _find(agent: Agent, key: str, recursive: bool) -> dict[str, str]:
    """The value of the key, or of each below it."""
    if recursive:
        return {pair.key: pair.value for pair in await _list_below(agent, key)}
    value = await _read_value(agent, key)
    if value is None:
        raise not_found(f"no key {key!r}", "recursive=true deletes the keys below a prefix")
    return {key: value}


async def _read_value(agent: Agent, key: str) -> str | None:
    """The value of a key; None when there is no such key."""
    try:
        value: str = await _read_json(agent, "get", "--", key)
    except ToolFailure as failure:
        if "is not found" not in failure.message:
            raise
        return None
    return value


async def _list_below(agent: Agent, key: str) -> list[Pair]:
    found = await _read_json(agent, "get", "--recursive", "--", key) or {}
    return [Pair(key=name, value=_decoded(value)) for name, value in sorted(found.items())]


def _decoded(value: Any) -> str:
    """The text of a listed value, whose bytes are in base64."""
    # The command lists values as objects with their bytes in base64, but prints a single one as text.
    return base64.b64decode(value.get("Data") or "").decode(errors="replace")


async def _read_json(agent: Agent, *words: str) -> Any:
    try:
        return await agent.call_json("kvstore", *words)
    except ToolFailure as failure:
        raise _explained(failure) from None


async def _run(agent: Agent, *words: str, verdict: Verdict | None = None) -> str:
    try:
        return await agent.call("kvstore", *words, verdict=verdict)
    except ToolFailure as failure:
        raise _explained(failure) from None


def _explained(failure: ToolFailure) -> ToolFailure:
    if not _NONE.search(failure.message):
        return failure
    return unavailable(
        f"this Cilium has no key-value store ({failure.message})",
        "identities and nodes are in CiliumIdentity and CiliumNode: k8s_get_resources resource_type=ciliumidentities",
    )
