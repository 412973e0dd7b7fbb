"""Searching as one types: over names, titles, descriptions and arguments of every tool."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kmcp_runtime.catalog import Effect

Described = Mapping[str, Any]
EFFECTS = tuple(Effect)
STATES = ("ready", "not-ready")
_LONGEST = 200  # characters of a search: more is no search


@dataclass(frozen=True)
class Query:
    """What a reader looks for; everything where empty. Words may stand anywhere, in any case and order."""

    words: str = ""
    server: str = ""
    effect: str = ""
    state: str = ""

    @classmethod
    def of(cls, given: Mapping[str, str]) -> "Query":
        """From an address; a filter of no known value is none."""
        effect, state = given.get("effect", ""), given.get("state", "")
        return cls(
            given.get("q", "")[:_LONGEST],
            given.get("server", "")[:_LONGEST],
            effect if effect in EFFECTS else "",
            state if state in STATES else "",
        )

    def is_empty(self) -> bool:
        return self == Query()

    def wants_tools(self) -> bool:
        return bool(self.words.strip() or self.effect)


@dataclass(frozen=True)
class Found:
    """Servers that fit, and tools with their servers; `tools` only where tools were asked for."""

    servers: Sequence[Described]
    tools: Sequence[tuple[Described, Described]]


class Index:
    """Made once for a state of the catalog, in a thread."""

    def __init__(self, servers: Iterable[Described]) -> None:
        self.servers = list(servers)
        self._entries = [
            (server, tool, fold(tool["name"]), fold(" ".join(_texts(tool))))
            for server in self.servers
            for tool in server["tools"]
        ]

    def find(self, query: Query) -> Found:
        servers = [each for each in self.servers if _fits(each, query)]
        if not query.wants_tools():
            return Found(servers, ())
        words, kept = fold(query.words).split(), {id(each) for each in servers}
        hits = [
            (sum(word not in name for word in words), index, server, tool)
            for index, (server, tool, name, text) in enumerate(self._entries)
            if id(server) in kept and query.effect in ("", tool["effect"]) and all(word in text for word in words)
        ]
        hits.sort(key=lambda hit: hit[:2])  # whose name has the words before whose description has them
        named = {id(server) for _, _, server, _ in hits}
        tools = [(server, tool) for _, _, server, tool in hits]
        return Found([each for each in servers if id(each) in named], tools)


def fold(text: str) -> str:
    """For comparing: without case, and one form of what can be written in several."""
    return unicodedata.normalize("NFKC", text).casefold()


def _fits(server: Described, query: Query) -> bool:
    state = {"ready": bool(server["ready"]), "not-ready": not server["ready"]}.get(query.state, True)
    return state and fold(query.server) in fold(f"{server['namespace']}/{server['name']}")


def _texts(tool: Described) -> Iterable[str]:
    yield tool["name"]
    yield tool["title"] or ""
    yield tool["description"]
    schema = tool["inputSchema"]
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    for name, argument in properties.items() if isinstance(properties, Mapping) else ():
        yield str(name)
        described = argument.get("description") if isinstance(argument, Mapping) else None
        yield described if isinstance(described, str) else ""
