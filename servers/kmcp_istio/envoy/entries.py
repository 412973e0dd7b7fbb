"""One object of a proxy's configuration: its row, the fields that filters compare, and the object itself."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel


@dataclass(frozen=True)
class Entry:
    """A row and the object behind it; several rows may belong to one object."""

    name: str
    row: BaseModel
    raw: Any
    ports: frozenset[int] = frozenset()
    hosts: str = ""
    """A text that contains every host that it is about."""


@dataclass(frozen=True)
class Filter:
    """What a caller wants to see; an empty field matches everything."""

    name: str | None = None
    port: int | None = None
    fqdn: str | None = None

    def keeps(self, entry: Entry) -> bool:
        return (
            (not self.name or self.name.lower() in entry.name.lower())
            and (not self.port or self.port in entry.ports)
            and (not self.fqdn or self.fqdn.lower() in entry.hosts.lower())
        )

    def of(self, entries: Iterable[Entry]) -> list[Entry]:
        return [entry for entry in entries if self.keeps(entry)]


def objects(entries: Sequence[Entry]) -> list[Any]:
    """The objects behind the entries, each once."""
    # By identity: two equal objects of Envoy are still two, and the rows of one object share it.
    return list({id(entry.raw): entry.raw for entry in entries}.values())
