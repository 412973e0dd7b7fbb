"""The fields of a kind, from the cluster's OpenAPI v3: one document per group version, cached by its hash."""

import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kmcp_runtime import not_found
from kmcp_runtime.kube.api import KubeApi
from kmcp_runtime.kube.discovery import Kind

# The documents of large groups are megabytes once parsed, so only the last used ones are kept.
MOST_DOCUMENTS = 6
# The API server names the kind of a definition with this extension; the definition's own name is no contract.
_KINDS = "x-kubernetes-group-version-kind"
_ITEM = re.compile(r"\[[^\]]*\]")
Definitions = Mapping[str, Any]


@dataclass(frozen=True)
class Schema:
    """One node of a schema, with the definitions that its references name."""

    node: Mapping[str, Any]
    definitions: Definitions

    @property
    def reference(self) -> str:
        """The name of the definition that this node refers to; empty when it has none."""
        # OpenAPI 3.0 ignores the siblings of a $ref, so beside a description the API server puts it in allOf.
        references = [part["$ref"] for part in (self.node, *(self.node.get("allOf") or ())) if "$ref" in part]
        return references[0].rsplit("/", 1)[-1] if references else ""

    @property
    def resolved(self) -> "Schema":
        """The node with what it refers to; its own description and default win."""
        if not self.reference:
            return self
        own = {key: value for key, value in self.node.items() if key not in ("$ref", "allOf")}
        return Schema({**self.definitions.get(self.reference, {}), **own}, self.definitions).resolved

    @property
    def description(self) -> str:
        return str(self.resolved.node.get("description") or "")

    @property
    def required(self) -> list[str]:
        return list(self.resolved.node.get("required") or ())

    @property
    def enum(self) -> list[Any]:
        return list(self.resolved.node.get("enum") or ())

    @property
    def properties(self) -> dict[str, "Schema"]:
        found = self.resolved.node.get("properties") or {}
        return {name: Schema(node, self.definitions) for name, node in found.items()}

    @property
    def items(self) -> "Schema | None":
        """What a list holds, or the values of a map."""
        # additionalProperties may also be `true`, which says nothing about the values: hence the check for a mapping.
        node = self.resolved.node.get("items") or self.resolved.node.get("additionalProperties")
        return Schema(node, self.definitions) if isinstance(node, dict) and node else None

    @property
    def is_map(self) -> bool:
        return isinstance(self.resolved.node.get("additionalProperties"), dict)

    @property
    def is_open(self) -> bool:
        """Whether it takes fields that it does not describe."""
        return self.resolved.node.get("x-kubernetes-preserve-unknown-fields") is True

    @property
    def inside(self) -> "Schema":
        """The object whose fields a path continues with: lists and maps are skipped."""
        schema = self
        while not schema.properties and schema.items is not None:
            schema = schema.items
        return schema

    @property
    def type(self) -> str:
        """As `kubectl explain` says it: `string`, `[]Container`, `map[string]string`, `IntOrString`."""
        node = self.resolved.node
        if self.items is not None and (node.get("items") or self.is_map):
            return f"{'map[string]' if self.is_map else '[]'}{self.items.type}"
        # Custom kinds use the extension, built-in ones the format.
        if node.get("x-kubernetes-int-or-string") or node.get("format") == "int-or-string":
            return "IntOrString"
        named = self.reference.rsplit(".", 1)[-1]
        return named or str(node.get("type") or ("object" if self.properties else "any"))

    def walk(self, depth: int, prefix: str = "") -> Iterator[tuple[str, "Schema", bool]]:
        """Fields by their path below this node, each before what is in it, and whether they are required."""
        required = self.inside.required
        for name, field in self.inside.properties.items():
            yield f"{prefix}{name}", field, name in required
            # The depth also ends schemas that contain themselves, as JSONSchemaProps does.
            if depth > 1:
                yield from field.walk(depth - 1, f"{prefix}{name}.")

    def at(self, parts: Sequence[str]) -> "tuple[Schema, Sequence[str]]":
        """The deepest node on the way, and the parts that it does not have."""
        schema = self
        for number, part in enumerate(parts):
            field = schema.inside.properties.get(part)
            if field is None:
                return schema, parts[number:]
            schema = field
        return schema, ()


class OpenApi:
    """The schemas of one cluster."""

    def __init__(self, api: KubeApi) -> None:
        self._api = api
        self._documents: OrderedDict[str, Definitions] = OrderedDict()

    async def read_schema(self, kind: Kind) -> Schema:
        definitions = await self._read_definitions(kind)
        wanted = {"group": kind.group, "version": kind.version, "kind": kind.kind}
        for node in definitions.values():
            if wanted in (node.get(_KINDS) or ()):
                return Schema(node, definitions)
        raise not_found(f"the API server publishes no schema for {kind.kind} in {kind.api_version}")

    async def _read_definitions(self, kind: Kind) -> Definitions:
        # Read each time: it is small, and only the index knows which hash each document has now.
        index = await self._api.get("/openapi/v3")
        entry = (index.get("paths") or {}).get(document_of(kind))
        if entry is None:
            raise not_found(f"the API server publishes no OpenAPI document for {kind.api_version}")
        # The URL carries the hash of the document (KEP-2896), so a changed schema never meets an old entry.
        url = str(entry["serverRelativeURL"])
        if url not in self._documents:
            document = await self._api.get(url)
            self._documents[url] = (document.get("components") or {}).get("schemas") or {}
            while len(self._documents) > MOST_DOCUMENTS:
                self._documents.popitem(last=False)
        self._documents.move_to_end(url)
        return self._documents[url]


def document_of(kind: Kind) -> str:
    """The document's key in the index."""
    # The core group has no name in a path: it is under api/, every other one under apis/.
    return f"apis/{kind.api_version}" if kind.group else f"api/{kind.version}"


def path_parts(path: str) -> list[str]:
    """`.spec.containers[0].image` and `spec.containers[name="a"].image` as field names."""
    return [part for part in _ITEM.sub("", path).split(".") if part]
