"""The catalog's entry of a suite image, and what it comes to under a manifest's `tools` and `readOnly`. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from kmcp_runtime.catalog import Effect, ServerEntry, ToolEntry, reading_only

from .model import MCPServer, Platform, is_suite_image, repository

_OF_CHANGES = ("dry_run", "approval")  # arguments that a tool loses where it can only read


def entry_of(server: MCPServer, entries: Mapping[str, ServerEntry], platform: Platform) -> ServerEntry | None:
    image = server.deployment.image
    return entries.get(repository(image).rpartition("/")[2]) if is_suite_image(image, platform) else None


def is_the_entrys_own(server: MCPServer, name: str | None, platform: Platform) -> bool:
    """Whether the program is the one that the entry describes: anybody may annotate any image with any entry's name, to
    compare its tools; its title is for the image of that name alone."""
    deployment = server.deployment
    own = is_suite_image(deployment.image, platform) and deployment.cmd in ("", name)
    return own and repository(deployment.image).rpartition("/")[2] == name


def narrowed(entry: ServerEntry, allowed: Iterable[str] | None, read_only: bool) -> tuple[ToolEntry, ...]:
    """The entry's tools as a server offers them under the manifest's `tools` and `readOnly`."""
    names = None if allowed is None else set(allowed)
    tools = (tool for tool in entry.tools if names is None or tool.name in names)
    if not read_only:
        return tuple(tools)
    return tuple(found for tool in tools if (found := _reading(tool)) is not None)


def _reading(tool: ToolEntry) -> ToolEntry | None:
    """The tool as a read-only server has it: itself, only its reading values, or nothing."""
    if not tool.actions:
        return tool if tool.effect is Effect.READ else None
    values = [value for value, effect in tool.actions.items() if effect is Effect.READ]
    if not values:
        return None
    hints = {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": True}
    changes = {
        "effect": Effect.READ,
        "actions": None,
        "annotations": {**tool.annotations, **hints},
        "needs": reading_only(tool.needs),
        "input_schema": _reading_schema(tool.input_schema, set(tool.actions), values),
    }
    kept = {name: getattr(tool, name) for name in ToolEntry.model_fields}
    # No validation: the entry was valid, and hundreds of them are made at each start.
    return ToolEntry.model_construct(**kept | changes)


# The same arguments are dropped by the runtime in read-only mode: what differs here would show as drift.
def _reading_schema(schema: Mapping[str, Any], values: set[str], reading: list[str]) -> dict[str, Any]:
    switches = {value.removesuffix("=false") for value in reading if value.endswith("=false")}
    gone = {*_OF_CHANGES, *switches}
    properties = {name: each for name, each in schema.get("properties", {}).items() if name not in gone}
    for name, each in properties.items():
        if set(each.get("enum", ())) == values:
            kept = {key: item for key, item in each.items() if key != "enum"}
            ordered = [value for value in each["enum"] if value in reading]
            only = {"const": ordered[0]} if len(ordered) == 1 else {"enum": ordered}
            if "default" in kept and kept["default"] not in ordered:
                kept["default"] = ordered[0]
            properties[name] = {**kept, **only}
    return {**schema, "properties": properties}
