"""Where the catalogs that servers are compared with come from: files, folders of parts, pinned addresses and artifacts.

Each is looked at again while the controller runs. What cannot be read is told, and the last that could be stays.
"""

import asyncio
import base64
import gzip
import hashlib
import logging
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

from kmcp_controller.catalog.configmaps import LABEL, LARGEST
from kmcp_controller.catalog.current import CurrentCatalog
from kmcp_controller.cluster.client import Cluster
from kmcp_runtime import pinned_artifact, pinned_catalog, redaction
from kmcp_runtime.catalog import Catalog, InvalidDocumentError, load, load_parts
from kmcp_runtime.catalog_changes import merged
from kmcp_runtime.errors import ToolFailure
from kmcp_runtime.pinned_catalog import LARGEST_BYTES, Fetched, Pinned
from kmcp_runtime.worker import run_in_thread

_LOOK_SECONDS = 30.0
_CONTENT, _MANIFEST = "catalog.yaml.gz", "manifest.json.gz"
_LOG = logging.getLogger("kmcp.controller")


class SourceError(Exception):
    """Says which catalog cannot be used, and why."""


class Source(Protocol):
    """One catalog. `catalog` is the last that could be read."""

    catalog: Catalog | None
    current: bool

    @property
    def name(self) -> str: ...

    async def look(self) -> None:
        """Read it if it may have changed. Errors: OSError, ValueError, ToolFailure."""
        ...


class FileSource:
    """A file, or a folder of parts, as a mounted ConfigMap is."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: object = None
        self.catalog: Catalog | None = None
        self.current = False

    @property
    def name(self) -> str:
        return str(self._path)

    async def look(self) -> None:
        before, self._stamp = self._stamp, None
        try:
            # Before it is read: what is broken is read again when it has changed, not each time.
            self._stamp = await run_in_thread(_stamp, self._path)
            if self._stamp == before:
                return
            self.catalog = await run_in_thread(load_parts, self._path)
        except (OSError, ValueError):
            self.current = False
            raise
        self.current = True


def _stamp(path: Path) -> object:
    files = sorted(path.glob("[!.]*")) if path.is_dir() else [path]
    return [(str(each.resolve()), each.stat().st_mtime_ns, each.stat().st_size) for each in files]


class PinnedSource:
    """An address or an artifact. What was read of it is kept in the cluster, so that a controller starts without it."""

    def __init__(self, pinned: Pinned, kept: "KeptCatalogs") -> None:
        self._pinned, self._kept = pinned, kept
        self.catalog: Catalog | None = None
        self.current = False

    @property
    def name(self) -> str:
        return self._pinned.name

    async def look(self) -> None:
        if self.current or (self.catalog is None and await self._restore()):
            return
        fetched = await self._pinned.fetch()
        self.catalog = await run_in_thread(load, fetched.text, self.name)
        self.current = True
        await self._kept.write(self.name, fetched)

    async def _restore(self) -> bool:
        """Take over what is kept; whether it is what the pin names."""
        kept = await self._kept.read(self.name)
        if kept is None:
            return False
        try:
            self.catalog = await run_in_thread(load, kept.text, f"what is kept of {self.name}")
        except InvalidDocumentError as error:  # of another version, or somebody has changed it
            _LOG.warning("%s", redaction.text(str(error)))
            return False
        self.current = self._pinned.vouches_for(kept)
        return self.current


class KeptCatalogs:
    """The last content of each address, in ConfigMaps of the controller's namespace that go away with `deployment`.

    What cannot be kept or read is logged: the address has it.
    """

    def __init__(self, cluster: Cluster, namespace: str, deployment: str) -> None:
        self._cluster, self._namespace, self._deployment = cluster, namespace, deployment

    async def read(self, name: str) -> Fetched | None:
        try:
            found = await self._cluster.read("ConfigMap", self._namespace, _name(name)) or {}
            packed = found.get("binaryData") or {}
            if _CONTENT not in packed:
                return None
            return Fetched(_unpacked(packed[_CONTENT]), _unpacked(packed[_MANIFEST]) if _MANIFEST in packed else "")
        except (ToolFailure, ValueError, zlib.error) as error:
            _LOG.warning("what is kept of the catalog %s cannot be read: %s", name, redaction.text(str(error)))
            return None

    async def write(self, name: str, fetched: Fetched) -> None:
        data = {_CONTENT: _packed(fetched.text)}
        if fetched.manifest:
            data[_MANIFEST] = _packed(fetched.manifest)
        if sum(map(len, data.values())) > LARGEST:
            _LOG.warning("the catalog %s is too large to be kept: it is absent while its host is away", name)
            return
        labels = {"app.kubernetes.io/managed-by": "kmcp", LABEL: "source"}
        metadata: dict[str, Any] = {"name": _name(name), "namespace": self._namespace, "labels": labels}
        try:
            metadata["ownerReferences"] = await self._cluster.read_owners(self._namespace, self._deployment)
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "binaryData": data}
            await self._cluster.apply(body, force=True)
        except ToolFailure as failure:
            _LOG.warning("the catalog %s cannot be kept: %s", name, redaction.text(failure.message))


def _packed(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def _unpacked(packed: str) -> str:
    # Bounded: whoever changed it may have packed more than there is memory.
    return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(base64.b64decode(packed), LARGEST_BYTES).decode()


def _name(name: str) -> str:
    return f"kmcp-catalog-source-{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def sources_of(written: Iterable[str], kept: KeptCatalogs) -> list[Source]:
    """Errors: SourceError for an address without a pin, or one that may not be read."""
    try:
        return [_source(each, kept) for each in written]
    except ValueError as error:
        raise SourceError(str(error)) from error


def _source(written: str, kept: KeptCatalogs) -> Source:
    if pinned_artifact.is_artifact(written):
        return PinnedSource(pinned_artifact.parse(written), kept)
    if pinned_catalog.is_address(written):
        return PinnedSource(pinned_catalog.parse(written), kept)
    return FileSource(Path(written))


class CatalogSources:
    """Puts the catalogs of all sources together, as one; the first one gives its version."""

    def __init__(self, sources: Sequence[Source], current: CurrentCatalog, show: Callable[[str, int], object]) -> None:
        self._sources, self._current, self._show = sources, current, show
        self._told: dict[str, str] = {}
        self.changed: Callable[[], None] = lambda: None

    async def start(self) -> None:
        """The first look. Errors: SourceError for a file that cannot be read, or a server in two catalogs.

        An address that does not answer, or with other content, holds nothing up: it is tried again.
        """
        await asyncio.gather(*map(self._look, self._sources))
        for source in self._sources:
            if isinstance(source, FileSource) and not source.current:
                raise SourceError(self._told[source.name])
        try:
            self._put_together()
        except ValueError as error:
            raise SourceError(str(error)) from error

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        if not any(await asyncio.gather(*map(self._look, self._sources))):
            return
        try:
            self._put_together()
        except ValueError as error:
            _LOG.error("the catalogs do not go together, and stay as they were: %s", redaction.text(str(error)))
            return
        self.changed()

    def _put_together(self) -> None:
        parts = [source.catalog for source in self._sources if source.catalog is not None]
        if parts:
            self._current.replace(merged(parts))

    async def _look(self, source: Source) -> bool:
        """Whether it is another catalog now: what was kept of one counts, also where its address does not answer."""
        before = source.catalog
        try:
            await source.look()
        except (OSError, ValueError, ToolFailure) as error:
            self._tell(source, error)
        else:
            if source.current:
                self._told.pop(source.name, None)
        self._count()
        return source.catalog is not before

    def _tell(self, source: Source, error: Exception) -> None:
        """Once for each reason: it is tried again and again."""
        said = error.message if isinstance(error, ToolFailure) else str(error)
        text = redaction.text(said if source.name in said else f"{source.name}: {said}")
        if self._told.get(source.name) != text:
            state = "without it" if source.catalog is None else "the last one stays"
            _LOG.error("a catalog cannot be used, %s: %s", state, text)
        self._told[source.name] = text

    def _count(self) -> None:
        counts = dict.fromkeys(("current", "kept", "missing"), 0)
        for source in self._sources:
            counts["current" if source.current else "missing" if source.catalog is None else "kept"] += 1
        for state, count in counts.items():
            self._show(state, count)
