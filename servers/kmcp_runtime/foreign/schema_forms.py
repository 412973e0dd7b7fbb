"""Whether a JSON Schema that somebody else wrote has the form of one. Pure."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

_TYPES = frozenset({"null", "boolean", "object", "array", "number", "integer", "string"})
_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_COUNTS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
BY_NAME = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
INNER = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames")


LARGEST_SCHEMA = 32 << 10
"""Bytes of one schema, as JSON."""


def object_fault(schema: Any) -> str:
    """What is wrong with a schema of an object's members; empty where it can be relied on."""
    if not isinstance(schema, dict) or schema.get("type") != "object":
        return "is not a JSON Schema of an object"
    if len(json.dumps(schema)) > LARGEST_SCHEMA:
        return f"is larger than {LARGEST_SCHEMA >> 10} KiB"
    if any(not reference.startswith("#") for reference in _references(schema)):
        return "refers to another document"
    fault = schema_fault(schema)
    return f"is malformed: {fault}" if fault else ""


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (value for key, value in node.items() if key in ("$ref", "$dynamicRef") and isinstance(value, str))
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


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
    for key in BY_NAME:
        yield from ((f"{key}/{name}", inner) for name, inner in schema.get(key, {}).items())
    for key in LISTS:
        yield from ((f"{key}/{index}", inner) for index, inner in enumerate(schema.get(key, ())))
    yield from ((key, schema[key]) for key in INNER if key in schema)


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
    **dict.fromkeys(BY_NAME, _is_map),
    **dict.fromkeys(LISTS, _is_list),
}
