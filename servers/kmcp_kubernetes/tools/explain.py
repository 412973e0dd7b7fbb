"""What fields a kind has."""

import re
from typing import Annotated, Any

from pydantic import BaseModel, Field

from kmcp_kubernetes.arguments import ResourceType
from kmcp_kubernetes.client import Kube
from kmcp_kubernetes.openapi import Schema, path_parts
from kmcp_runtime import Effect, Result, bad_argument, did_you_mean, not_found, quoted_list, tool

_LONGEST_FIELD = 200
_NO_FIELDS = "This field has no fields of its own."
_ANY_FIELDS = "It takes any field: its schema describes none."
_SENTENCE = re.compile(r"(.+?[.!?])(?:\s|$)", re.DOTALL)


class FieldEntry(BaseModel):
    """One field; `name` is its path below the explained one."""

    name: str
    type: str
    description: str
    required: bool | None = None
    enum: list[Any] | None = None


class Explained(Result):
    """A kind or one of its fields, and the fields in it."""

    cuttable = "fields"

    kind: str
    api_version: str
    path: str
    type: str
    description: str
    required: list[str]
    enum: list[Any] | None = None
    fields: list[FieldEntry]
    truncated: bool | None = Field(default=None, description="True when fields were left out")


@tool(Effect.READ, extra=True)
async def k8s_explain(
    kube: Kube,
    resource_type: ResourceType,
    field_path: Annotated[str | None, "Such as spec.template.spec"] = None,
    depth: Annotated[int, "Levels of fields", Field(ge=1, le=5)] = 1,
) -> Explained:
    """Show the fields of a kind, types and descriptions, before writing a manifest or patch."""
    kind = await kube.discovery.resolve(resource_type)
    whole = await kube.openapi.read_schema(kind)
    parts = path_parts(field_path or "")
    # kubectl takes `deployment.spec`, so callers write the kind in front.
    if parts and parts[0].lower() in kind.names() and parts[0] not in whole.properties:
        parts = parts[1:]
    schema = _at(whole, parts)
    inside = schema.inside
    return Explained(
        kind=kind.kind,
        api_version=kind.api_version,
        path=".".join(parts),
        type=schema.type if parts else kind.kind,
        description=schema.description or inside.description,
        required=inside.required,
        enum=schema.enum or None,
        fields=_fields(schema, depth),
        hint=None if inside.properties else _NO_FIELDS if not inside.is_open else _ANY_FIELDS,
    )


def _at(whole: Schema, parts: list[str]) -> Schema:
    schema, missing = whole.at(parts)
    if not missing:
        return schema
    there = parts[: len(parts) - len(missing)]
    known = list(schema.inside.properties)
    where = f"{'.'.join(there)} ({schema.type})" if there else "this kind"
    meant = did_you_mean(missing[0], known)
    if schema.inside.is_open and not meant:
        raise not_found(
            f"field_path: {where} takes any field, and its schema does not describe {missing[0]!r}",
            "k8s_get_resource_yaml shows what an object of this kind has there",
        )
    raise bad_argument(
        f"field_path: {where} has no field {missing[0]!r}",
        meant or (f"its fields: {_some(known)}" if known else "it has no fields"),
    )


def _some(names: list[str], most: int = 60) -> str:
    return quoted_list(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _fields(schema: Schema, depth: int) -> list[FieldEntry]:
    return [
        FieldEntry(
            name=path,
            type=field.type,
            description=_short(field.description),
            required=required or None,
            enum=field.enum or None,
        )
        for path, field, required in schema.walk(depth)
    ]


def _short(description: str) -> str:
    """The first sentence: `field_path` shows the whole."""
    text = " ".join(description.split())
    sentence = _SENTENCE.match(text)
    text = sentence[1] if sentence else text
    return text if len(text) <= _LONGEST_FIELD else f"{text[:_LONGEST_FIELD]}…"
