"""The objects of an installation of Istio, and what applying them would change."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

from kmcp_istio.client import Mesh
from kmcp_runtime import Rendered, ToolFailure, bad_argument, write_yaml
from kmcp_runtime.kube import objects
from kmcp_runtime.kube.manifests import Document

_FIELD_MANAGER = "istio-operator"
"""The field manager of istioctl: a rehearsal under another name would meet conflicts."""
_ADDED_LABELS = ("operator.istio.io/", "install.operator.istio.io/", "istio.io/rev")
_AT_ONCE = 8
SEPARATOR = "---\n"
Outcome = Literal["created", "configured", "unchanged", "failed"]


class Named(BaseModel):
    """One object of a manifest."""

    kind: str
    name: str
    namespace: str | None = None


@dataclass(frozen=True)
class Drafted:
    """A rendered manifest and its warnings."""

    documents: Sequence[Document]
    warnings: list[str]


def named(document: Document) -> Named:
    return Named(kind=document.kind, name=document.name, namespace=document.namespace)


def of_kinds(documents: Sequence[Document], kinds: Sequence[str]) -> list[Document]:
    """The documents of some kinds; `bad_argument` for another kind lists those of the manifest."""
    present = {document.kind.lower(): document.kind for document in documents}
    for kind in kinds:
        if kind.lower() not in present:
            raise bad_argument(f"kinds: the manifest has no {kind!r}", f"kinds: {', '.join(sorted(present.values()))}")
    wanted = {kind.lower() for kind in kinds}
    return [document for document in documents if not kinds or document.kind.lower() in wanted]


class Yaml(Rendered):
    """Objects as the documents of one YAML text."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self.documents = documents

    def render(self, redact: Callable[[Any], Any]) -> str:
        return SEPARATOR.join(write_yaml(redact(document.content)) for document in self.documents)


class Rehearsed(BaseModel):
    """What applying the objects of one kind would do, as counts."""

    kind: str
    created: int = 0
    configured: int = 0
    unchanged: int = 0
    failed: int = 0


async def rehearse(mesh: Mesh, documents: Iterable[Document]) -> tuple[list[Rehearsed], list[str]]:
    """What a server-side dry run of every object would change, by kind, and what the API server refuses."""
    # An installation has dozens of objects; the API server's own limits should not be reached by one call.
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(document: Document) -> tuple[Outcome, str | None]:
        async with slots:
            return await _rehearse_one(mesh, document)

    every = list(documents)
    outcomes = await asyncio.gather(*(one(document) for document in every))
    by_kind: dict[str, Rehearsed] = {}
    for document, (outcome, _) in zip(every, outcomes, strict=True):
        row = by_kind.setdefault(document.kind, Rehearsed(kind=document.kind))
        setattr(row, outcome, getattr(row, outcome) + 1)
    return list(by_kind.values()), [refusal for _, refusal in outcomes if refusal]


async def _rehearse_one(mesh: Mesh, document: Document) -> tuple[Outcome, str | None]:
    try:
        kind = await mesh.discovery.find_kind(document.api_version, document.kind)
        before = await objects.find(mesh.api, kind, document.name, document.namespace)
        after = await objects.patch(
            mesh.api,
            kind,
            document.name,
            document.namespace,
            document.content,
            "apply",
            dry_run=True,
            # istioctl takes conflicting fields over as well.
            force=True,
            strict=False,
            field_manager=_FIELD_MANAGER,
        )
    except ToolFailure as failure:
        if failure.code == "not_found":  # Its kind or its namespace is part of the same manifest.
            return "created", None
        return "failed", f"{document.kind} {document.name}: {failure.message}"
    if before is None:
        return "created", None
    return ("unchanged" if _written(before) == _written(after) else "configured"), None


def _written(found: Mapping[str, Any]) -> Any:
    """The object without its status and without the labels that istioctl adds while it installs."""
    kept = {key: value for key, value in objects.comparable(found).items() if key != "status"}
    labels = kept["metadata"].get("labels") or {}
    own = {key: value for key, value in labels.items() if not key.startswith(_ADDED_LABELS)}
    return {**kept, "metadata": {**kept["metadata"], "labels": own}}
