"""Cedar's schema of the tools: what a rule may name. Pure, but for the annotations of the tools' arguments."""

import json
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from kmcp_runtime.catalog import Effect
from kmcp_runtime.declaration import ToolSpec
from kmcp_runtime.judging import PARTS
from kmcp_runtime.policy.questions import APPROVALS, OF_CALLS

_PRINCIPAL = ("subject", "groups", "issuer", "agent", "authenticated", "effects", "account")
CONTEXT = ("effect", "dry_run", "approval", "time", "hour", "weekday", "arguments")


@dataclass(frozen=True)
class Vocabulary:
    """Every name that a rule may use."""

    servers: Mapping[str, Sequence[ToolSpec]]
    """The tools of each server."""
    foreign: frozenset[str] = frozenset()
    """Names of tools that may be those of servers elsewhere: nothing is known of them."""
    others: frozenset[str] = field(default_factory=frozenset)
    """Servers that are not here, but may be elsewhere."""
    is_open: bool = False
    """Whether tools are called here of which nothing is known: those of foreign servers."""

    @property
    def tools(self) -> dict[str, ToolSpec]:
        return {tool.name: tool for tools in self.servers.values() for tool in tools}

    def attributes(self, variable: str) -> frozenset[str]:
        """What `principal`, `resource`, `context` or `context.arguments` can have."""
        if variable == "arguments":
            return frozenset(name for tool in self.tools.values() for name in _arguments(tool))
        return frozenset({"principal": _PRINCIPAL, "resource": PARTS, "context": CONTEXT}[variable])

    def known(self) -> frozenset[str]:
        """Every word, for a suggestion."""
        attributes = (self.attributes(each) for each in ("principal", "resource", "context", "arguments"))
        return frozenset(
            {*self.tools, *self.servers, *self.others, *(effect.value for effect in Effect), *APPROVALS}
        ).union(*attributes)

    def schema(self) -> str:
        """In Cedar's own syntax."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield "entity Group;"
        yield f"entity Server enum {_names([*self.servers, *self.others])};"
        yield f"entity Effect enum {_names(effect.value for effect in Effect)};"
        yield f"entity Approval enum {_names(APPROVALS)};"
        yield (
            "entity User in [Group] { subject: String, groups: Set<String>, issuer: String, agent: String, "
            "authenticated: Bool, effects: Set<Effect>, account?: { namespace: String, name: String } };"
        )
        yield f"entity Object in [Server] {{ {', '.join(f'{part}: String' for part in PARTS)} }};"
        for server in [*self.servers, *self.others]:
            yield f"action {json.dumps(server)};"
        for server, tools in self.servers.items():
            for tool in tools:
                yield from _tool(tool.name, server, _arguments(tool))
        for name in sorted(self.foreign):
            yield from _tool(name, None, {})


def _tool(name: str, server: str | None, arguments: Mapping[str, str]) -> Iterator[str]:
    kind = f"Arguments_{name}" if name.isidentifier() else "Arguments_elsewhere"
    if name.isidentifier():
        yield f"entity {kind} {{ {', '.join(f'{json.dumps(each)}{of}' for each, of in arguments.items())} }};"
    within = f" in [{json.dumps(server)}]" if server else ""
    yield (
        f"action {json.dumps(name)}{within} appliesTo {{ principal: [User], resource: [Object], context: {{ "
        "effect: Effect, dry_run: Bool, approval: Approval, time: datetime, hour: Long, weekday: Long, "
        f"arguments: {kind} }} }};"
    )


def _arguments(tool: ToolSpec) -> dict[str, str]:
    """Name to `: Type`, or `?: Type` where a call may leave it out; without what Cedar cannot hold."""
    found = {}
    for name, info in tool.arguments.model_fields.items():
        kind = cedar_type(info.annotation)
        if kind and name not in OF_CALLS:
            always = info.is_required() or info.default is not None
            found[name] = f"{': ' if always and not _is_optional(info.annotation) else '?: '}{kind}"
    return found


def cedar_type(annotation: Any) -> str | None:
    """`String`, `Long`, `Bool`, `Set<String>`; None for what a policy cannot look at, as a number with a fraction."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return cedar_type(parts[0])
    if origin is Literal:
        kinds = {type(each) for each in parts}
        return cedar_type(kinds.pop()) if len(kinds) == 1 else None
    if origin in (Union, types.UnionType):
        found = {cedar_type(part) for part in parts if part is not type(None)}
        return found.pop() if len(found) == 1 else None
    if origin is list:
        return "Set<String>" if [cedar_type(part) for part in parts] == ["String"] else None
    return {str: "String", int: "Long", bool: "Bool"}.get(annotation)


def _is_optional(annotation: Any) -> bool:
    if get_origin(annotation) is Annotated:
        return _is_optional(get_args(annotation)[0])
    return get_origin(annotation) in (Union, types.UnionType) and type(None) in get_args(annotation)


def _names(words: Iterable[str]) -> str:
    return json.dumps([*dict.fromkeys(words)])
