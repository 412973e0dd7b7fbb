"""The pages of tools: one for each server, and one that lists them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kmcp_runtime.catalog import Rule, ServerEntry, ToolEntry, strongest
from kmcp_runtime.declaration import DEFAULT_TIMEOUT_SECONDS, ToolSpec
from kmcp_runtime.publish import entry
from kmcp_runtime.reference import readme
from kmcp_runtime.reference.markdown import code, codes, table
from kmcp_runtime.reference.markdown import page as joined
from kmcp_runtime.reference.rights import group
from kmcp_runtime.server import Server

COMMON = ("approval", "cursor", "dry_run")
"""Arguments with one meaning in every tool, described once: on each page they would only hide the tool's own."""
_ABOUT = """\
Every tool of the suite, by server. A page shows for each tool its arguments, its effect, the rights that it needs and
what it was verified against."""
_EFFECTS = """\
## Effects

| Effect | Meaning |
| --- | --- |
| read | Changes nothing. Offered by a read-only server. |
| write | Changes something that can be changed back or repeated. |
| destroy | Loses something. Changes nothing without [approval](../../concepts/safety.md#approval). |

Where an argument decides the effect, the page lists the effect of each of its values: a read-only server offers the
reading values alone, and approval is asked for where the value destroys.

Tools marked *extra* are additions to the registry of tool names that other suites share; `KMCP_EXTRAS=false` leaves
them out."""
_VERIFIED = {
    "agent": "an agent of the product alone, without the rest of it",
    "cli": "the command line of the product",
    "stand-in": "a stand-in for the backend, built from its documentation",
}


def overview(servers: Sequence[Server]) -> str:
    rows = (
        (f"[{server.title}]({server.name}.md)", server.description, readme.count(server), readme.needed(server))
        for server in servers
    )
    heads = ("Server", "What it does", "Tools + extras", "Needs")
    return joined("# Tools", _ABOUT, table(heads, rows), _EFFECTS, _common(servers))


def _common(servers: Sequence[Server]) -> str:
    """The common arguments in the words of the schemas, of which the most usual is taken."""
    rows = []
    for name in COMMON:
        said = [
            schema["description"]
            for server in servers
            for declared in server.tools()
            if (schema := declared.input_schema()["properties"].get(name))
        ]
        rows.append((code(name), max(said, key=said.count)))
    return f"## Arguments of many tools\n\n{table(('Argument', 'Meaning'), rows)}"


def page(server: Server) -> str:
    described = entry(server)
    declared = {each.name: each for each in server.tools()}
    return joined(
        f"# {server.title}",
        server.description,
        _facts(server, described),
        table(
            ("Tool", "Effect", "What it does"),
            (
                (f"[`{tool.name}`](#{tool.name})", f"{effect(tool)}{_extra(declared[tool.name])}", tool.description)
                for tool in described.tools
            ),
        ),
        *(part for tool in described.tools for part in _tool(tool, declared[tool.name])),
    )


def _facts(server: Server, described: ServerEntry) -> str:
    tokens = sum(tool.tokens for tool in described.tools)
    return (
        f"Program and image `{server.full_name}` · port {server.port} · needs {readme.needed(server)} · "
        f"a model reads {tokens:,} tokens (bytes / 4) of all its tools · [settings](../settings.md)"
    )


def _extra(declared: ToolSpec) -> str:
    return ", *extra*" if declared.extra else ""


def effect(tool: ToolEntry) -> str:
    """The effect in a word, or the strongest one of the values that decide it."""
    if not tool.actions:
        return (tool.effect or tool.strongest_effect).value
    effects = set(tool.actions.values())
    return strongest(effects).value if len(effects) == 1 else f"up to {strongest(effects).value}"


def _tool(tool: ToolEntry, declared: ToolSpec) -> Iterator[str]:
    yield f"## `{tool.name}`"
    yield tool.description
    yield " · ".join(_about(tool, declared))
    arguments = tool.input_schema.get("properties") or {}
    own = {name: schema for name, schema in arguments.items() if name not in COMMON}
    if own:
        yield _arguments(own, tool.input_schema.get("required") or (), tool.input_schema.get("$defs") or {})
    if common := [name for name in COMMON if name in arguments]:
        yield f"Also {codes(common)}: see [arguments of many tools](index.md#arguments-of-many-tools)."
    if tool.actions:
        yield _actions(tool.actions)
    if tool.needs:
        yield f"Rights: {'; '.join(_right(rule) for rule in tool.needs)}."


def _about(tool: ToolEntry, declared: ToolSpec) -> Iterator[str]:
    yield f"Effect: {effect(tool)}"
    if declared.timeout != DEFAULT_TIMEOUT_SECONDS:
        yield f"deadline: {declared.timeout:.0f} s at least"
    if declared.extra:
        yield "extra"
    if tool.when and tool.when != "KMCP_EXTRAS is not false":
        yield f"offered when {tool.when}"
    if tool.aliases:
        yield f"also called {codes(tool.aliases)}"
    if tool.verified in _VERIFIED:
        version = f" ({tool.against})" if tool.against else ""
        yield f"verified against {_VERIFIED[tool.verified]}{version}{f': {tool.why}' if tool.why else ''}"
    else:
        yield f"verified against the real backend{f' ({tool.against})' if tool.against else ''}"


def _arguments(arguments: Mapping[str, Any], required: Sequence[str], definitions: Mapping[str, Any]) -> str:
    rows = (
        (code(name), kind(schema, definitions), _default(schema, name in required), schema.get("description", ""))
        for name, schema in arguments.items()
    )
    return table(("Argument", "Type", "Default", "Meaning"), rows)


def kind(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """The type of an argument in words: its values where they are few, the items of an array, null left out."""
    if "$ref" in schema:
        return kind(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if schema.get("enum"):
        return codes("null" if value is None else value for value in schema["enum"])
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(kind(one, definitions) for one in options if one.get("type") != "null"))
    types = schema.get("type", "any")
    names = [name for name in (types if isinstance(types, list) else [types]) if name != "null"]
    if names == ["array"] and schema.get("items"):
        return f"array of {kind(schema['items'], definitions)}"
    return " or ".join(names)


def _default(schema: Mapping[str, Any], required: bool) -> str:
    if required:
        return "required"
    value = schema.get("default")
    if value is None:
        return ""
    return code(str(value).lower() if isinstance(value, bool) else value) if value != "" else '`""`'


def _actions(actions: Mapping[str, Any]) -> str:
    by_effect: dict[str, list[str]] = {}
    for name, one in actions.items():
        by_effect.setdefault(one.value, []).append(name)
    return table(("Effect", "Values"), ((name, codes(values)) for name, values in by_effect.items()))


def _right(rule: Rule) -> str:
    return f"{codes(rule.verbs)} on {codes(rule.resources)} ({group(rule)})"
