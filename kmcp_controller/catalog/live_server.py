"""The live catalog: what each MCPServer really offers, as one document with hashes."""

from collections.abc import Iterable, Mapping
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
from kmcp_runtime.foreign.schema_forms import schema_fault

from .foreign import mapping, text

_META = "kmcp-suite/tool"  # under `_meta` of a tool: what its author declared, which hints cannot say
LONGEST_NAME = 128  # characters of a tool's name
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
    vouched: Mapping[str, str] = field(default_factory=dict)
    """Effects by tool, as a person has pinned them."""
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
        "vouched": dict(server.vouched),
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
        "needs": declared["needs"] if isinstance(declared.get("needs"), list) else [],
        "verified": entry.verified if entry else None,
        "tokens": tokens_of(name, description, raw.get("inputSchema")),
        "hash": tool_hash({**raw, "annotations": annotations, "description": description}),
        "problems": _problems(name, raw.get("inputSchema")),
    }


def is_a_name(name: str) -> bool:
    """Whether clients take a tool of this name; behind the door one with another name is left out."""
    # A lone surrogate: no text that can be sent. What comes from a server was cleaned of them.
    return 0 < len(name) <= LONGEST_NAME and not any("\ud800" <= sign <= "\udfff" for sign in name)


def _problems(name: str, schema: Any) -> list[str]:
    problems = [] if is_a_name(name) else [f"the name is empty or longer than {LONGEST_NAME} characters"]
    if not isinstance(schema, Mapping) or schema.get("type") != "object":
        return [*problems, "the input schema is not a JSON Schema of an object"]
    fault = schema_fault(schema)
    return [*problems, f"the input schema is not a valid JSON Schema: {fault}"] if fault else problems


def _named(item: Mapping[str, Any]) -> dict[str, str]:
    return {key: text(item.get(key))[:longest] for key, longest in _LONGEST.items()}
