"""Values that a JSON Schema of ours allows: the keywords that the tools' input schemas use, and no others."""

import math
import re
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from tests.hostile import hostile_texts

Schema = Mapping[str, Any]
_LARGEST = 10**12


def values_of(schema: Schema, root: Schema | None = None) -> st.SearchStrategy[Any]:
    """Any value of the schema; `root` holds its definitions."""
    root = root or schema
    if "$ref" in schema:
        return values_of(root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root)
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return st.one_of([values_of(each, root) for each in schema[several]])
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kind = schema.get("type")
    if isinstance(kind, list):
        return st.one_of([values_of({**schema, "type": each}, root) for each in kind])
    return _OF_TYPE[kind](schema, root)


def _json(schema: Schema, root: Schema) -> st.SearchStrategy[Any]:
    leaf = (
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | hostile_texts()
    )
    return st.recursive(
        leaf,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=6,
    )


def _text(schema: Schema, root: Schema) -> st.SearchStrategy[str]:
    least, most = schema.get("minLength", 0), schema.get("maxLength", 10**9)
    if "pattern" in schema:
        return st.from_regex(re.compile(str(schema["pattern"])), fullmatch=False).filter(
            lambda text: least <= len(text) <= most
        )
    plain = st.text(min_size=least, max_size=min(most, max(least, 40)))
    return plain | hostile_texts().filter(lambda text: least <= len(text) <= most)


def _integer(schema: Schema, root: Schema) -> st.SearchStrategy[int]:
    least, most = _limits(schema)
    return st.integers(
        math.floor(least) + ("exclusiveMinimum" in schema), math.ceil(most) - ("exclusiveMaximum" in schema)
    )


def _number(schema: Schema, root: Schema) -> st.SearchStrategy[float]:
    least, most = _limits(schema)
    return st.floats(
        least, most, exclude_min="exclusiveMinimum" in schema, exclude_max="exclusiveMaximum" in schema
    ) | _integer(schema, root)


def _limits(schema: Schema) -> tuple[float, float]:
    least = schema.get("minimum", schema.get("exclusiveMinimum", -_LARGEST))
    return least, schema.get("maximum", schema.get("exclusiveMaximum", _LARGEST))


def _array(schema: Schema, root: Schema) -> st.SearchStrategy[list[Any]]:
    least = schema.get("minItems", 0)
    return st.lists(
        values_of(schema.get("items") or {}, root), min_size=least, max_size=min(schema.get("maxItems", 99), least + 3)
    )


def _object(schema: Schema, root: Schema) -> st.SearchStrategy[dict[str, Any]]:
    properties = {name: values_of(each, root) for name, each in schema.get("properties", {}).items()}
    needed = {name: properties.pop(name) for name in schema.get("required", ())}
    known = st.fixed_dictionaries(needed, optional=properties)
    more = schema.get("additionalProperties", not properties and not needed)
    if more is False:
        return known
    others = st.dictionaries(
        hostile_texts() | st.text(max_size=8), values_of(more if isinstance(more, dict) else {}, root), max_size=3
    )
    return st.builds(lambda free, named: {**free, **named}, others, known)


_OF_TYPE = {
    None: _json,
    "string": _text,
    "integer": _integer,
    "number": _number,
    "boolean": lambda schema, root: st.booleans(),
    "null": lambda schema, root: st.none(),
    "array": _array,
    "object": _object,
}
