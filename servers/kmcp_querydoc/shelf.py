"""Which index a server reads: the configured file, the one of the last build, or the suite's own pages in memory."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from kmcp_querydoc.index.reading import Index, open_file
from kmcp_querydoc.index.seal import fault
from kmcp_querydoc.settings import QuerydocSettings, default_index, home_path
from kmcp_runtime import ToolFailure, unavailable

_Version = tuple[int, int, int]


def chosen(settings: QuerydocSettings) -> Path | None:
    """The file to read; None: the suite's own pages."""
    if settings.docs_index:
        return home_path(settings.docs_index)
    default = default_index()
    return default if default.is_file() else None


def has_code(settings: QuerydocSettings) -> bool:
    """Whether the index holds source code; read without checking its checksum, since only a list depends on it."""
    file = chosen(settings)
    if file is None or not file.is_file():
        return False
    try:
        with closing(open_file(file)) as connection:
            return connection.execute("SELECT 1 FROM pages WHERE code LIMIT 1").fetchone() is not None
    except sqlite3.DatabaseError:
        return False


class Shelf:
    """The open index. It follows a build that puts another file in the place of the one that it has open."""

    def __init__(self, settings: QuerydocSettings) -> None:
        self._settings = settings
        self._index: Index | None = None
        self._held: tuple[Path | None, _Version] | None = None

    def index(self) -> Index:
        """The index as it is now; `unavailable` when there is none or it is damaged, with what to do."""
        file = chosen(self._settings)
        held = (file, _version(file))
        if self._index is None or self._held != held:
            self.close()
            self._index = _own() if file is None else _opened(file)
            self._held = held
        return self._index

    def close(self) -> None:
        if self._index is not None:
            self._index.close()
        self._index = self._held = None

    def broken(self, error: sqlite3.DatabaseError) -> ToolFailure:
        """The failure when SQLite cannot read a file whose checksum was right; the next call opens it again."""
        file = self._held[0] if self._held else None
        self.close()
        return _refused(file or Path(":memory:"), str(error))


def _version(file: Path | None) -> _Version:
    if file is None:
        return (0, 0, 0)
    try:
        found = os.stat(file)
    except OSError as error:
        raise unavailable(f"there is no index {file} ({error.strerror})", _how_to_build(file)) from None
    # A build replaces the file by rename, so the inode changes even within the clock's resolution.
    return (found.st_ino, found.st_size, found.st_mtime_ns)


def _opened(file: Path) -> Index:
    try:
        wrong = fault(file)
        if wrong:
            raise _refused(file, wrong)
        return Index(open_file(file))
    except (OSError, sqlite3.DatabaseError) as error:
        raise _refused(file, str(error)) from None


def _refused(file: Path, why: str) -> ToolFailure:
    return unavailable(f"the index {file} cannot be used: {why}", _how_to_build(file))


def _how_to_build(file: Path) -> str:
    where = "" if file == default_index() else f" --index {file}"
    return f"run `kmcp-suite docs build{where}`; the server then uses the new index without a restart"


def _own() -> Index:
    # Imported here because an installation with an index of its own needs none of the parsers.
    from kmcp_querydoc import building
    from kmcp_querydoc.sources import suite

    return Index(building.in_memory(suite.source(), suite.pages(suite.root())).connection)
