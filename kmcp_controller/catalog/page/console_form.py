"""The form by which a tool is called, made from its schema: one input for each argument that has a simple form."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from kmcp_controller.catalog.console_rules import DRY_RUN, Way, ways_of
from kmcp_controller.catalog.foreign import mapping, text

from .schemas import required_of

Kind = Literal["text", "lines", "number", "choice", "json", "any"]
_MOST = 60
"""Inputs: nobody fills in more, and a schema may have thousands. The others can be given as JSON."""
_CHOICES = 500
_HOPS = 8
_LONG = re.compile(r"\b(yaml|json|manifest|patch|query|script|sql|text)\b", re.IGNORECASE)
_SIMPLE: Mapping[str, Kind] = {"string": "text", "integer": "number", "number": "number"}


@dataclass(frozen=True)
class Input:
    """One argument. `choices` are JSON texts, as the values of `choice` are; `step` is that of a number."""

    name: str
    kind: Kind
    required: bool
    description: str
    default: str
    choices: tuple[str, ...] = ()
    step: str = ""
    minimum: str = ""
    maximum: str = ""
    longest: str = ""


@dataclass(frozen=True)
class Form:
    """`rehearsal`: always sent with `dry_run`; `more`: arguments without an input; `id` changes with any of it."""

    ways: frozenset[Way]
    inputs: tuple[Input, ...]
    more: int
    takes_others: bool
    rehearsal: bool
    id: str


def form_of(tool: Mapping[str, Any]) -> Form:
    """Required arguments first, then in the order of the schema."""
    schema, ways = mapping(tool["inputSchema"]), ways_of(tool)
    properties, needed = mapping(schema.get("properties")), set(required_of(schema))
    rehearsal = ways == {"rehearsal"}
    names = [name for name in properties if not (rehearsal and name == DRY_RUN)]
    names.sort(key=lambda name: name not in needed)
    inputs = tuple(_input(name, properties[name], name in needed, schema) for name in names[:_MOST])
    others = schema.get("additionalProperties")
    digest = hashlib.sha256(json.dumps([tool["name"], schema, sorted(ways)], default=str).encode()).hexdigest()
    return Form(ways, inputs, len(names) - len(inputs), others is True or bool(mapping(others)), rehearsal, digest[:16])


def _input(name: str, schema: Any, required: bool, root: Mapping[str, Any]) -> Input:
    field = _resolved(schema, root)
    description = text(mapping(schema).get("description")) or text(field.get("description"))
    default = field["default"] if field.get("default") is not None else mapping(schema).get("default")
    shown = "" if default is None else default if isinstance(default, str) else json.dumps(default, ensure_ascii=False)
    values = [field["const"]] if "const" in field else field.get("enum")
    if field.get("type") == "boolean":
        values = [True, False]
    if isinstance(values, list) and 0 < len(values) <= _CHOICES:
        choices = tuple(json.dumps(each, ensure_ascii=False) for each in values)
        return Input(name, "choice", required, description, shown, choices)
    kind = _kind(field, description)
    limits = {key: _number(field.get(key)) for key in ("minimum", "maximum", "maxLength")}
    step = ("1" if field.get("type") == "integer" else "any") if kind == "number" else ""
    return Input(
        name, kind, required, description, shown, (), step, limits["minimum"], limits["maximum"], limits["maxLength"]
    )


def _kind(field: Mapping[str, Any], description: str) -> Kind:
    kind = field.get("type")
    if kind in ("array", "object"):
        return "json"
    found = _SIMPLE.get(kind, "any") if isinstance(kind, str) else "any"
    return "lines" if found == "text" and _LONG.search(description) else found


def _resolved(schema: Any, root: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a reference within the schema points to, and the one type beside null. Bounded: it may point to itself."""
    field = mapping(schema)
    for _ in range(_HOPS):
        parts = field.get("anyOf", field.get("oneOf"))
        given = [mapping(each) for each in parts] if isinstance(parts, list) else []
        present = [each for each in given if each.get("type") != "null"]
        if isinstance(reference := field.get("$ref"), str):
            field = _pointed(reference, root)
        elif len(present) == 1:
            field = {**present[0], **{key: field[key] for key in ("default", "description") if key in field}}
        elif isinstance(field.get("type"), list):
            types = [each for each in field["type"] if each != "null"]
            return {**field, "type": types[0] if len(types) == 1 else None}
        else:
            return field
    return {}


def _pointed(reference: str, root: Mapping[str, Any]) -> Mapping[str, Any]:
    if not reference.startswith("#/"):
        return {}
    found: Any = root
    for part in reference[2:].split("/"):
        found = mapping(found).get(part.replace("~1", "/").replace("~0", "~"))
    return mapping(found)


def _number(value: Any) -> str:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""
