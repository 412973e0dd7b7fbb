"""Labels and annotations: read and written alone, without the rest of the object."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from kmcp_kubernetes.client import Kube, Place
from kmcp_kubernetes.writing.refusals import explain_refusal
from kmcp_runtime import Diff, Result, conflict, redaction
from kmcp_runtime.kube.failures import StatusFailure
from kmcp_runtime.kube.objects import CONTENT_TYPES, FIELD_MANAGER, write_query

# Metadata alone: it works for every kind, and the content of a Secret never leaves the API server.
_ALONE = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
# A blank separates pairs only before the next `key=`: values of annotations have blanks.
_NEXT_PAIR = re.compile(r"[\s,]+(?=[^\s=,]+=)")
_LONGEST_SHOWN = 256
Pairs = dict[str, str]
What = Literal["labels", "annotations"]


class Difference(BaseModel):
    """One key that changed; `from` is absent for a new one, `to` for a removed one."""

    model_config = ConfigDict(serialize_by_alias=True)

    key: str
    was: str | None = Field(default=None, alias="from")
    to: str | None = None


class Marked(Result):
    """The object whose metadata was written."""

    kind: str
    name: str
    namespace: str | None = None
    result: str = Field(description="changed, or unchanged")
    changed: list[Difference]
    diff: Diff | None = Field(default=None, description="Unified diff of the labels or annotations")
    resource_version: str | None = None
    dry_run: bool | None = Field(default=None, description="True when nothing was changed")


def read_pairs(given: Any) -> Any:
    """`a=b c=d` as a mapping; a value goes on up to the next `key=`, spaces included."""
    if not isinstance(given, str):
        return given
    pairs = {}
    for part in _NEXT_PAIR.split(given.strip().strip(",")):
        key, separator, value = part.partition("=")
        if not separator or not key:
            raise ValueError(f"{part!r} is not key=value: give an object of keys and values")
        pairs[key] = value
    return pairs


@dataclass(frozen=True)
class Marking:
    """Labels or annotations of one object, before and after."""

    place: Place
    name: str
    what: What
    before: Mapping[str, str]
    after: Mapping[str, str]
    resource_version: str
    dry_run: bool

    def shown(self) -> Pairs:
        """The present labels or annotations; kubectl's copy of the object is left out, long values are cut."""
        return {key: _shown(key, value) for key, value in self.after.items() if key != redaction.LAST_APPLIED}

    def fields(self) -> dict[str, Any]:
        """The fields of `Marked`."""
        keys = [key for key in {**self.before, **self.after} if self.before.get(key) != self.after.get(key)]
        return {
            "kind": self.place.kind.kind,
            "name": self.name,
            "namespace": self.place.namespace,
            "result": "changed" if keys else "unchanged",
            "changed": [self._difference(key) for key in keys],
            "diff": Diff({self.what: dict(self.before)}, {self.what: dict(self.after)}) if keys else None,
            "resource_version": self.resource_version,
            "dry_run": self.dry_run or None,
        }

    def _difference(self, key: str) -> Difference:
        was, to = self.before.get(key), self.after.get(key)
        fields = {"key": key, "from": was and _shown(key, was), "to": to and _shown(key, to)}
        return Difference.model_validate(fields)


async def put(
    kube: Kube, place: Place, name: str, what: What, pairs: Pairs, *, overwrite: bool, dry_run: bool
) -> Marking:
    """Set keys; one that has another value is refused unless `overwrite`."""
    before = await kube.read(place, name, accept=_ALONE)
    present = _pairs(before, what)
    taken = {key: present[key] for key, value in pairs.items() if present.get(key, value) != value}
    if taken and not overwrite:
        values = ", ".join(f"{key}={_shown(key, value)}" for key, value in taken.items())
        raise conflict(f"{place.kind.kind} {name} already has other values: {values}", "overwrite=true replaces them")
    return await _write(kube, place, name, what, present, dict(pairs), dry_run)


async def remove(kube: Kube, place: Place, name: str, what: What, key: str, *, dry_run: bool) -> Marking:
    """Remove a key; an absent key is not a failure."""
    before = await kube.read(place, name, accept=_ALONE)
    return await _write(kube, place, name, what, _pairs(before, what), {key: None}, dry_run)


async def _write(
    kube: Kube, place: Place, name: str, what: What, before: Pairs, patch: Mapping[str, str | None], dry_run: bool
) -> Marking:
    query = [*write_query(dry_run, strict=True), ("fieldManager", FIELD_MANAGER)]
    path = place.kind.path(place.namespace, name)
    try:
        after = await kube.api.send("PATCH", path, query, {"metadata": {what: patch}}, CONTENT_TYPES["merge"], _ALONE)
    except StatusFailure as failure:
        raise await explain_refusal(failure, kube.openapi, place.kind) from None
    version = str(after["metadata"].get("resourceVersion", ""))
    return Marking(place, name, what, before, _pairs(after, what), version, dry_run)


def _pairs(found: Mapping[str, Any], what: What) -> Pairs:
    return dict((found.get("metadata") or {}).get(what) or {})


def _shown(key: str, value: str) -> str:
    """One value, redacted according to its key."""
    safe = str(redaction.value({key: value})[key])
    return safe if len(safe) <= _LONGEST_SHOWN else f"{safe[:_LONGEST_SHOWN]}… ({len(safe)} characters)"
