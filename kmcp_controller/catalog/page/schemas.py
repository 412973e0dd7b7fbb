"""A JSON Schema as people read it: a table of its fields, and a call as an example."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from kmcp_controller.catalog.foreign import mapping, text

_DEEPEST = 4
_ROWS = 200
_SHORTEST = 40  # values of an enumeration beyond these are counted


@dataclass(frozen=True)
class Field:
    """One argument, or one field of a result; `name` is its path."""

    name: str
    type: str
    required: bool
    description: str
    limits: str


def fields_of(schema: Any) -> list[Field]:
    """Of an object; empty for what is no such schema. What is nested stands below, by its path."""
    return list(islice(_walk(schema, "", 0), _ROWS))


def example_of(schema: Any) -> dict[str, Any]:
    """Arguments that the schema takes: those that it requires, by example, default, or a value of the type."""
    properties = mapping(mapping(schema).get("properties"))
    return {name: _value(mapping(properties.get(name)), name, 0) for name in required_of(schema)}


def required_of(schema: Any) -> list[str]:
    """Names of the arguments that it requires, in its order; of what is no such schema none."""
    required = mapping(schema).get("required")
    return [name for name in required if isinstance(name, str)] if isinstance(required, list) else []


def _walk(schema: Any, above: str, depth: int) -> Iterator[Field]:
    properties = mapping(mapping(schema).get("properties"))
    needed = set(required_of(schema))
    for name, inner in properties.items():
        field = mapping(inner)
        path = f"{above}{name}"
        yield Field(path, _type(field), name in needed, text(field.get("description")), _limits(field))
        if depth < _DEEPEST:
            items = mapping(field.get("items"))
            yield from _walk(field, f"{path}.", depth + 1)
            yield from _walk(items, f"{path}[].", depth + 1)


def _type(field: Mapping[str, Any]) -> str:
    kind = field.get("type")
    if isinstance(kind, list):
        return " or ".join(str(each) for each in kind)
    if kind == "array":
        return f"array of {_type(mapping(field.get('items')))}"
    for key in ("anyOf", "oneOf"):
        if isinstance(parts := field.get(key), list):
            return " or ".join(dict.fromkeys(_type(mapping(part)) for part in parts))
    return kind if isinstance(kind, str) else "any"


def _limits(field: Mapping[str, Any]) -> str:
    found = []
    if isinstance(values := field.get("enum"), list):
        more = f", and {len(values) - _SHORTEST} more" if len(values) > _SHORTEST else ""
        found.append("one of " + ", ".join(str(value) for value in values[:_SHORTEST]) + more)
    names = {"minimum": "≥", "maximum": "≤", "minLength": "length ≥", "maxLength": "length ≤", "pattern": "matches"}
    found += [f"{sign} {field[key]}" for key, sign in names.items() if isinstance(field.get(key), str | int | float)]
    if field.get("default") is not None:
        found.append(f"default {field['default']}")
    return "; ".join(found)


def _value(field: Mapping[str, Any], name: str, depth: int) -> Any:
    examples, values = field.get("examples"), field.get("enum")
    for known in (examples, values):
        if isinstance(known, list) and known:
            return known[0]
    if field.get("default") is not None:
        return field["default"]
    kind = field.get("type")
    kind = kind[0] if isinstance(kind, list) and kind else kind
    if kind == "object":
        return example_of(field) if depth < _DEEPEST else {}
    if kind == "array":
        return [_value(mapping(field.get("items")), name, depth + 1)] if depth < _DEEPEST else []
    plain: dict[str, Any] = {"integer": field.get("minimum", 1), "number": field.get("minimum", 1), "boolean": True}
    return plain.get(str(kind), f"<{name}>")
