"""The catalog that servers are compared with, as it is now: whoever holds it sees the next one, too."""

from collections.abc import Iterator, Mapping
from typing import Protocol

from kmcp_runtime.catalog import Catalog, ServerEntry


class References(Protocol):
    """What a server is compared with: a Catalog, or the current one."""

    @property
    def version(self) -> str: ...
    @property
    def servers(self) -> Mapping[str, ServerEntry]: ...


class CurrentCatalog(Mapping[str, ServerEntry]):
    """The entries by name, and the version of the whole."""

    def __init__(self, catalog: Catalog | None = None) -> None:
        self._catalog = catalog or Catalog(name="none", version="0", servers={})

    def replace(self, catalog: Catalog) -> None:
        self._catalog = catalog

    @property
    def version(self) -> str:
        return self._catalog.version

    @property
    def servers(self) -> Mapping[str, ServerEntry]:
        return self._catalog.servers

    def __getitem__(self, name: str) -> ServerEntry:
        return self._catalog.servers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._catalog.servers)

    def __len__(self) -> int:
        return len(self._catalog.servers)
