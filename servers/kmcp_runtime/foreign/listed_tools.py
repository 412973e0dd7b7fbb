"""The list of a foreign server, checked and bounded: what of it is offered, and under which names.

A tool whose schema is malformed or too large, or that is listed twice, is left out as a whole, with a reason.
"""

import json
import re
import warnings
from collections.abc import Awaitable, Callable, Container, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from mcp.shared.inbound import find_invalid_x_mcp_header, x_mcp_header_map
from pydantic import BaseModel, ConfigDict, create_model

from kmcp_runtime.argument_sizes import DOCUMENT
from kmcp_runtime.arguments import Approval
from kmcp_runtime.call import Call
from kmcp_runtime.catalog import Effect, effect_of, tool_hash
from kmcp_runtime.declaration import ToolSpec
from kmcp_runtime.errors import ToolFailure, bad_argument, too_large
from kmcp_runtime.foreign.attending import Attending
from kmcp_runtime.foreign.conversation import Conversation, Mirrored
from kmcp_runtime.foreign.naming import listed_name
from kmcp_runtime.foreign.schema_forms import object_fault
from kmcp_runtime.foreign.scrubbing import scrub
from kmcp_runtime.foreign.servers_file import ForeignEntry
from kmcp_runtime.foreign.shown_words import is_plain_text, line, shown_schema
from kmcp_runtime.output.results import Result
from kmcp_runtime.schema import described
from kmcp_runtime.worker import run_in_thread

MOST_PAGES, MOST_TOOLS = 100, 1000
_LONGEST_DESCRIPTION, _LONGEST_TITLE, _LONGEST_NAME = 1024, 120, 128
_RESERVED = frozenset({"approval", "dry_run", "timeout_seconds", "wait_seconds"})
"""Arguments that mean something in tools of our own: of a foreign one they are handed on, and mean nothing here."""
APPROVAL, ITS_APPROVAL = "approval", "its_approval"
"""Where a tool that is asked about has an argument of that name itself, it is listed under the other one."""
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_]*")

Invoke = Callable[[str, Call], Awaitable[Any]]
"""Calls a tool by the name that its server gave it."""


@dataclass(frozen=True, kw_only=True)
class ForeignSpec(ToolSpec):
    """A tool of a foreign server."""

    original: str
    """Its name there."""
    shown: Mapping[str, Any]
    """The schema as it was fit to be shown when this was made."""
    mirrored: Mirrored
    """The arguments that headers repeat."""
    hash: str
    """Of the tool as it was listed."""
    has_approval: bool = False

    def checked(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What the suite looks at; the tool's own server checks the arguments."""
        token = given.get(APPROVAL) if self.can_destroy() else None
        if token is not None and not isinstance(token, str):
            raise bad_argument("approval: must be text", "leave it out, or give the token of the plan")
        return {name: given.get(name) for name in self.arguments.model_fields}

    def input_schema(self) -> dict[str, Any]:
        shown: dict[str, Any] = json.loads(json.dumps(self.shown))
        if self.can_destroy():
            properties = shown.setdefault("properties", {})
            if self.has_approval:
                properties[ITS_APPROVAL] = properties.pop(APPROVAL, {})
                required = shown.get("required", [])
                shown["required"] = [ITS_APPROVAL if name == APPROVAL else name for name in required]
            properties[APPROVAL] = {"type": "string", "description": "Approval token"}
        return shown

    def output_schema(self) -> dict[str, Any]:
        """None of its own is shown: what it answers is cut and redacted here, and would not always fit."""
        return {}

    def with_arguments(self, extra: Mapping[str, Any]) -> "ForeignSpec":
        return self

    def sent(self, written: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments as they go to its server."""
        if not self.can_destroy():
            return dict(written)
        found = {name: value for name, value in written.items() if name != APPROVAL}
        if self.has_approval and ITS_APPROVAL in found:
            found[APPROVAL] = found.pop(ITS_APPROVAL)
        return found


@dataclass
class Listing:
    """What a server offers now, and why it does not offer the rest."""

    tools: list[ForeignSpec] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


async def read_tools(conversation: Conversation) -> list[dict[str, Any]]:
    """Every tool that the server lists, cleaned. Errors: as `Conversation.request`; `too_large`."""
    found: list[dict[str, Any]] = []
    seen: set[str] = set()
    name, cursor = conversation.entry.name, None
    for _ in range(MOST_PAGES):
        page = await conversation.request("tools/list", {"cursor": cursor} if cursor else {}, Attending())
        listed = page.get("tools")
        found += await run_in_thread(_scrubbed, listed if isinstance(listed, list) else [])
        if len(found) > MOST_TOOLS:
            raise too_large(f"the foreign server {name} lists more than {MOST_TOOLS} tools", backend=name)
        cursor = page.get("nextCursor")
        if not cursor or not isinstance(cursor, str) or cursor in seen:
            return found
        seen.add(cursor)
    raise _endless(name)


def _endless(name: str) -> ToolFailure:
    return too_large(f"the foreign server {name} lists more than {MOST_PAGES} pages of tools", backend=name)


def _scrubbed(listed: list[Any]) -> list[dict[str, Any]]:
    return [scrub(item) for item in listed[: MOST_TOOLS + 1] if isinstance(item, dict)]


def declared(entry: ForeignEntry, listed: list[dict[str, Any]], own: Container[str], invoke: Invoke) -> Listing:
    """The tools of a list, each under its name behind the door."""
    result, names = Listing(), set[str]()
    for raw in listed:
        original = raw.get("name")
        if not isinstance(original, str) or not 0 < len(original) <= _LONGEST_NAME:
            result.left_out.append("a tool without a name of 1 to 128 characters")
            continue
        name = listed_name(entry.name, original, own)
        fault = _fault(raw.get("inputSchema"), "it is listed twice" if name in names else "", original)
        if fault:
            result.left_out.append(f"{line(original, 80)}: {fault}")
            continue
        names.add(name)
        result.tools.append(_spec(entry, raw, name, invoke))
    return result


def _fault(schema: Any, known: str, original: str) -> str:
    if known or not is_plain_text(original):
        return known or "its name holds a line break or what is hidden"
    if fault := object_fault(schema):
        return f"its input schema {fault}"
    # A call could not be sent: its headers would be none.
    return line(find_invalid_x_mcp_header(schema) or "", _LONGEST_TITLE)


def _spec(entry: ForeignEntry, raw: Mapping[str, Any], name: str, invoke: Invoke) -> ForeignSpec:
    original, schema = raw["name"], raw["inputSchema"]
    hints = raw.get("annotations") if isinstance(raw.get("annotations"), dict) else {}
    assert isinstance(hints, dict)
    told = raw.get("description") if isinstance(raw.get("description"), str) else ""
    found = tool_hash({**raw, "annotations": hints, "description": told})
    effect = _effect(entry, original, found, hints)
    properties = schema.get("properties", {})
    title = raw.get("title") or hints.get("title")

    async def function(**given: Any) -> Any:
        return await invoke(original, given["call"])

    return ForeignSpec(
        function=function,
        name=name,
        title=f"{entry.name}: {line(title if isinstance(title, str) and title else original, _LONGEST_TITLE)}",
        description=_description(entry.name, str(told)),
        effect=effect,
        worst=effect,
        idempotent=effect is Effect.READ or hints.get("idempotentHint") is True,
        arguments=_arguments(name, properties, effect),
        result=Result,
        injections={"call": Call},
        original=original,
        shown=shown_schema(schema),
        mirrored=x_mcp_header_map(schema),
        hash=found,
        foreign=True,
        has_approval=APPROVAL in properties and effect is Effect.DESTROY,
    )


def _effect(entry: ForeignEntry, original: str, found: str, hints: Mapping[str, Any]) -> Effect:
    """As pinned, while the tool is what was looked at; what nobody has looked at may do anything."""
    pinned = entry.tools.get(original)
    if pinned is not None:
        return pinned.effect if pinned.hash == found else Effect.DESTROY
    return effect_of(hints) if entry.annotations == "trusted" else Effect.DESTROY


def _description(server: str, told: str) -> str:
    """Its own words, in one line and said to be its own: a description is where a server can speak to a model."""
    text = line(told, _LONGEST_DESCRIPTION)
    whose = f"Of the foreign server {server}, as are the texts of its arguments"
    return f"{whose}; it says: {text}" if text else f"{whose}."


def _arguments(name: str, properties: Mapping[str, Any], effect: Effect) -> type[BaseModel]:
    """What the suite knows of the arguments: their names, for sizes and for a policy. Nothing is checked by it."""
    usable = (each for each in properties if _FIELD.fullmatch(each) and not hasattr(BaseModel, each))
    fields: dict[str, Any] = {
        each: (Annotated[_KINDS.get(_kind(properties[each]), Any), DOCUMENT], None)
        for each in usable
        if each not in _RESERVED and not each.startswith("model_")
    }
    if effect is Effect.DESTROY:
        fields[APPROVAL] = (described(Approval), None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return create_model(f"Arguments of {name}", __config__=ConfigDict(extra="allow"), **fields)


_KINDS: Mapping[str, Any] = {"string": str | None, "integer": int | None, "boolean": bool | None}


def _kind(schema: Any) -> str:
    kind = schema.get("type") if isinstance(schema, dict) else None
    return kind if isinstance(kind, str) else ""
