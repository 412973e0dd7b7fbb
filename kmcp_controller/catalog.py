"""The live catalog: what each MCPServer really offers, as one document with hashes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from kmcp_runtime.catalog import (
    API_VERSION,
    Drift,
    ServerEntry,
    ToolEntry,
    diff,
    digest,
    effect_of,
    server_hash,
    tokens_of,
    tool_hash,
)

from .status import Listing

_META = "kmcp-suite/tool"
_EFFECTS = ("read", "write", "destroy")


@dataclass(frozen=True)
class LiveServer:
    """One server with what is known of it now."""

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

    def condition(self, kind: str) -> dict[str, Any]:
        return next((each for each in self.conditions if each["type"] == kind), {})


def document(servers: Iterable[LiveServer]) -> dict[str, Any]:
    """`LiveCatalog`, servers by namespace and name; readiness and times are in no hash."""
    listed = [describe(server) for server in sorted(servers, key=lambda each: (each.namespace, each.name))]
    key = [[f"{each['namespace']}/{each['name']}", each["url"], each["hash"], each["match"]] for each in listed]
    return {"apiVersion": API_VERSION, "kind": "LiveCatalog", "hash": digest(key), "servers": listed}


def describe(server: LiveServer) -> dict[str, Any]:
    listing = server.listing or Listing("", {}, [], [], [])
    tools = live_tools(listing.tools, server.entry)
    ready = server.condition("Ready")
    return {
        "namespace": server.namespace,
        "name": server.name,
        "uid": server.uid,
        "url": server.url,
        "transport": server.transport,
        "adapter": server.adapter,
        "image": server.image,
        "ready": ready.get("status") == "True",
        "reason": ready.get("reason"),
        "message": ready.get("message"),
        "protocolVersion": listing.protocol_version or None,
        "serverInfo": listing.server_info,
        "entry": server.entry_name,
        "match": server.condition("CatalogMatched").get("reason"),
        "pin": server.pin,
        "toolCount": len(tools),
        "tokens": sum(tool["tokens"] for tool in tools),
        "hash": server_hash({tool["name"]: tool["hash"] for tool in tools}),
        "problems": server.problems,
        "stale": server.stale,
        "changedAt": server.changed_at,
        "conditions": server.conditions,
        "tools": tools,
        "prompts": [_named(prompt) for prompt in listing.prompts],
        "resources": [_named(resource) for resource in listing.resources],
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
    name, description = _text(raw.get("name")), _text(raw.get("description"))
    annotations = _mapping(raw.get("annotations"))
    declared = _mapping(_mapping(raw.get("_meta")).get(_META))
    stated = declared.get("effect") in _EFFECTS
    entry = known.get(name)
    return {
        "name": name,
        "title": raw.get("title") or annotations.get("title"),
        "description": description,
        "inputSchema": raw.get("inputSchema"),
        "outputSchema": raw.get("outputSchema"),
        "annotations": annotations,
        "effect": declared["effect"] if stated else effect_of(annotations),
        "effectSource": "declared" if stated else "hints",
        "actions": declared.get("actions"),
        "needs": declared.get("needs", []),
        "verified": entry.verified if entry else None,
        "tokens": tokens_of(name, description, raw.get("inputSchema")),
        "hash": tool_hash({**raw, "annotations": annotations, "description": description}),
        "problems": _problems(name, raw.get("inputSchema")),
    }


def _problems(name: str, schema: Any) -> list[str]:
    problems = [] if 0 < len(name) <= 128 else ["the name is empty or longer than 128 characters"]
    if not isinstance(schema, Mapping) or schema.get("type") != "object":
        problems.append("the input schema is no JSON Schema of an object")
    elif not isinstance(schema.get("properties", {}), Mapping):
        problems.append("the input schema's properties are no mapping")
    return problems


def drift(listing: Listing, reference: ServerEntry, allowed: Iterable[str] | None, read_only: bool) -> Drift:
    """What the server offers against its entry, narrowed to the tools the manifest allows."""
    names = None if allowed is None else set(allowed)
    wanted = [tool for tool in reference.tools if names is None or tool.name in names]
    if read_only:
        wanted = [tool for tool in wanted if "read" in (tool.strongest_effect, *(tool.actions or {}).values())]
    return diff(wanted, _entries(listing.tools, {tool.name: tool for tool in reference.tools}))


def _entries(raw: Iterable[Mapping[str, Any]], known: Mapping[str, ToolEntry]) -> Iterable[ToolEntry]:
    for tool in live_tools(raw, None):
        if tool["problems"]:
            continue  # shown as a problem; there is no contract to compare
        try:
            yield ToolEntry(
                name=tool["name"],
                title=_text(tool["title"]),
                description=tool["description"],
                effect=effect_of(tool["annotations"]),
                input_schema=tool["inputSchema"],
                output_schema=tool["outputSchema"],
                annotations=tool["annotations"],
                when=known[tool["name"]].when if tool["name"] in known else None,
            )
        except ValidationError:
            continue


def _named(item: Mapping[str, Any]) -> dict[str, str]:
    return {key: _text(item.get(key)) for key in ("name", "description")}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
