"""What a server's tools are compared with, and how they differ from it. Pure.

The reference is the first that exists: the annotation `kmcp-suite/tools-hash`; the entry of the shipped catalog that
`kmcp-suite/catalog-entry` names, or that has the suite image's name and version; what was seen first, kept by UID.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from kmcp_controller.catalog.current import References
from kmcp_controller.catalog.live_server import LONGEST_NAME, live_tools
from kmcp_controller.spec import MCPServer, Platform, is_suite_image, repository
from kmcp_controller.spec.catalog_entry import narrowed
from kmcp_controller.spec.model import OURS
from kmcp_controller.status.conditions import Listing
from kmcp_runtime import json_text
from kmcp_runtime.catalog import Drift, Effect, ToolEntry, diff, digest, effect_of, strongest
from kmcp_runtime.foreign.schema_forms import schema_fault

PIN, TOOLS_HASH, CATALOG_ENTRY = OURS + "pin", OURS + "tools-hash", OURS + "catalog-entry"
Pin = Literal["off", "warn", "block"]
_SHORT = 12  # hexadecimal digits of a tool's hash that a pin keeps: what was seen of some hundred servers is one object


@dataclass(frozen=True)
class HashDrift(Drift):
    """Where only the hash of the reference is known: that it differs, not in what."""

    expected: str = ""
    found: str = ""

    def __bool__(self) -> bool:
        return self.expected != self.found

    def summary(self, limit: int = 1024) -> str:
        text = f"the tools have {self.found}, {TOOLS_HASH} says {self.expected}; update it if these tools are wanted"
        return text[:limit]


@dataclass(frozen=True)
class Reference:
    """`compare` it with a listing. Only one of `tools_hash`, `tools` and `seen` is set."""

    entry_name: str | None = None
    tools_hash: str | None = None
    tools: tuple[ToolEntry, ...] | None = None
    seen: Mapping[str, str] | None = None  # name to short hash

    def compare(self, listing: Listing) -> Drift:
        if self.tools_hash is not None:
            return HashDrift(expected=self.tools_hash, found=tools_hash(listing))
        if self.tools is not None:
            return diff(self.tools, _entries(listing.tools, {tool.name: tool for tool in self.tools}))
        return _since(self.seen or {}, listing)


def reference(server: MCPServer, catalog: References, platform: Platform, pins: Mapping[str, str]) -> Reference | None:
    """The reference of a server, `pins` being the data of `FirstSights`; None: NoReference."""
    if server.annotations.get(PIN) == "off":
        return None
    if TOOLS_HASH in server.annotations:  # a person has read and pinned them: that wins over what was shipped
        return Reference(tools_hash=server.annotations[TOOLS_HASH])
    name = entry_name(server, catalog, platform)
    if name is not None:
        extensions = server.extensions
        return Reference(name, tools=narrowed(catalog.servers[name], extensions.tools, extensions.read_only))
    if PIN in server.annotations and server.uid in pins:
        return Reference(seen=json_text.read(pins[server.uid]))
    return None


def vouched(found: Reference | None, listing: Listing | None) -> dict[str, str]:
    """What a call does, by the tool's name, where a person has said so: with the hash of all tools, which takes what
    they say of themselves, or with the name of an entry, for the tools that are as it describes them. What was seen
    first nobody has looked at."""
    if found is None or listing is None or (found.tools_hash is None and not found.tools):
        return {}
    tools = live_tools(listing.tools, None)
    if found.tools_hash is not None:
        if found.tools_hash != tools_hash(listing):
            return {}
        # What a server says beside its hints can only make it graver.
        return {tool["name"]: strongest([effect_of(tool["annotations"]), Effect(tool["effect"])]) for tool in tools}
    known = {tool.name: tool for tool in found.tools or ()}
    same = (tool["name"] for tool in tools if tool["name"] in known and known[tool["name"]].hash == tool["hash"])
    return {name: known[name].strongest_effect for name in same}


def entry_name(server: MCPServer, catalog: References, platform: Platform) -> str | None:
    """The catalog's entry for a server: the annotated one, else that of the suite image's name and version."""
    name = server.annotations.get(CATALOG_ENTRY)
    if name is None:
        image = server.deployment.image
        path = repository(image)
        version = image.partition("@")[0].removeprefix(path).removeprefix(":")
        if not is_suite_image(image, platform) or version != catalog.version:
            return None
        name = path.rpartition("/")[2]
    return name if name in catalog.servers else None


def pin_mode(server: MCPServer, found: Reference | None, default: Pin = "warn") -> Pin:
    """What happens on drift; `default` holds where a reference exists. `spec.parse` checks the annotation."""
    given = server.annotations.get(PIN)
    return cast("Pin", given) if given else default if found else "off"


def wants_first_sight(server: MCPServer, found: Reference | None) -> bool:
    """Whether the first listing is to be written to PINS: asked for, and nothing else to compare with."""
    return found is None and bool(server.uid) and server.annotations.get(PIN) in ("warn", "block")


def first_sight(listing: Listing) -> str:
    """The value to keep under the server's UID."""
    return json.dumps(_short(listing), separators=(",", ":"))


def tools_hash(listing: Listing) -> str:
    """The server's hash, as the catalog states it and TOOLS_HASH takes it."""
    return digest(sorted((tool["name"], tool["hash"]) for tool in live_tools(listing.tools, None)))


def _since(seen: Mapping[str, str], listing: Listing) -> Drift:
    """Against what was seen first: names and hashes, so that a change is known, not whether it breaks."""
    now = _short(listing)
    removed = tuple(sorted(seen.keys() - now.keys()))
    return Drift(
        added=tuple(sorted(now.keys() - seen.keys())),
        removed=removed,
        changed=tuple(sorted(name for name in seen.keys() & now.keys() if seen[name] != now[name])),
        breaking=tuple((name, "removed") for name in removed),
    )


def _short(listing: Listing) -> dict[str, str]:
    """Names and the beginnings of hashes; a name that is too long for any client is kept by its hash, too."""
    return {
        (name if len(name) <= LONGEST_NAME else digest(name)): tool["hash"].removeprefix("sha256:")[:_SHORT]
        for tool in _distinct(listing.tools)
        for name in (tool["name"],)
    }


def _distinct(raw: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """The tools with a name each: who lists one twice must not hide the one behind the other."""
    names: set[str] = set()
    for tool in live_tools(raw, None):
        while tool["name"] in names:
            tool["name"] += " (again)"
        names.add(tool["name"])
        yield tool


def _entries(raw: Iterable[Mapping[str, Any]], known: Mapping[str, ToolEntry]) -> Iterator[ToolEntry]:
    """What a server lists, as entries; a tool that is malformed stays in, so that it shows as drift."""
    for tool in _distinct(raw):
        hints = {key: _hint(value) for key, value in tool["annotations"].items()}
        same = known.get(tool["name"])
        yield ToolEntry.model_construct(
            name=tool["name"],
            title=tool["title"] or "",
            description=tool["description"],
            effect=_effect(tool, hints, same),
            input_schema={} if tool["problems"] else tool["inputSchema"],
            output_schema=_output(tool["outputSchema"]),
            annotations=hints,
            when=same.when if same else None,
        )


def _effect(tool: Mapping[str, Any], hints: Mapping[str, Any], same: ToolEntry | None) -> Effect:
    """Equal hints mean the effect of the reference: a hint may ask for more caution than the effect needs."""
    stated = [Effect(tool["effect"])] if tool["effectSource"] == "declared" else []
    return strongest([same.strongest_effect if same and same.annotations == hints else effect_of(hints), *stated])


def _hint(value: Any) -> bool | str:
    return value if isinstance(value, bool | str) else json.dumps(value)


def _output(schema: Any) -> dict[str, Any] | None:
    if schema is None:
        return None
    return schema if isinstance(schema, dict) and not schema_fault(schema) else {"not": {}}
