"""Applying and creating manifests: where each document goes, what happened to it, and what a dry run could not check.

Namespaces and CustomResourceDefinitions go first. A dry run does not really create them, so documents in such a
namespace or of such a kind are reported as `created`, with a warning that the server could not check them.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from pydantic import BaseModel, Field

from kmcp_kubernetes.client import Kube, Place
from kmcp_kubernetes.writing import additions, client_side_apply
from kmcp_kubernetes.writing.field_ownership import given_up
from kmcp_kubernetes.writing.refusals import explain_refusal, is_conflict_with_oneself
from kmcp_runtime import Diff, ToolFailure, bad_argument, check_name, check_namespace, conflict, redaction
from kmcp_runtime.echoes import shortened
from kmcp_runtime.kube import objects, request_effects, secret_values
from kmcp_runtime.kube.discovery import Kind
from kmcp_runtime.kube.failures import StatusFailure
from kmcp_runtime.kube.manifests import Document, first_things_first
from kmcp_runtime.worker import run_in_thread

DIFF_LINES = 500
"""Diff lines in one answer, shared among its documents, so that the result of each always fits."""
_LINES_OF_AN_ITEM = 4
_FEWEST_LINES = 5
MOST_WITH_DIFFS = 10
"""Documents that are answered with their diffs; of more each is a line."""
# A new kind is served only some time after its definition was created (condition Established).
_ESTABLISHED_SECONDS = 20.0
_LOOK_AGAIN_SECONDS = 0.5
_TAKEOVERS = 5
"""Tries, as many as kubectl's."""
_MADE_HERE = "Namespace", "CustomResourceDefinition"


class Fault(BaseModel):
    """Why a document failed."""

    code: str
    message: str
    hint: str | None = None


class Written(BaseModel):
    """What happened to one document."""

    kind: str
    api_version: str
    name: str
    namespace: str | None = None
    result: Literal["created", "configured", "unchanged", "failed"]
    diff: Diff | None = Field(default=None, description="Unified diff, without managedFields")
    error: Fault | None = None


@dataclass
class Batch:
    """The documents of one call."""

    kube: Kube
    documents: Sequence[Document]
    namespace: str | None
    """Namespace of the documents that do not name one."""
    dry_run: bool
    argument: str = "manifest"
    warnings: list[str] = field(default_factory=list)
    items: list[Written] = field(default_factory=list)
    added: bool = False
    """Whether the API server added what no diff shows."""
    written_places: list[tuple[Place, str]] = field(default_factory=list)
    """Where objects were applied, and their names."""
    _diffs: dict[str, Diff] = field(default_factory=dict)
    _made: set[tuple[str, str]] = field(default_factory=set)
    """Namespaces and kinds that this call made: `("Namespace", name)`, `("Kind", group/kind)`."""

    def __post_init__(self) -> None:
        self.documents = first_things_first(list(self.documents))
        for document in self.documents:
            _check_names(document, self._named(document))
            # Server-side apply refuses an object that brings its own managedFields.
            document.content["metadata"].pop("managedFields", None)

    async def apply(self, force: bool) -> None:
        """Apply every document, whatever happens to the others; the failure of a single document is raised."""
        await self._check_namespaces()
        for done, document in enumerate(self.documents):
            await self.kube.call.progress(done, len(self.documents), f"{document.kind} {document.name}")
            try:
                item = await self._apply_one(document, force)
            except ToolFailure as failure:
                if len(self.documents) == 1:
                    raise
                item = self._item(document, self._namespace_of(document), "failed", error=failure)
            self._take(document, item)

    async def create(self) -> None:
        """Create the documents in order, up to the first failure; it is raised when nothing was created before it."""
        await self._check_namespaces()
        contents = {self._named(document): document.content for document in self.documents}
        await run_in_thread(redaction.refuse_marks, contents, "there is no live value yet")
        for done, document in enumerate(self.documents):
            await self.kube.call.progress(done, len(self.documents), f"{document.kind} {document.name}")
            try:
                item = await self._create_one(document)
            except ToolFailure as failure:
                if not self.items:
                    raise
                self.items.append(self._item(document, self._namespace_of(document), "failed", error=failure))
                break
            self._take(document, item)

    async def _check_namespaces(self) -> None:
        """Refuse, before any request that writes, a document of another namespace than the argument's, as kubectl."""
        for document in self.documents:
            if not self.namespace or document.namespace in (None, self.namespace):
                continue
            try:
                kind = await self.kube.discovery.find_kind(document.api_version, document.kind)
            except ToolFailure:
                kind = None  # of a kind that this manifest defines, as far as anybody knows now
            if kind is None or kind.namespaced:
                raise bad_argument(
                    f"{self._named(document)} is of namespace {document.namespace}, and the argument namespace says "
                    f"{self.namespace}",
                    "leave out namespace, or correct the manifest",
                )

    @property
    def changed(self) -> bool:
        return any(item.result in ("created", "configured") for item in self.items)

    def _take(self, document: Document, item: Written) -> None:
        self.items.append(item)
        if item.result == "failed":
            return
        if document.kind == "Namespace":
            self._made.add(("Namespace", document.name))
        elif document.kind == "CustomResourceDefinition":
            spec = document.content.get("spec") or {}
            self._made.add(("Kind", f"{spec.get('group')}/{(spec.get('names') or {}).get('kind')}"))

    async def _apply_one(self, document: Document, force: bool) -> Written:
        place = await self._find_place(document)
        if place is None:
            content = {self._named(document): document.content}
            await run_in_thread(redaction.refuse_marks, content, "there is no live value yet")
            return self._unrehearsed(document, None, "its kind")
        # Read before the write: the diff and the warning about given-up fields need the old state.
        before = await objects.find(self.kube.api, place.kind, document.name, place.namespace)
        if objects.is_secret(place.kind):
            _refuse_oracles(document, before, force)
        sent = await self._restore(document, before)
        try:
            if before is not None:
                await self._foresee_takeover(place, sent, before, force)
            after = await self._take_over(place, sent, await self._send_patch(place, sent, force), force)
        except StatusFailure as failure:
            if self._lacks_its_namespace(failure, place):
                return self._unrehearsed(document, place, "its namespace")
            raise await self._explain(failure, place) from None
        warning = given_up(before, after)
        if warning:
            self.warnings.append(warning)
        self.written_places.append((place, document.name))
        diff = self._diff(place.kind, before, after, document)
        result = "created" if before is None else "configured" if diff.changed else "unchanged"
        return self._item(document, place.namespace, result, diff)

    async def _restore(self, document: Document, before: objects.Object | None) -> Document:
        """The document with the live values where it repeats the marks that an answer showed."""
        live = before and objects.slim(before)
        content = await run_in_thread(redaction.restore, document.content, live, self._named(document))
        return replace(document, content=content)

    def _named(self, document: Document) -> str:
        return f"{self.argument}: document {document.number} ({document.kind})"

    async def _send_patch(
        self, place: Place, document: Document, force: bool, *, dry_run: bool = False
    ) -> objects.Object:
        dry_run = dry_run or self.dry_run
        try:
            return await self._send(place, document, force, dry_run)
        except StatusFailure as failure:
            # Fields that this server has set by other tools are its own: only those of others are a conflict.
            if force or not is_conflict_with_oneself(failure):
                raise
            return await self._send(place, document, True, dry_run)

    async def _foresee_takeover(self, place: Place, document: Document, before: objects.Object, force: bool) -> None:
        """Judge what is lost by the takeover as a whole: none of its requests alone shows that before the first."""
        if client_side_apply.migrated(before) is not None:
            rehearsed = await self._send_patch(place, document, force, dry_run=True)
            request_effects.judge_steps(before, client_side_apply.foreseen(rehearsed), self.dry_run)

    async def _send(self, place: Place, document: Document, force: bool, dry_run: bool) -> objects.Object:
        return await objects.patch(
            self.kube.api,
            place.kind,
            document.name,
            place.namespace,
            document.content,
            "apply",
            dry_run=dry_run,
            force=force,
        )

    async def _take_over(self, place: Place, document: Document, after: objects.Object, force: bool) -> objects.Object:
        """The object once what a client-side apply of kubectl owned is this server's, as `--server-side` does it."""
        if client_side_apply.migrated(after) is None:
            return after
        if self.dry_run:
            return client_side_apply.foreseen(after)
        for left in reversed(range(_TAKEOVERS)):
            operations = client_side_apply.takeover(after)
            try:
                await objects.patch(self.kube.api, place.kind, document.name, place.namespace, operations, "json")
                break
            except StatusFailure as failure:
                if failure.http_status != 409 or not left:
                    raise
            # Its controller has written to it meanwhile.
            after = await objects.read(self.kube.api, place.kind, document.name, place.namespace)
        return await self._send_patch(place, document, force)

    async def _create_one(self, document: Document) -> Written:
        place = await self._find_place(document)
        if place is None:
            return self._unrehearsed(document, None, "its kind")
        try:
            after = await objects.create(
                self.kube.api, place.kind, place.namespace, document.content, dry_run=self.dry_run
            )
        except StatusFailure as failure:
            if self._lacks_its_namespace(failure, place):
                return self._unrehearsed(document, place, "its namespace")
            raise await self._explain(failure, place) from None
        item = self._item(document, place.namespace, "created", self._diff(place.kind, None, after, document))
        # With generateName only the answer has the name.
        item.name = str(after["metadata"].get("name") or document.name)
        return item

    async def _explain(self, failure: StatusFailure, place: Place) -> ToolFailure:
        """As of a read, a namespace that is not there comes with the names that are near."""
        absent = failure.http_status == 404 and place.namespace
        if absent and await self.kube.namespace_is_missing(absent):
            return await self.kube.explain_missing_namespace(absent)
        return await explain_refusal(failure, self.kube.openapi, place.kind)

    async def _find_place(self, document: Document) -> Place | None:
        """Where the document goes; None in a dry run when its kind is created by this manifest."""
        deadline = time.monotonic() + _ESTABLISHED_SECONDS
        made = ("Kind", f"{document.api_version.rpartition('/')[0]}/{document.kind}") in self._made
        while True:
            try:
                kind = await self.kube.discovery.find_kind(document.api_version, document.kind)
                return self.kube.scoped(kind, self._namespace_of(document) if kind.namespaced else None)
            except ToolFailure as failure:
                if failure.code != "not_found" or not made or time.monotonic() > deadline:
                    raise
                if self.dry_run:
                    return None
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    def _namespace_of(self, document: Document) -> str | None:
        return document.namespace or self.namespace

    def _lacks_its_namespace(self, failure: StatusFailure, place: Place) -> bool:
        details = failure.status.get("details") or {}
        absent = failure.http_status == 404 and details.get("kind") == "namespaces"
        return absent and self.dry_run and ("Namespace", place.namespace) in self._made

    def _unrehearsed(self, document: Document, place: Place | None, lacks: str) -> Written:
        self.warnings.append(
            f"{document.kind} {document.name} could not be checked: {lacks} is created by this manifest; "
            "the real run will check it"
        )
        namespace = place.namespace if place else self._namespace_of(document)
        return self._item(document, namespace, "created", self._limited(None, _covered(document)))

    def _diff(self, kind: Kind, before: objects.Object | None, after: objects.Object, document: Document) -> Diff:
        if objects.is_secret(kind):
            before, after = secret_values.cover(before, after, secret_values.sent_keys(document.content, before))
        old, new = before and written(kind, before), written(kind, after)
        meant = additions.as_meant(document.content, old, new)
        self.added = self.added or meant != new
        diff = self._limited(old, meant)
        # What the server alone has changed is a change all the same.
        return diff if diff.changed or before is None or old == new else self._limited(old, new)

    def _limited(self, before: Any, after: Any) -> Diff:
        count = len(self.documents)
        return Diff(before, after, most_lines=max((DIFF_LINES - _LINES_OF_AN_ITEM * count) // count, 0))

    @property
    def diffs(self) -> dict[str, Diff] | None:
        """Of many documents those that changed what was there; each has a line of its own among the items."""
        if not self._diffs:
            return None
        share = max((DIFF_LINES - len(self.documents)) // len(self._diffs), _FEWEST_LINES)
        for diff in self._diffs.values():
            diff.most_lines = share
        return self._diffs

    def _item(
        self,
        document: Document,
        namespace: str | None,
        result: Any,
        diff: Diff | None = None,
        error: ToolFailure | None = None,
    ) -> Written:
        fault = error and Fault(code=error.code, message=shortened(error.message, document.content), hint=error.hint)
        shown = diff if diff is not None and diff.changed and diff.most_lines != 0 else None
        if len(self.documents) > MOST_WITH_DIFFS:
            # One line for an object; what is created is in the manifest.
            if shown and result == "configured":
                self._diffs[f"{document.kind} {namespace}/{document.name}" if namespace else document.name] = shown
            shown = None
        return Written(
            kind=document.kind,
            api_version=document.api_version,
            name=document.name,
            namespace=namespace,
            result=result,
            diff=shown,
            error=fault,
        )


def _covered(document: Document) -> objects.Object:
    """The document as its diff shows it when no server has seen it."""
    if document.kind != "Secret":
        return document.content
    return secret_values.cover(None, document.content, secret_values.sent_keys(document.content, None))[1]


def _refuse_oracles(document: Document, before: objects.Object | None, force: bool) -> None:
    """Refuse, whatever the values are, what the API server would refuse only for values that differ."""
    sent = secret_values.sent_keys(document.content, before)
    secret_values.refuse_probe(f"Secret {document.name}", before, sent)
    owners = {} if force else secret_values.owners_elsewhere(before, sent, objects.FIELD_MANAGER)
    if owners:
        fields = "; ".join(f".data.{key} ({owner})" for key, owner in sorted(owners.items()))
        raise conflict(
            f"other field managers own what the manifest sets: {fields}",
            "leave these fields out, or repeat with force=true, which takes them over",
        )


def _check_names(document: Document, where: str) -> None:
    """Refuse names that could lead to another path of the API, before any request is sent."""
    try:
        if document.name:
            check_name(document.name)
        if document.namespace:
            check_namespace(document.namespace)
    except ValueError as error:
        raise bad_argument(f"{where}: {error}") from None


def written(kind: Kind, found: Mapping[str, Any]) -> objects.Object:
    """The object as a caller writes it: without the server's own fields, and without the controllers' status."""
    kept = objects.comparable(found)
    if "status" in kind.subresources:
        kept.pop("status", None)
    return kept


def named(documents: Sequence[Document], argument: str) -> Sequence[Document]:
    """Refuse objects without a name: server-side apply cannot generate one."""
    for document in documents:
        if not document.name:
            where = f"{argument}: document {document.number} (line {document.line})"
            raise bad_argument(
                f"{where}, a {document.kind}, has no metadata.name",
                "k8s_create_resource accepts generateName",
            )
    return documents
