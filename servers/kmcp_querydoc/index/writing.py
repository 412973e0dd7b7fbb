"""An index in the making: pages are put in and taken out, then the search tables are derived and the file is sealed."""

import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from kmcp_querydoc.index import layout, terms
from kmcp_querydoc.index.layout import PER_PRODUCT, SEPARATOR
from kmcp_querydoc.index.seal import seal
from kmcp_querydoc.index.stemming import Stemmer, joined
from kmcp_querydoc.parsing.chunking import Chunk
from kmcp_querydoc.sources.page import Page

_CHUNKS_AT_ONCE = 500


class Writer:
    """One index, open for writing. What is put in is durable after `commit`."""

    def __init__(self, database: str | Path) -> None:
        self._db = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
        # Off by default in SQLite for each connection; pages and chunks of a removed product go with it.
        self._db.execute("PRAGMA foreign_keys = ON")
        # A build that loses its last pages in a power cut reads them again, so the faster mode is enough.
        self._db.execute("PRAGMA synchronous = NORMAL")

    @property
    def connection(self) -> sqlite3.Connection:
        return self._db

    def close(self) -> None:
        self._db.close()

    def create(self, facts: Mapping[str, str]) -> None:
        layout.create(self._db)
        self._db.executemany("INSERT INTO facts VALUES (?, ?)", facts.items())

    def facts(self) -> dict[str, str]:
        return dict(self._db.execute("SELECT name, value FROM facts"))

    def begin(self) -> None:
        self._db.execute("BEGIN")

    def commit(self) -> None:
        self._db.execute("COMMIT")

    def product(self, name: str, version: str) -> int:
        """The product's number, made when it is new."""
        found = self._db.execute("SELECT id FROM products WHERE (name, version) = (?, ?)", (name, version)).fetchone()
        if found:
            return int(found[0])
        row = (name, version, "[]", "", "", "", 0)
        insert = (
            "INSERT INTO products (name, version, aliases, source, revision, built, next_chunk) VALUES (?,?,?,?,?,?,?)"
        )
        number = int(self._db.execute(insert, row).lastrowid or 0)
        self._db.execute("UPDATE products SET next_chunk = ? WHERE id = ?", (number * PER_PRODUCT, number))
        return number

    def origin(self, product: int) -> tuple[str, str]:
        """The source and revision that the product was last built from to the end."""
        source, revision = self._db.execute("SELECT source, revision FROM products WHERE id = ?", (product,)).fetchone()
        return str(source), str(revision)

    def complete(self, product: int, source: str, revision: str, built: str, aliases: Iterable[str]) -> None:
        row = (source, revision, built, json.dumps([*aliases]), product)
        self._db.execute("UPDATE products SET source = ?, revision = ?, built = ?, aliases = ? WHERE id = ?", row)

    def remove_product(self, name: str, version: str | None) -> int:
        """The number of versions removed."""
        return self._db.execute(
            "DELETE FROM products WHERE name = ? AND version = coalesce(?, version)", (name, version)
        ).rowcount

    def stamps(self, product: int) -> dict[str, str]:
        return dict(self._db.execute("SELECT path, stamp FROM pages WHERE product = ?", (product,)))

    def digests(self, product: int) -> dict[str, str]:
        return dict(self._db.execute("SELECT path, digest FROM pages WHERE product = ?", (product,)))

    def put(self, product: int, page: Page, title: str, chunks: list[tuple[Chunk, int]]) -> None:
        """Put a page in the place of what was there; chunks come with the number of their first line (0: unknown)."""
        self.remove_pages(product, [page.path])
        row = (product, page.path, page.url, title, page.digest(), page.stamp, page.format == "code", len(chunks))
        insert = "INSERT INTO pages (product, path, url, title, digest, stamp, code, chunks) VALUES (?,?,?,?,?,?,?,?)"
        number = self._db.execute(insert, row).lastrowid
        following = "UPDATE products SET next_chunk = next_chunk + ? WHERE id = ? RETURNING next_chunk"
        first = int(self._db.execute(following, (len(chunks), product)).fetchone()[0]) - len(chunks)
        self._db.executemany(
            "INSERT INTO chunks VALUES (?,?,?,?,?,?,?)",
            [
                (first + at, number, at, SEPARATOR.join(chunk.headings), chunk.anchor, line, chunk.text)
                for at, (chunk, line) in enumerate(chunks)
            ],
        )

    def restamp(self, product: int, path: str, stamp: str) -> None:
        self._db.execute("UPDATE pages SET stamp = ? WHERE (product, path) = (?, ?)", (stamp, product, path))

    def remove_pages(self, product: int, paths: Iterable[str]) -> None:
        self._db.executemany("DELETE FROM pages WHERE (product, path) = (?, ?)", [(product, path) for path in paths])

    def derive(self) -> None:
        """The search tables, made of all chunks that there are."""
        self.begin()
        layout.create_search(self._db)
        deriving = _Deriving(self._db)
        rows = self._db.execute(
            "SELECT c.id, p.product, p.title, p.path, p.code, c.headings, c.content"
            " FROM chunks c JOIN pages p ON p.id = c.page ORDER BY c.id"
        )
        while batch := rows.fetchmany(_CHUNKS_AT_ONCE):
            deriving.add([row for row in batch if not row[4]])
            deriving.add_code([row for row in batch if row[4]])
        deriving.finish()
        self.commit()

    def publish(self, target: Path) -> None:
        """Put the finished index at its place in one step: a server reads the old one or the new one, never a part."""
        fresh = target.with_name(f"{target.name}.new")
        fresh.unlink(missing_ok=True)
        # A vacuumed copy is smaller, and its pages lie in the order in which they are read.
        self._db.execute("VACUUM INTO ?", (str(fresh),))
        seal(fresh)
        # Built by one user and read by another: an image's layer, a shared volume.
        fresh.chmod(0o644)
        os.replace(fresh, target)


class _Deriving:
    """The search tables while they are filled."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._stemmer = Stemmer()
        self._names: set[str] = set()
        self._frequencies: Counter[tuple[str, int]] = Counter()
        self._lengths = [0, 0, 0]
        self._count = 0

    def add(self, rows: Sequence[Any]) -> None:
        """Chunks of documents."""
        fields = []
        for _, _, title, path, _, headings, content in rows:
            shown = headings.replace(SEPARATOR, " ")
            fields += [_title(title, path), terms.searchable(shown), terms.searchable(content)]
            self._names.update(terms.names(f"{title} {shown} {content}"))
        stems = self._stemmer.stems(fields)
        for at, (number, product, *_) in enumerate(rows):
            texts, found = fields[3 * at : 3 * at + 3], stems[3 * at : 3 * at + 3]
            self._db.execute("INSERT INTO words (rowid, title, headings, body) VALUES (?,?,?,?)", (number, *texts))
            self._db.execute("INSERT INTO stems VALUES (?,?,?,?)", (number, *map(joined, found)))
            self._frequencies.update((stem, product) for stem in {stem for each in found for stem in each})
            self._lengths = [total + len(each) for total, each in zip(self._lengths, found, strict=True)]
        self._count += len(rows)

    def add_code(self, rows: Sequence[Any]) -> None:
        """Chunks of source code."""
        self._db.executemany(
            "INSERT INTO code_words (rowid, path, body) VALUES (?,?,?)",
            [(row[0], " ".join(terms.parts_of(row[3])), terms.searchable(row[6])) for row in rows],
        )

    def finish(self) -> None:
        self._stemmer.close()
        self._db.executemany("INSERT INTO names (name) VALUES (?)", [(name,) for name in sorted(self._names)])
        rows = [(stem, product, count) for (stem, product), count in sorted(self._frequencies.items())]
        self._db.executemany("INSERT INTO frequencies VALUES (?,?,?)", rows)
        average = [total / max(self._count, 1) for total in self._lengths]
        self._db.execute("INSERT INTO lengths VALUES (?,?,?)", average)
        # Merges the b-trees of the full-text index into one, which makes each search faster.
        for table in ("words", "code_words", "names"):
            self._db.execute(f"INSERT INTO {table} ({table}) VALUES ('optimize')")  # noqa: S608  # names of ours


def _title(title: str, path: str) -> str:
    """The title, and what the name of the file adds to it: `bluegreen`, `hpa-support`."""
    name = path.rstrip("/").rpartition("/")[2].partition(".")[0]
    return f"{title} {' '.join(terms.parts_of(name))}"


def is_whole(path: Path) -> bool:
    """Whether a build can continue with this unfinished index."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
    except sqlite3.DatabaseError:
        return False
