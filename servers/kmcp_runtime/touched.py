"""The objects that a call met by name: read, changed, or looked at for a plan; for the audit, with their uid."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

_MOST = 50
METADATA_ALONE = "PartialObjectMetadata"


@dataclass(frozen=True)
class Object:
    """An object of the cluster; `namespace` is empty for those of none, `kind` where only metadata was asked for."""

    kind: str
    namespace: str
    name: str
    uid: str


_met: ContextVar[dict[str, Object] | None] = ContextVar("objects_that_the_call_met", default=None)


@contextmanager
def noting() -> Iterator[None]:
    """Collect what the call inside meets."""
    token = _met.set({})
    try:
        yield
    finally:
        _met.reset(token)


def note(found: Any) -> None:
    """Note what the API server answered, if it is a single object with a uid; outside of a call nothing is noted.

    After a deletion it answers with a Status, whose details name the object.
    """
    met = _met.get()
    if met is None or len(met) >= _MOST or not isinstance(found, Mapping):
        return
    kind, metadata = found.get("kind"), found.get("metadata")
    if kind == "Status":
        metadata = found.get("details")
        kind = metadata.get("kind") if isinstance(metadata, Mapping) else None
    if not isinstance(metadata, Mapping) or not metadata.get("uid"):
        return
    if kind == METADATA_ALONE:
        kind = ""
    known = met.get(str(metadata["uid"]))
    if known is None or (not known.kind and kind):
        parts = (kind, metadata.get("namespace"), metadata.get("name"), metadata["uid"])
        met[str(metadata["uid"])] = Object(*(str(part or "") for part in parts))


def found() -> list[Object]:
    """What the call under way has met so far, each once, in that order."""
    return list((_met.get() or {}).values())
