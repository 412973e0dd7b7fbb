"""What is read from a list of tools, without calling any. Pure."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kmcp_runtime import redaction
from kmcp_runtime.catalog import tokens_of
from kmcp_runtime.catalog.model import TOOL_NAME
from kmcp_runtime.foreign.schema_forms import schema_fault

from .report import Finding

Tool = Mapping[str, Any]
_LARGEST_TOOL = 1000
_NUMBER_OR_BOOLEAN = re.compile(r"(?:true|false|yes|no|[+-]?\d+(?:\.\d+)?)", re.IGNORECASE)
_TRACE = re.compile(
    r'Traceback \(most recent call last\)|File \\*"/|\n\s+at [\w.$]+ ?\(|goroutine \d+ \[|/home/\w|/Users/\w'
)
_HINTS = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")
_SHORT = 20


def check_list(tools: Sequence[Tool], budget: int) -> Iterator[Finding]:
    """Every fault of the tools as they are listed (`tools/list`, keys in camelCase)."""
    if not tools:
        yield Finding("connects", "error", "it lists no tool")
    for name, count in Counter(str(tool.get("name")) for tool in tools).items():
        if count > 1:
            yield Finding("names", "error", f"listed {count} times", name)
    for tool in tools:
        yield from _name(tool)
        yield from _descriptions(tool)
        yield from _schemas(tool)
        yield from _portability(tool)
        yield from _hints(tool)
        yield from leaks(json.dumps(tool, ensure_ascii=False), str(tool.get("name")))
    yield from _budget(tools, budget)


def _name(tool: Tool) -> Iterator[Finding]:
    name = str(tool.get("name", ""))
    if not TOOL_NAME.fullmatch(name):
        yield Finding("names", "error", "a name has 1 to 64 of A-Z, a-z, 0-9, _ and -, or models refuse it", name[:80])


def _descriptions(tool: Tool) -> Iterator[Finding]:
    name, description = str(tool.get("name")), tool.get("description") or ""
    if not description.strip():
        yield Finding("descriptions", "error", "it has no description", name)
    elif len(description) < _SHORT:
        yield Finding(
            "descriptions", "warning", f"{description!r} says too little: what it does and when to use it", name
        )
    for argument, schema in _properties(tool).items():
        if isinstance(schema, Mapping) and not schema.get("description"):
            yield Finding("descriptions", "warning", f"argument {argument} has no description", name)


def _schemas(tool: Tool) -> Iterator[Finding]:
    name = str(tool.get("name"))
    schema = tool.get("inputSchema")
    if not isinstance(schema, Mapping) or schema.get("type") != "object":
        yield Finding("schemas", "error", "inputSchema is not the schema of an object", name)
    elif fault := schema_fault(schema):
        yield Finding("schemas", "error", f"inputSchema: {fault}", name)
    for argument, each in _properties(tool).items():
        typed = isinstance(each, Mapping) and {"type", "anyOf", "oneOf", "allOf", "enum", "const", "$ref"} & each.keys()
        if not typed:
            yield Finding("schemas", "warning", f"argument {argument} has no type", name)
    output = tool.get("outputSchema")
    if output is None:
        yield Finding("schemas", "warning", "it has no outputSchema: clients cannot rely on what it answers", name)
    elif not isinstance(output, Mapping) or output.get("type") != "object":
        yield Finding("schemas", "error", "outputSchema is not the schema of an object", name)
    elif fault := schema_fault(output):
        yield Finding("schemas", "error", f"outputSchema: {fault}", name)


def _portability(tool: Tool) -> Iterator[Finding]:
    """What converters of agent frameworks are known to lose or to fail on."""
    name, schema = str(tool.get("name")), tool.get("inputSchema")
    nodes = list(_nodes(schema))
    if any("$ref" in node for node in nodes):
        yield Finding("portability", "warning", "inputSchema has a $ref, which some frameworks do not follow", name)
    if any(isinstance(node.get("type"), list) for node in nodes):
        yield Finding("portability", "warning", "inputSchema has a list of types; use anyOf", name)
    # At the top `false` says that nothing else is taken, and every framework reads it.
    if any(isinstance(node.get("additionalProperties"), bool) for node in nodes[1:]):
        yield Finding("portability", "warning", "a part of inputSchema has a boolean additionalProperties", name)
    for argument, each in _properties(tool).items():
        words = [each.get("default"), *(each.get("enum") or ())] if isinstance(each, Mapping) else []
        if odd := [word for word in words if isinstance(word, str) and _NUMBER_OR_BOOLEAN.fullmatch(word)]:
            text = f"argument {argument} has the text {odd[0]!r}, which converters turn into a number or a boolean"
            yield Finding("portability", "warning", text, name)


def _hints(tool: Tool) -> Iterator[Finding]:
    name, hints = str(tool.get("name")), tool.get("annotations") or {}
    absent = [hint for hint in _HINTS if hints.get(hint) is None]
    if "readOnlyHint" in absent or (not hints.get("readOnlyHint") and "destructiveHint" in absent):
        yield Finding("hints", "warning", f"without {', '.join(absent)}: clients must take it for destructive", name)
    if hints.get("readOnlyHint") is True and hints.get("destructiveHint") is True:
        yield Finding("hints", "error", "readOnlyHint and destructiveHint are both true", name)


def _budget(tools: Sequence[Tool], budget: int) -> Iterator[Finding]:
    figures = {str(tool.get("name")): tokens(tool) for tool in tools}
    if figures and sum(figures.values()) > budget * len(figures):
        average = sum(figures.values()) / len(figures)
        text = f"{average:.0f} tokens a tool on average, the budget is {budget}: shorten descriptions and schemas"
        yield Finding("budget", "warning", text)
    for name, count in figures.items():
        if count > _LARGEST_TOOL:
            yield Finding("budget", "warning", f"{count} tokens of one tool; split it, or shorten its schema", name)


def leaks(text: str, tool: str = "") -> Iterator[Finding]:
    """What must not leave: values of the shape of a secret, traces of a program, places of a user's machine."""
    if redaction.text(text) != text:
        yield Finding("leaks", "error", "holds something of the shape of a secret", tool)
    if found := _TRACE.search(text):
        yield Finding("leaks", "error", f"tells how the server is made: {found[0].strip()[:60]!r}", tool)


def tokens(tool: Tool) -> int:
    return tokens_of(str(tool.get("name", "")), str(tool.get("description") or ""), tool.get("inputSchema"))


def _properties(tool: Tool) -> Mapping[str, Any]:
    schema = tool.get("inputSchema")
    found = schema.get("properties") if isinstance(schema, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _nodes(schema: Any) -> Iterator[Mapping[str, Any]]:
    """Every object of a schema, the outermost first; without recursion, for a foreign schema may be of any depth."""
    waiting = [schema]
    while waiting:
        each = waiting.pop(0)
        if isinstance(each, Mapping):
            yield each
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
