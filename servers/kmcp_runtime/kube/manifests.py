"""Manifests: YAML or JSON documents, read as Kubernetes reads them; every failure names its line."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kmcp_runtime import yaml_text
from kmcp_runtime.errors import ToolFailure, bad_argument, too_large
from kmcp_runtime.kube import manifest_text

LARGEST_MANIFEST = 3 * 1024 * 1024
"""Bytes; the API server takes 3 MiB in a request."""
# Everything else may be in the one, or of the kind that the other defines.
_FIRST_KINDS = ("Namespace", "CustomResourceDefinition")


@dataclass(frozen=True)
class Document:
    """One object of a manifest and its place there."""

    number: int
    line: int
    content: dict[str, Any]

    @property
    def api_version(self) -> str:
        return str(self.content["apiVersion"])

    @property
    def kind(self) -> str:
        return str(self.content["kind"])

    @property
    def name(self) -> str:
        return str(self.content["metadata"].get("name") or "")

    @property
    def namespace(self) -> str | None:
        found = self.content["metadata"].get("namespace")
        return str(found) if found else None


def parse(text: str, argument: str = "manifest") -> list[Document]:
    """Every object of a manifest in the order of the text; nothing is returned unless all of it can be read."""
    if len(text.encode()) > LARGEST_MANIFEST:
        raise too_large(
            f"{argument}: {len(text.encode()) >> 20} MiB is more than the API server takes in a request (3 MiB)",
            "split it into several calls",
        )
    documents = list(_documents(text, argument))
    if not documents:
        raise bad_argument(
            f"{argument}: it contains no document", "give YAML or JSON with apiVersion, kind and metadata.name"
        )
    return documents


def first_things_first(documents: list[Document]) -> list[Document]:
    """Namespaces and CRDs before what may live in them; otherwise the order of the text."""
    return sorted(documents, key=lambda document: document.kind not in _FIRST_KINDS)


def parse_value(text: str, argument: str) -> Any:
    """A single YAML or JSON value, as for patches."""
    try:
        values = manifest_text.json_values(text.removeprefix("\ufeff"))
        return values[0][1] if values is not None and len(values) == 1 else yaml_text.read(text)
    except yaml_text.YamlError as error:
        raise _broken(error, argument) from None


def _documents(text: str, argument: str) -> Iterator[Document]:
    number = 0
    try:
        for line, content in manifest_text.documents(text):
            for item in _items(content):
                number += 1
                yield _checked(item, number, line, argument)
    except yaml_text.YamlError as error:
        raise _broken(error, argument, number + 1) from None


def _items(content: Any) -> Iterator[Any]:
    """A list is its items, as kubectl takes it; those of a `ConfigMapList` need not say what they are."""
    kind = content.get("kind") if isinstance(content, dict) else None
    items = content.get("items") if isinstance(kind, str) and kind.endswith("List") else None
    if not isinstance(items, list):
        yield content
        return
    for item in items:
        if isinstance(item, dict) and not item.get("kind") and not item.get("apiVersion") and kind != "List":
            of_list = {"apiVersion": content.get("apiVersion"), "kind": str(kind).removesuffix("List")}
            yield from _items({**item, **of_list})
        else:
            yield from _items(item)


def _checked(content: Any, number: int, line: int, argument: str) -> Document:
    where = f"{argument}: document {number} (line {line})"
    if not isinstance(content, dict):
        raise bad_argument(
            f"{where} is not an object but {type(content).__name__}", "each document needs apiVersion and kind"
        )
    for key in ("apiVersion", "kind"):
        if not isinstance(content.get(key), str) or not content[key]:
            raise bad_argument(f"{where} has no {key}", "each document needs apiVersion, kind and metadata.name")
    metadata = content.get("metadata")
    if not isinstance(metadata, dict) or not (metadata.get("name") or metadata.get("generateName")):
        raise bad_argument(f"{where}, a {content['kind']}, has no metadata.name", "name the object")
    return Document(number, line, content)


def _broken(error: yaml_text.YamlError, argument: str, number: int = 1) -> ToolFailure:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    problem = getattr(error, "problem", None) or str(error)
    # What the whole text was refused for knows its document; else it is the one after those that were read.
    number = getattr(error, "document", number)
    return bad_argument(f"{argument}: document {number}{place}: {problem}", "nothing was changed; correct the YAML")
