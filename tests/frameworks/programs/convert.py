"""Converts tools as one agent framework does, in that framework's own environment, and reports what gets lost.

usage: convert.py FRAMEWORK < tools.json   (a list of `{name, description, inputSchema}`; prints a list of faults)
"""

import contextlib
import copy
import json
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

Json = dict[str, Any]
Converter = Callable[[Json], Json | None]
"""From a tool to the JSON Schema that the framework makes of its arguments; None where it keeps the schema itself."""


def of_google_genai() -> Converter:
    convert, tool = import_module("google.genai._mcp_utils").mcp_to_gemini_tool, import_module("mcp.types").Tool

    def converted(given: Json) -> Json:
        declaration = convert(tool(**given)).function_declarations[0]
        found: Json = declaration.parameters.model_dump(mode="json", exclude_none=True)
        return found

    return converted


def of_google_adk() -> Converter:
    convert = import_module("google.adk.tools._gemini_schema_util")._to_gemini_schema
    return lambda given: convert(given["inputSchema"]).model_dump(mode="json", exclude_none=True)


def of_openai_agents() -> Converter:
    convert = import_module("agents.strict_schema").ensure_strict_json_schema
    refused = import_module("agents.exceptions").UserError

    def converted(given: Json) -> Json | None:
        # What strict mode cannot have (a map of free names) the framework sends as it is, not strict.
        with contextlib.suppress(refused):
            found: Json = convert(copy.deepcopy(given["inputSchema"]))
            return found | {"required": given["inputSchema"].get("required", [])}
        return None

    return converted


def of_autogen() -> Converter:
    convert = import_module("autogen_core.utils").schema_to_pydantic_model
    return lambda given: convert(given["inputSchema"]).model_json_schema()


def of_mcpadapt() -> Converter:
    convert = import_module("mcpadapt.utils.modeling").create_model_from_json_schema
    adapter = import_module("pydantic").TypeAdapter

    def converted(given: Json) -> Json:
        model = convert(given["inputSchema"])
        # What it writes into the schema of its model (enums) hides the types by which arguments are checked.
        written = model.model_json_schema()["properties"]
        fields = {name: (field, adapter(field.annotation).json_schema()) for name, field in model.model_fields.items()}
        return {
            "properties": {
                name: schema | {"description": each.description, **_enum(written[name])}
                for name, (each, schema) in fields.items()
            },
            "required": [name for name, (each, _) in fields.items() if each.is_required()],
        }

    return converted


def _enum(written: Json) -> Json:
    return {"anyOf": None, "type": "string", "enum": written["enum"]} if written.get("enum") else {}


def of_llama_index() -> Converter:
    spec = import_module("llama_index.tools.mcp.base").McpToolSpec(client=None)

    def converted(given: Json) -> Json:
        model = spec.create_model_from_json_schema(given["inputSchema"], model_name=given["name"])
        found: Json = model.model_json_schema()
        return found

    return converted


def of_langchain() -> Converter:
    convert = import_module("langchain_mcp_adapters.tools").convert_mcp_tool_to_langchain_tool
    sent = import_module("langchain_core.utils.function_calling").convert_to_openai_tool
    tool = import_module("mcp.types").Tool
    connection = {"transport": "stdio", "command": "none", "args": []}

    def converted(given: Json) -> Json:
        found: Json = sent(convert(None, tool(**given), connection=connection))["function"]["parameters"]
        return found

    return converted


def of_pydantic_ai(profile: str, name: str) -> Converter:
    """It hands the schema to the model's own transformer."""
    transformer = getattr(import_module(f"pydantic_ai.profiles.{profile}"), name)

    def converted(given: Json) -> Json:
        found: Json = transformer(copy.deepcopy(given["inputSchema"])).walk()
        return found

    return converted


CONVERTERS: dict[str, Callable[[], Converter]] = {
    "google-genai": of_google_genai,
    "google-adk": of_google_adk,
    "openai-agents": of_openai_agents,
    "autogen-core": of_autogen,
    "mcpadapt": of_mcpadapt,
    "llama-index-tools-mcp": of_llama_index,
    "langchain-mcp-adapters": of_langchain,
    "pydantic-ai (OpenAI)": lambda: of_pydantic_ai("openai", "OpenAIJsonSchemaTransformer"),
    "pydantic-ai (Google)": lambda: of_pydantic_ai("google", "GoogleJsonSchemaTransformer"),
}


def faults(tool: Json, convert: Converter) -> Iterator[str]:
    given = tool["inputSchema"]
    try:
        found = convert(tool)
    except Exception as error:  # whatever a framework raises keeps its user from the tool
        yield f"{tool['name']}: {type(error).__name__}: {error}"
        return
    if found is None:
        return
    properties = found.get("properties") or {}
    for name, wanted in given["properties"].items():
        if name not in properties:
            yield f"{tool['name']}.{name}: lost"
        elif properties[name].get("description") != wanted.get("description"):
            yield f"{tool['name']}.{name}: another description"
        else:
            yield from (f"{tool['name']}.{name}: {each}" for each in changed(wanted, properties[name], found))
    if sorted(found.get("required") or []) != sorted(given.get("required") or []):
        yield f"{tool['name']}: other arguments are required"


def changed(wanted: Json, found: Json, whole: Json) -> Iterator[str]:
    """What of types and enums is not the same."""
    options = [each for each in options_of(found, whole) if each.get("type") not in ("null", "NULL")]
    types = {str(each.get("type", "string" if "enum" in each or "const" in each else "")).lower() for each in options}
    for each in wanted.get("anyOf") or [wanted]:
        if str(each.get("type", "string")) not in types and types != {""}:
            yield f"type {each.get('type')} became {sorted(types)}"
    values = {str(value) for each in options for value in each.get("enum") or [each.get("const")]}
    if "enum" in wanted and values != {str(value) for value in wanted["enum"]}:
        yield f"enum became {sorted(values)}"


def options_of(found: Json, whole: Json) -> list[Json]:
    reference = str(found.get("$ref", "")).rpartition("/")[2]
    if reference:
        return options_of(whole["$defs"][reference], whole)
    inner = found.get("anyOf") or found.get("any_of")
    return [each for option in inner for each in options_of(option, whole)] if inner else [found]


if __name__ == "__main__":
    converter = CONVERTERS[sys.argv[1]]()
    print(json.dumps([fault for tool in json.load(sys.stdin) for fault in faults(tool, converter)]))
