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
from kmcp_runtime.engine import door, runbook_serving
from kmcp_runtime.engine.assembly import ABOUT_FRAMES, ABOUT_READING, LIST_SECONDS
from kmcp_runtime.engine.configured import ConfiguredServer, Process
from kmcp_runtime.engine.dispatch import SuiteTool
from kmcp_runtime.instant.choice import FILE
from kmcp_runtime.runbooks.reading import Runbook, runbooks_in
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
    tools = [_row(declared, instance) for declared in server.tools()]
    return _text(head, tools=tools, runbooks=[_runbook(each) for each in runbooks_in(server)])


def _runtime() -> str:
    head = {
        "suite": VERSION,
        "handshakes": HANDSHAKE_PROTOCOL_VERSIONS,
        "modern": MODERN_PROTOCOL_VERSIONS,
        "ttl_ms": LIST_SECONDS * 1000,
        "frame": ABOUT_FRAMES,
        "reading": ABOUT_READING,
        "short": door.ABOUT,
        "door": [_listed(tool) for tool in door.tools()],
        "extensions": runbook_serving.EXTENSIONS,
        "settings": _rows(RuntimeSettings),
    }
    return _text(head)


def _text(head: Mapping[str, Any], **lists: list[dict[str, Any]]) -> str:
    """JSON with a line for each item of a list, so that a change of one is a change of a line."""
    parts = [json.dumps(head, ensure_ascii=False, indent=1)[:-2]]
    for name, found in lists.items():
        rows = ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in found)
        parts.append(f' "{name}": [\n{rows}\n ]' if found else f' "{name}": []')
    return ",\n".join(parts) + "\n}\n"


def _runbook(found: Runbook) -> dict[str, Any]:
    prompts = mcp_types.ListPromptsResult(prompts=[runbook_serving.prompt_of(found).to_mcp_prompt()])
    resources = mcp_types.ListResourcesResult(resources=[runbook_serving.resource_of(found).to_mcp_resource()])
    (prompt,), (resource,) = _dumped(prompts)["prompts"], _dumped(resources)["resources"]
    return {"servers": found.servers, "prompt": prompt, "resource": resource}


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
    (found,) = _dumped(mcp_types.ListToolsResult(tools=[tool.to_mcp_tool()]))["tools"]
    return dict(found)


def _dumped(result: mcp_types.Result) -> dict[str, Any]:
    return result.model_dump(by_alias=True, mode="json", exclude_none=True)


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
