"""JSON Schemas as models read them: no references, titles or nullable wrappers, nothing that costs tokens in vain.

Their form is one that the converters of agent frameworks take, too (`tests/frameworks`): some fail, for a whole server,
at `additionalProperties: false` and at a list of types. A call with an unknown argument is refused all the same.
"""

import json
from functools import lru_cache, reduce
from operator import or_
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo

JsonSchema = dict[str, Any]
_KEPT = 1_024
UNPUBLISHED = "kmcp-unpublished"
"""Marks an argument that is accepted and not shown."""


def described(annotation: Any) -> Any:
    """`Annotated[str, "What it is"]` as pydantic takes it: a plain text is the description, at any depth of a union."""
    if get_origin(annotation) in (Union, UnionType):
        return reduce(or_, (described(option) for option in get_args(annotation)))
    if get_origin(annotation) is not Annotated:
        return annotation
    kind, *metadata = get_args(annotation)
    return Annotated[
        (described(kind), *(Field(description=each) if isinstance(each, str) else each for each in metadata))
    ]


def published(model: type[BaseModel]) -> list[str]:
    """The arguments that a caller is told of."""
    return [name for name, field in model.model_fields.items() if not _is_hidden(field)]


def _is_hidden(field: FieldInfo) -> bool:
    return isinstance(field.json_schema_extra, dict) and UNPUBLISHED in field.json_schema_extra


def input_schema(model: type[BaseModel]) -> JsonSchema:
    """The arguments' schema: `{type: object, properties, required?}`. What it does not name is refused in a call."""
    found: JsonSchema = json.loads(_input_text(model))
    return found


def output_schema(model: type[BaseModel]) -> JsonSchema:
    """A result's schema. Fields that may be absent are not required; nested objects allow what a backend adds."""
    found: JsonSchema = json.loads(_output_text(model))
    return found


# A list is made for each caller whose scopes narrow it, and pydantic takes milliseconds for each schema. The text is
# kept, and each caller of these functions gets an object of its own.
@lru_cache(maxsize=_KEPT)
def _input_text(model: type[BaseModel]) -> str:
    schema = _tidy(_generated(model), strict=True)
    schema.pop("description", None)
    shown = published(model)
    schema["properties"] = {name: value for name, value in schema.get("properties", {}).items() if name in shown}
    return json.dumps({key: schema[key] for key in ("type", "properties", "required") if key in schema})


@lru_cache(maxsize=_KEPT)
def _output_text(model: type[BaseModel]) -> str:
    schema: JsonSchema = _tidy(_generated(model), strict=False)
    schema.pop("description", None)
    return json.dumps(schema)


def _generated(model: type[BaseModel]) -> JsonSchema:
    raw = model.model_json_schema(mode="validation", by_alias=True)
    definitions = raw.pop("$defs", {})
    resolved = _resolve(raw, definitions, ())
    assert isinstance(resolved, dict)
    return resolved


def _resolve(node: Any, definitions: JsonSchema, open_names: tuple[str, ...]) -> Any:
    if isinstance(node, list):
        return [_resolve(item, definitions, open_names) for item in node]
    if not isinstance(node, dict):
        return node
    reference = node.get("$ref")
    if isinstance(reference, str):
        name = reference.rsplit("/", 1)[-1]
        if name in open_names:  # A type that holds itself ends here.
            return {"type": "object"}
        rest = {key: value for key, value in node.items() if key != "$ref"}
        return {**_resolve(definitions[name], definitions, (*open_names, name)), **rest}
    return {key: _resolve(value, definitions, open_names) for key, value in node.items()}


def _tidy(node: Any, *, strict: bool, inside_properties: bool = False) -> Any:
    if isinstance(node, list):
        return [_tidy(item, strict=strict) for item in node]
    if not isinstance(node, dict):
        return node
    if inside_properties:
        return {name: _tidy(item, strict=strict) for name, item in node.items()}
    node = _without_null({key: value for key, value in node.items() if key != "title"})
    if node.get("default", ...) in (None, False):
        del node["default"]  # What an absent argument means anyway.
    if isinstance(node.get("additionalProperties"), bool):
        del node["additionalProperties"]
    if not strict:
        node.pop("default", None)
    return {
        key: value
        if key in ("default", "enum", "const", "required", "examples")
        else _tidy(value, strict=strict, inside_properties=key == "properties")
        for key, value in node.items()
    }


def _without_null(node: JsonSchema) -> JsonSchema:
    """`anyOf [X, null]` as X: an absent argument is how a caller says null."""
    options = node.get("anyOf")
    if not isinstance(options, list):
        return node
    kept = [option for option in options if option != {"type": "null"}]
    rest = {key: value for key, value in node.items() if key != "anyOf"}
    if len(kept) == 1:
        return {**{key: value for key, value in kept[0].items() if key != "title"}, **rest}
    return {**rest, "anyOf": kept}
