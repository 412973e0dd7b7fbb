"""The live catalog: what each MCPServer really offers, as one document with hashes."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kmcp_controller.status.conditions import Listing
from kmcp_runtime.catalog import (
    API_VERSION,
    Drift,
    Effect,
    ServerEntry,
    ToolEntry,
    digest,
    effect_of,
    tokens_of,
    tool_hash,
)

from .foreign import mapping, text

_META = "kmcp-suite/tool"  # under `_meta` of a tool: what its author declared, which hints cannot say
_LONGEST = {"name": 256, "description": 1024}  # characters of prompts and resources, which are shown and not called


@dataclass(frozen=True)
class LiveServer:
    """One server with what is known of it now; what `Live.update` takes."""

    namespace: str
    name: str
    url: str
    transport: str
    image: str
    conditions: list[dict[str, Any]]
    uid: str = ""
    adapter: str = "none"
    entry_name: str | None = None
    entry: ServerEntry | None = None
    listing: Listing | None = None
    stale: bool = False  # the listing is older than the last attempt to renew it
    changed_at: str | None = None
    pin: str = "off"
    problems: list[str] = field(default_factory=list)
    drift: Drift | None = None  # for the metrics; None: nothing to compare with
    asked_at: float | None = None  # Unix seconds of the last discovery that succeeded

    def condition(self, kind: str) -> dict[str, Any]:
        return next((each for each in self.conditions if each["type"] == kind), {})


def document(described: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """`LiveCatalog` of what `describe` gave, by namespace and name."""
    listed = sorted(described, key=place)
    return {"apiVersion": API_VERSION, "kind": "LiveCatalog", "hash": document_hash(listed), "servers": listed}


def place(described: Mapping[str, Any]) -> tuple[str, str]:
    return described["namespace"], described["name"]


def document_hash(servers: Iterable[Mapping[str, Any]]) -> str:
    """Over what was listed, where, and whether it matched; readiness and times are in no hash."""
    return digest(
        [[f"{each['namespace']}/{each['name']}", each["url"], each["hash"], each["match"]] for each in servers]
    )


def describe(server: LiveServer) -> dict[str, Any]:
    listing = server.listing or Listing("", {}, [], [], [])
    tools = live_tools(listing.tools, server.entry)
    return {
        "namespace": server.namespace,
        "name": server.name,
        "uid": server.uid,
        "url": server.url,
        "transport": server.transport,
        "adapter": server.adapter,
        "image": server.image,
        **summary_of(server.conditions),
        "protocolVersion": listing.protocol_version or None,
        "serverInfo": listing.server_info,
        "entry": server.entry_name,
        "pin": server.pin,
        "toolCount": len(tools),
        "tokens": sum(tool["tokens"] for tool in tools),
        "hash": digest(sorted((tool["name"], tool["hash"]) for tool in tools)),  # pairs: a name may be there twice
        "problems": server.problems,
        "stale": server.stale,
        "changedAt": server.changed_at,
        "tools": tools,
        "prompts": [_named(prompt) for prompt in listing.prompts],
        "resources": [_named(resource) for resource in listing.resources],
    }


def summary_of(conditions: list[dict[str, Any]]) -> dict[str, Any]:
    """What the conditions of a server say of it."""
    by_type = {each["type"]: each for each in conditions}
    ready, matched = by_type.get("Ready", {}), by_type.get("CatalogMatched", {})
    return {
        "ready": ready.get("status") == "True",
        "reason": ready.get("reason"),
        "message": ready.get("message"),
        "match": matched.get("reason"),
        "conditions": conditions,
    }


def live_tools(raw: Iterable[Mapping[str, Any]], entry: ServerEntry | None) -> list[dict[str, Any]]:
    known = {tool.name: tool for tool in entry.tools} if entry else {}
    tools: list[dict[str, Any]] = []
    names: set[str] = set()
    for each in raw:
        tool = _tool(each, known)
        if tool["name"] in names:
            tool["problems"].append("this name is listed twice")
        names.add(tool["name"])
        tools.append(tool)
    return sorted(tools, key=lambda tool: str(tool["name"]))


def _tool(raw: Mapping[str, Any], known: Mapping[str, ToolEntry]) -> dict[str, Any]:
    name, description = text(raw.get("name")), text(raw.get("description"))
    annotations = mapping(raw.get("annotations"))
    declared = mapping(mapping(raw.get("_meta")).get(_META))
    stated = declared.get("effect") in tuple(Effect)
    entry = known.get(name)
    return {
        "name": name,
        "title": text(raw.get("title")) or text(annotations.get("title")) or None,
        "description": description,
        "inputSchema": raw.get("inputSchema"),
        "outputSchema": raw.get("outputSchema"),
        "annotations": annotations,
        "effect": declared["effect"] if stated else effect_of(annotations),
        "effectSource": "declared" if stated else "hints",
        "actions": mapping(declared.get("actions")) or None,
        "needs": declared["needs"] if _is_list(declared.get("needs")) else [],
        "verified": entry.verified if entry else None,
        "tokens": tokens_of(name, description, raw.get("inputSchema")),
        "hash": tool_hash({**raw, "annotations": annotations, "description": description}),
        "problems": _problems(name, raw.get("inputSchema")),
    }


def _problems(name: str, schema: Any) -> list[str]:
    problems = [] if 0 < len(name) <= 128 else ["the name is empty or longer than 128 characters"]
    if not isinstance(schema, Mapping) or schema.get("type") != "object":
        return [*problems, "the input schema is not a JSON Schema of an object"]
    fault = schema_fault(schema)
    return [*problems, f"the input schema is not a valid JSON Schema: {fault}"] if fault else problems


_TYPES = frozenset({"null", "boolean", "object", "array", "number", "integer", "string"})
_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_COUNTS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
_BY_NAME = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_INNER = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames")


def schema_fault(schema: Any, where: str = "") -> str:
    """What is wrong with the form of a JSON Schema, at its first place; empty where it can be relied on."""
    if isinstance(schema, bool):
        return ""
    if not isinstance(schema, Mapping):
        return f"{where or 'it'} is not a schema"
    for key, well_formed in _FORMS.items():
        if key in schema and not well_formed(schema[key]):
            return f"{where}/{key} is malformed"
    return next((fault for at, inner in _schemas(schema) if (fault := schema_fault(inner, f"{where}/{at}"))), "")


def _schemas(schema: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    for key in _BY_NAME:
        yield from ((f"{key}/{name}", inner) for name, inner in schema.get(key, {}).items())
    for key in _LISTS:
        yield from ((f"{key}/{index}", inner) for index, inner in enumerate(schema.get(key, ())))
    yield from ((key, schema[key]) for key in _INNER if key in schema)


def _is_type(value: Any) -> bool:
    return value in _TYPES if isinstance(value, str) else _is_texts(value) and _TYPES.issuperset(value)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_number(value: Any) -> bool:
    # In Python a bool is an int, in JSON true is not a number.
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return _is_number(value) and value >= 0


def _is_map(value: Any) -> bool:
    return isinstance(value, Mapping)


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


_FORMS: Mapping[str, Callable[[Any], bool]] = {
    "type": _is_type,
    "required": _is_texts,
    "enum": _is_list,
    **dict.fromkeys(("pattern", "$ref"), lambda value: isinstance(value, str)),
    **dict.fromkeys(_NUMBERS, _is_number),
    **dict.fromkeys(_COUNTS, _is_count),
    **dict.fromkeys(_BY_NAME, _is_map),
    **dict.fromkeys(_LISTS, _is_list),
}


def _named(item: Mapping[str, Any]) -> dict[str, str]:
    return {key: text(item.get(key))[:longest] for key, longest in _LONGEST.items()}
