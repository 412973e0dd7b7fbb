"""The files from which the first requests over stdio are answered before the engine is there (`kmcp_runtime.instant`).

One for each server, in its package, and one of the runtime. They hold what the engine would answer, tool by tool, with
what the settings make of each.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, cast, get_args, get_origin

import mcp_types
from fastmcp.tools import Tool
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS
from pydantic.fields import FieldInfo

from kmcp_runtime import apps
from kmcp_runtime.declaration import ToolSpec
from kmcp_runtime.distributions import is_own, server_points, version_of
from kmcp_runtime.engine import door
from kmcp_runtime.engine.assembly import ABOUT_FRAMES, ABOUT_READING, LIST_SECONDS
from kmcp_runtime.engine.configured import ConfiguredServer, Process
from kmcp_runtime.engine.dispatch import SuiteTool
from kmcp_runtime.instant.choice import FILE
from kmcp_runtime.server import Server
from kmcp_runtime.settings import RuntimeSettings, Settings, flag, is_of_http, is_secret, variable
from kmcp_runtime.version import VERSION

_KINDS = {str: "text", bool: "switch", int: "integer", float: "number"}
_LIMITS = ("ge", "gt", "le")


def generated() -> dict[Path, str]:
    """The files of the suite's own servers, and the runtime's: path to text."""
    found = [cast("Server", point.load()) for point in server_points().values() if is_own(point)]
    own = {Path("servers") / server.package / FILE: prepared(server) for server in found}
    return {Path("servers/kmcp_runtime/instant") / FILE: _runtime(), **own}


def prepared(server: Server) -> str:
    """The file of one server."""
    instance = ConfiguredServer(server, server.settings(), Process.of(RuntimeSettings()))
    head = {
        "suite": VERSION,
        "name": server.name,
        "version": version_of([server.name]),
        "instructions": server.instructions,
        "settings": _rows(server.settings),
        "shaping": server.settings.shaping,
        "facts": server.settings.facts,
    }
    return _text(head, [_row(declared, instance) for declared in server.tools()])


def _runtime() -> str:
    head = {
        "suite": VERSION,
        "handshakes": HANDSHAKE_PROTOCOL_VERSIONS,
        "modern": MODERN_PROTOCOL_VERSIONS,
        "ttl_ms": LIST_SECONDS * 1000,
        "frame": ABOUT_FRAMES,
        "reading": ABOUT_READING,
        "short": door.about("{}"),
        "door": [_listed(tool) for tool in door.tools()],
        "settings": _rows(RuntimeSettings),
    }
    return _text(head, None)


def _text(head: Mapping[str, Any], tools: list[dict[str, Any]] | None) -> str:
    """JSON with a line for each tool, so that a change of one is a change of a line."""
    lines = json.dumps(head, ensure_ascii=False, indent=1)
    if tools is None:
        return lines + "\n"
    rows = ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in tools)
    return f'{lines[:-2]},\n "tools": [\n{rows}\n ]\n}}\n'


def _row(declared: ToolSpec, instance: ConfiguredServer) -> dict[str, Any]:
    row: dict[str, Any] = {"tool": listed(declared, instance)}
    reading = declared.read_only()
    if reading is not None:
        row["reading"] = True if reading is declared else listed(reading, instance)
    if declared.extra:
        row["extra"] = True
    if declared.view:
        row["view"] = apps.address(instance.name, declared.view)
    if declared.when:
        row["conditional"] = True
    if takes := [name for name in instance.server.settings.surroundings if name not in declared.parameters]:
        row["takes"] = takes
    return row


def listed(declared: ToolSpec, instance: ConfiguredServer) -> dict[str, Any]:
    """The tool as `tools/list` shows it."""
    return _listed(SuiteTool.of(declared, instance))


def _listed(tool: Tool) -> dict[str, Any]:
    result = mcp_types.ListToolsResult(tools=[tool.to_mcp_tool()]).model_dump(
        by_alias=True, mode="json", exclude_none=True
    )
    (found,) = result["tools"]
    return dict(found)


def _rows(settings: type[Settings]) -> list[dict[str, Any]]:
    checked = {name for found in _validated(settings) for name in found}
    return [_setting(name, field, name in checked) for name, field in settings.model_fields.items()]


def _validated(settings: type[Settings]) -> Iterable[tuple[str, ...]]:
    """The fields that a validator of the class looks at."""
    decorators = settings.__pydantic_decorators__
    yield from (found.info.fields for found in decorators.field_validators.values())
    if decorators.model_validators or decorators.root_validators:
        yield tuple(settings.model_fields)


def _setting(name: str, field: FieldInfo, is_checked: bool) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": name,
        "env": variable(name, field),
        "flag": None if is_secret(field) else flag(name),
        "of_http": is_of_http(field),
    }
    found = {limit: getattr(part, limit, None) for part in field.metadata for limit in _LIMITS if hasattr(part, limit)}
    limits = {limit: value for limit, value in found.items() if value is not None}
    if bool in get_args(field.annotation):  # with a word beside yes and no, or none; the engine takes such a word
        return {**row, "kind": "engine" if is_checked else "switch", "limits": {}}
    kinds = [kind for kind in get_args(field.annotation) or (field.annotation,) if kind is not type(None)]
    if get_origin(field.annotation) is Literal:
        return {**row, "kind": "choice", "choices": [*get_args(field.annotation)]}
    kind = _KINDS.get(kinds[0], "text" if is_secret(field) else "") if len(kinds) == 1 else ""
    # What is checked further (its length, by a validator) is known to the engine alone.
    if is_checked or not kind or len(limits) < len(field.metadata):
        return {**row, "kind": "engine"}
    return {**row, "kind": kind, "limits": limits}
