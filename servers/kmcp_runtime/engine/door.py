"""One door to many tools: a short list of the most used ones, a search for the others, and a way to call them.

Listing is not authorization: every tool may be called by its name, listed or not, and `call_tool` is the same call
under the same rules; its audit line names the real tool.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from importlib.resources import files
from typing import Any

import mcp_types
from fastmcp.server.dependencies import get_context
from fastmcp.tools import Tool, ToolResult
from pydantic import PrivateAttr

from kmcp_runtime.door.search import Entry, Index
from kmcp_runtime.engine import address
from kmcp_runtime.engine.configured import ConfiguredServer
from kmcp_runtime.engine.dispatch import SuiteTool
from kmcp_runtime.engine.together import Together
from kmcp_runtime.errors import bad_argument, suggesting
from kmcp_runtime.output.render import UNTRUSTED_META, framed
from kmcp_runtime.worker import run_in_thread
from kmcp_runtime.yaml_text import read as read_yaml

SEARCH, CALL = "search_tools", "call_tool"
PHRASES = "phrases.yaml"
_SUBJECT = "server"  # in the place of a tool's name: what the server as a whole is about
_MOST = 20
_MOST_INDEXES = 8
_USUAL = 5
_ALL_LISTED = 15  # as many as a short list has at most
_LONGEST_QUERY = 1000
_LONGEST_LINE = 200
_COMMON = frozenset({"approval", "context", "cursor", "dry_run", "limit"})
"""Arguments that tell nothing of what a tool is for."""
_SEARCHING: ContextVar[bool] = ContextVar("searching", default=False)


ABOUT = f"Listed are the most used of many tools: {SEARCH} finds the others, {CALL} calls them."
"""The line of the instructions of a server that lists few of its tools."""


def is_short(instances: Sequence[ConfiguredServer]) -> bool:
    """Whether the list is short unless the address says otherwise."""
    chosen = instances[0].runtime.listing
    are_several = len(instances) > 1 or isinstance(instances, Together)
    return are_several if chosen == "auto" else chosen == address.SHORT


class SearchTools(Tool):
    """`search_tools`: reads the list that this caller may see, and nothing else."""

    _indexes: dict[tuple[Any, ...], Index] = PrivateAttr(default_factory=dict)
    """By the tools that are in it: callers with different scopes see different ones, and foreign ones change."""

    async def run(self, arguments: dict[str, Any]) -> ToolResult:
        query, limit = asked(arguments)
        with _all_listed():
            found = {tool.name: tool for tool in await get_context().fastmcp.list_tools()}
        names = (await self._index(found)).ranked(query)[:limit]
        body: dict[str, Any] = {"tools": [_summary(found[name]) for name in names]}
        if not names:
            body["hint"] = "no tool has a word of this; say in other words what you want to do"
        others = any(isinstance(tool := found[name], SuiteTool) and tool.is_foreign for name in names)
        meta = {UNTRUSTED_META: ["/tools"]} if others else None
        text = json.dumps(body, ensure_ascii=False)
        return ToolResult(content=framed(text) if others else text, structured_content=body, meta=meta)

    async def _index(self, found: Mapping[str, Tool]) -> Index:
        key = tuple(map(_identity, found.values()))
        index = self._indexes.get(key)
        if index is None:
            own = [tool for tool in found.values() if isinstance(tool, SuiteTool)]
            # A thousand tools of a foreign server take seconds.
            index = await run_in_thread(lambda: Index(map(_entry, own)))
            if len(self._indexes) >= _MOST_INDEXES:
                self._indexes.clear()
            self._indexes[key] = index
        return index


def tools() -> list[Tool]:
    """The tools of the door."""
    query = {"type": "string", "description": "What you want to do, in words"}
    limit = {"type": "integer", "description": "Most tools", "default": _USUAL, "minimum": 1, "maximum": _MOST}
    name = {"type": "string", "description": "The tool"}
    given = {"type": "object", "description": "Its arguments", "additionalProperties": {}}
    search = SearchTools(
        name=SEARCH,
        title="Search tools",
        description="Find tools by what they are for: name, effect and arguments of each, the best first.",
        parameters={"type": "object", "properties": {"query": query, "limit": limit}, "required": ["query"]},
        annotations=_hints(reads=True),
        meta={"kmcp-suite/tool": {"effect": "read", "needs": []}},
    )
    call = Tool(
        name=CALL,
        title="Call tool",
        description=f"Call a tool that {SEARCH} found, by its name; it does exactly what that tool does.",
        parameters={"type": "object", "properties": {"name": name, "arguments": given}, "required": ["name"]},
        annotations=_hints(reads=False),
        meta={"kmcp-suite/tool": {"effect": "destroy", "needs": []}},
    )
    return [search, call]


def _hints(reads: bool) -> mcp_types.ToolAnnotations:
    """Of a call by the door, the worst that any tool behind it can do."""
    return mcp_types.ToolAnnotations(
        read_only_hint=reads, destructive_hint=not reads, idempotent_hint=reads, open_world_hint=not reads
    )


def shown(found: Sequence[Tool], instances: Sequence[ConfiguredServer]) -> list[Tool]:
    """Of the tools that a caller may call, those that are listed."""
    own: list[Tool] = [tool for tool in found if isinstance(tool, SuiteTool)]
    if _SEARCHING.get():
        return own
    here = address.current()
    if here.tools is not None:
        return [tool for tool in own if tool.name in here.tools]
    short = here.listing == address.SHORT if here.listing else is_short(instances)
    if not short:
        return own
    if here.servers is not None and here.listing is None and len(own) <= _ALL_LISTED:
        return own  # a search among so few would find no more than the list has
    others = [tool for tool in found if not isinstance(tool, SuiteTool)]
    first = {name for instance in instances for name in instance.server.first}
    return [*others, *(tool for tool in own if tool.name in first)]


def passed_on(message: mcp_types.CallToolRequestParams) -> mcp_types.CallToolRequestParams:
    """The call that a call of `call_tool` stands for; ToolFailure where it stands for none."""
    given = message.arguments or {}
    for word in given:
        if word not in ("name", "arguments"):
            hint = "arguments of the tool belong into `arguments`"
            raise bad_argument(suggesting(f"unknown argument {word[:64]!r}", word, ("name", "arguments")), hint)
    name, arguments = given.get("name"), given.get("arguments")
    if not isinstance(name, str) or not name:
        raise bad_argument("name: the name of a tool is missing", f"{SEARCH} finds tools")
    if name == CALL:
        raise bad_argument(f"{CALL} does not call itself", f"name the tool that you mean; {SEARCH} finds it")
    if isinstance(arguments, str):  # Some models write an object as its JSON.
        try:
            arguments = json.loads(arguments)
        except (ValueError, RecursionError):
            raise bad_argument("arguments: not an object", 'such as {"namespace": "default"}') from None
    if arguments is not None and not isinstance(arguments, dict):
        raise bad_argument("arguments: not an object", 'such as {"namespace": "default"}')
    return message.model_copy(update={"name": name, "arguments": arguments or {}})


@contextmanager
def _all_listed() -> Iterator[None]:
    token = _SEARCHING.set(True)
    try:
        yield
    finally:
        _SEARCHING.reset(token)


def asked(arguments: Mapping[str, Any]) -> tuple[str, int]:
    """What is searched for, and how many tools are wanted; ToolFailure where the arguments have a fault."""
    for word in arguments:
        if word not in ("query", "limit"):
            raise bad_argument(suggesting(f"unknown argument {word[:64]!r}", word, ("query", "limit")))
    query, limit = arguments.get("query"), arguments.get("limit", _USUAL)
    if not isinstance(query, str) or not query.strip() or len(query) > _LONGEST_QUERY:
        raise bad_argument(f"query: a text of 1 to {_LONGEST_QUERY} characters", "say what you want to do")
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= _MOST:
        raise bad_argument(f"limit: a whole number from 1 to {_MOST}")
    return query, limit


def _identity(tool: Tool) -> tuple[Any, ...]:
    """What is searched of a tool; of one of ours its schema cannot change."""
    words = tool.schema_digest if isinstance(tool, SuiteTool) else ""
    return tool.name, tool.title, tool.description, tool.annotations and tool.annotations.read_only_hint, words


def _entry(tool: SuiteTool) -> Entry:
    properties: Mapping[str, Any] = tool.parameters.get("properties", {})
    own = {name: each for name, each in properties.items() if name not in _COMMON}
    server = tool.instance.server
    spoken = _phrases(server.package)
    phrases = spoken.get(tool.name, ())
    return Entry(
        tool.name,
        {
            "name": tool.name.replace("_", " "),
            "description": tool.description or "",
            "values": " ".join(str(value) for each in own.values() for value in each.get("enum", ())),
            "arguments": " ".join(
                f"{name.replace('_', ' ')} {each.get('description', '')}" for name, each in own.items()
            ),
            "server": " ".join((server.name, server.title, *server.tags)),
            "phrases": " ".join(phrases),
        },
        phrases,
        reads=bool(tool.annotations and tool.annotations.read_only_hint),
        subject=" ".join(spoken.get(_SUBJECT, ())),
    )


@lru_cache(maxsize=64)
def _phrases(package: str) -> Mapping[str, list[str]]:
    """What operators say when they want a tool of this package, by tool; a package need not say it."""
    found = files(package).joinpath(PHRASES) if package else None
    return dict(read_yaml(found.read_text(encoding="utf-8"))) if found is not None and found.is_file() else {}


def _summary(tool: Tool) -> dict[str, Any]:
    required = tool.parameters.get("required", ())
    properties: Mapping[str, Any] = tool.parameters.get("properties", {})
    meta = (tool.meta or {}).get("kmcp-suite/tool", {})
    return {
        "name": tool.name,
        "description": _line(tool.description or ""),
        "effect": meta.get("effect", "destroy"),
        "arguments": {name: _argument(each, name in required) for name, each in properties.items()},
    }


def _argument(schema: Mapping[str, Any], is_required: bool) -> str:
    """An argument in one line: type or values, whether it must be there, and what it is."""
    kinds = schema.get("anyOf", [schema])
    kind = " or ".join(str(each.get("type", "any")) for each in kinds)
    values = "|".join(str(value) for value in schema.get("enum", ()))
    return _line(f"{values or kind}{', required' if is_required else ''}: {schema.get('description', '')}")


def _line(text: str) -> str:
    return text if len(text) <= _LONGEST_LINE else text[: _LONGEST_LINE - 1] + "…"
